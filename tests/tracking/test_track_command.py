from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_tracks import LANDMARKER, SHARED, curves_of
from test_video_frames import write_video

from talker.animation import FaceAnimation
from talker.cli import main
from talker.errors import TalkerError
from talker.render.portrait import Camera, Portrait
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.landmarker import check_landmarker, find_landmarker

needs_landmarker = pytest.mark.skipif(not LANDMARKER.is_file(), reason="no ../shared/models/face_landmarker.task")
GRID_VIDEO = SHARED / "data/grid_s1/video/bbaf2n.mpg"
SIZE = 256


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """A head that opens its mouth twice, (24, 256, 256, 3)."""
    head = HeadMesh.load()
    portrait, camera = Portrait(head), Camera.for_head(head)
    curves = curves_of(24, jawOpen=np.clip(0.6 * np.sin(np.arange(24) / 2), 0, 1))
    return np.stack([portrait.draw(head.vertices(torch.tensor(row)), camera, SIZE) for row in curves])


def run(*arguments: object) -> int:
    return main(["track", *map(str, arguments), "--landmarker", str(LANDMARKER)])


@needs_landmarker
def test_a_batch_with_bad_files(tmp_path: Path, drawn: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mediapipe")
    write_video(tmp_path / "one.mp4", drawn)
    write_video(tmp_path / "two.mp4", np.concatenate([drawn, drawn], axis=2))
    write_video(tmp_path / "nobody.mp4", np.full((5, 64, 64, 3), 90, np.uint8))
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 500)
    names = ("one", "two", "nobody", "broken")
    assert run(*(tmp_path / f"{n}.mp4" for n in names), "-o", tmp_path / "out", "--preview", "--size", "96") == 1
    out, err = capsys.readouterr()
    assert "nobody.mp4: no face was found in any of its 5 frames" in err and "broken.mp4" in err
    assert "2 of 4 files failed" in err and "several faces in 100%" in out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "one.npz",
        "one.preview.mp4",
        "two.npz",
        "two.preview.mp4",
    ]
    take = FaceAnimation.load(tmp_path / "out/one.npz")
    assert take.frame_count == 24 and take.fps == 25 and take.audio is None
    wanted = np.clip(0.6 * np.sin(np.arange(24) / 2), 0, 1)
    assert np.corrcoef(take.channel("jawOpen"), wanted)[0, 1] > 0.95
    assert take.meta["tracking"]["face_share"] == 1.0 and len(take.meta["tracking"]["valid"]) == 24


@needs_landmarker
@pytest.mark.skipif(not GRID_VIDEO.is_file(), reason="no ../shared/data/grid_s1/video")
def test_a_real_video_with_sound_as_a_person(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    assert run(GRID_VIDEO, "-o", tmp_path / "take.npz", "--person", "s1") == 0
    take = FaceAnimation.load(tmp_path / "take.npz")
    assert take.frame_count == 75 and take.meta["person"] == "s1"
    assert take.audio is not None and take.audio.duration == pytest.approx(3.0, abs=0.1)
    assert take.channel("jawOpen").max() > 0.15 and take.channel("eyeBlinkLeft").max() > 0.7
    assert min(take.meta["tracking"]["confidence"]) > 0.8


def test_the_model_file_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKER_CACHE", str(tmp_path))
    monkeypatch.delenv("TALKER_LANDMARKER", raising=False)
    with pytest.raises(TalkerError, match="--download-landmarker"):
        find_landmarker()
    with pytest.raises(TalkerError, match="no such file"):
        find_landmarker(tmp_path / "missing.task")
    with pytest.raises(TalkerError, match="is not the expected 64184e229b263107"):
        check_landmarker(b"something else", "the download")
    (tmp_path / "mine.task").write_bytes(b"x")
    monkeypatch.setenv("TALKER_LANDMARKER", str(tmp_path / "mine.task"))
    assert find_landmarker() == tmp_path / "mine.task"
