"""What real folders hold besides good films: each ends in a row of the table that says what is the matter."""

import csv
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from talker.cli import main

SHARED = Path(__file__).parents[2] / "../shared"
LANDMARKER = SHARED / "models/face_landmarker.task"
VIDEOS = SHARED / "data/grid_s1/video"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not VIDEOS.is_dir(), reason="the GRID videos are not beside the repository"),
    pytest.mark.skipif(not LANDMARKER.is_file(), reason="MediaPipe's face_landmarker.task is not there"),
]


def film(number: int) -> tuple[np.ndarray, np.ndarray]:
    """(T, h, w, 3) pictures at 25 per second and (N,) sound at 16 kHz."""
    path = sorted(VIDEOS.glob("*.mpg"))[number]
    with av.open(str(path)) as container:
        pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    from talker.audio import read_audio

    return pictures, read_audio(path).resample(16_000).samples


def write_film(path: Path, pictures: np.ndarray, sound: np.ndarray | None, times: np.ndarray | None = None) -> None:
    """H.264 with AAC, frames at `times` seconds (25 per second when None)."""
    times = np.arange(len(pictures)) / 25 if times is None else times
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "20", "preset": "ultrafast"}
        stream.codec_context.time_base = Fraction(1, 1000)
        voice = container.add_stream("aac", rate=16_000, layout="mono") if sound is not None else None
        for picture, seconds in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if voice is not None:
            for start in range(0, len(sound) - 1024, 1024):
                block = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], "fltp", "mono")
                block.sample_rate, block.pts, block.time_base = 16_000, start, Fraction(1, 16_000)
                container.mux(voice.encode(block))
            container.mux(voice.encode())


def sideways(path: Path) -> None:
    """Mark a film as taken with the phone held sideways: the display matrix in its track header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # Version 0: the matrix follows 40 bytes of other fields.
    turned = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in turned)
    path.write_bytes(data)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    root = tmp_path_factory.mktemp("films")
    (pictures, sound), (others, _) = film(0), film(1)
    pictures, others = pictures[:60], others[:60]
    random = np.random.default_rng(0)
    write_film(root / "good.mp4", pictures, sound)
    write_film(root / "two faces.mp4", np.concatenate([pictures, others], 2), sound)
    write_film(root / "no face.mp4", random.integers(0, 255, (30, 96, 128, 3), np.uint8), sound)
    hidden = pictures.copy()
    hidden[20:40, 170:245, 110:215] = 120  # A grey box before the mouth for a third of the film.
    write_film(root / "covered.mp4", hidden, sound)
    write_film(root / "no sound.mp4", pictures[:25], None)
    keep = np.sort(random.choice(60, 50, replace=False))
    write_film(root / "uneven.mp4", pictures[keep], sound, keep / 25)
    write_film(root / "sideways.mp4", np.rot90(pictures, 1, axes=(1, 2)), sound)
    sideways(root / "sideways.mp4")
    large = np.repeat(np.repeat(pictures[:20], 7, 1), 8, 2)[:, :2016, :2880]
    write_film(root / "4k.mp4", np.pad(large, ((0, 0), (0, 144), (0, 960), (0, 0))), sound)
    whole = sorted(VIDEOS.glob("*.mpg"))[2].read_bytes()
    (root / "cut off.mpg").write_bytes(whole[: len(whole) // 2])
    (root / "damaged.mpg").write_bytes(whole[:60_000] + random.bytes(60_000) + whole[120_000:])
    (root / "empty.mp4").write_bytes(b"")
    (root / "text.mp4").write_bytes(b"this is no film" * 100)
    output = root.parent / "shards"
    assert (
        main(["prepare", "videos", str(root), "-o", str(output), "--landmarker", str(LANDMARKER), "--jobs", "2"]) == 1
    )
    with io.StringIO((output / "quality.csv").read_text(encoding="utf-8"), newline="") as file:
        return {Path(row["key"]).name.split("%2E")[0]: row for row in csv.DictReader(file)}


def test_every_film_has_its_row(rows: dict[str, dict[str, str]]) -> None:
    print(*(f"{name}: {row['verdict']} {row['reason']} {row['seconds']}" for name, row in rows.items()), sep="\n")
    assert len(rows) == 12


@pytest.mark.parametrize("name", ["good", "uneven", "sideways", "cut off"])
def test_good_enough(rows: dict[str, dict[str, str]], name: str) -> None:
    row = rows[name]
    assert row["verdict"] == "kept" and float(row["face_share"]) > 0.95 and float(row["confidence"]) > 0.9
    assert float(row["sync"]) > 0.3


def test_a_camera_that_stutters_keeps_its_length(rows: dict[str, dict[str, str]]) -> None:
    assert float(rows["uneven"]["seconds"]) == pytest.approx(float(rows["good"]["seconds"]), abs=0.2)


@pytest.mark.parametrize(
    ("name", "verdict", "reason"),
    [
        ("two faces", "rejected", "several faces in"),
        ("covered", "rejected", "a covered mouth in 33.3%"),
        ("no face", "failed", "no face was found in any of its 30 frames"),
        ("no sound", "failed", "it has no sound"),
        ("empty", "failed", "the file is empty"),
        ("text", "failed", "no video decoder understands it"),
    ],
)
def test_left_out_with_a_reason(rows: dict[str, dict[str, str]], name: str, verdict: str, reason: str) -> None:
    assert rows[name]["verdict"] == verdict
    assert reason in rows[name]["reason"]


def test_a_large_film_is_tracked(rows: dict[str, dict[str, str]]) -> None:
    assert float(rows["4k"]["face_share"]) > 0.95 and float(rows["4k"]["confidence"]) > 0.9
