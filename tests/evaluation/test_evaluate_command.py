"""`talker evaluate` from end to end: the default weights against themselves, takes against takes and against shards."""

import io
import json
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, Audio, read_audio
from talker.cli import main
from talker.datasets.report import MANIFEST_FILE
from talker.datasets.samples import Curves, encode_json, encode_sound
from talker.evaluation.clips import mouth_of
from talker.inference import load_model
from talker.resources import checkpoints_dir

GRID = checkpoints_dir().parent / "examples" / "grid.wav"
NAME = "somebody.000"


@pytest.fixture(scope="module")
def spoken() -> tuple[Audio, np.ndarray]:
    """A sound, and what the default weights make of it at 50 Hz."""
    audio = read_audio(GRID).resample(NETWORK_RATE)
    return audio, load_model("default").curves(audio.samples)


@pytest.fixture(scope="module")
def shards(spoken: tuple[Audio, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One clip, a little set's validation, in which the mouth does exactly what the default weights would do."""
    folder = tmp_path_factory.mktemp("shards")
    audio, curves = spoken
    sure = np.ones(len(curves))
    about = {"set": "little", "speaker": "somebody", "may_ship": True, "emotion": None, "level": None}
    key = f"little/{NAME.replace('.', '%2E')}"
    members = {
        "curves.npz": Curves(curves, 50.0, sure.astype(bool), sure, mouth_of(curves)).encode(),
        "flac": encode_sound(audio, "flac"),
        "json": encode_json(about),
    }
    with tarfile.open(folder / "validation-000000.tar", "w") as archive:
        for extension, data in members.items():
            member = tarfile.TarInfo(f"{key}.{extension}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    (folder / MANIFEST_FILE).write_text(json.dumps({"key": key, "shard": "validation-000000", **about}) + "\n")
    return folder


def run(*arguments: object) -> int:
    return main(["evaluate", *map(str, arguments)])


def figures(folder: Path) -> dict[tuple[str, str], float]:
    rows = [line.split(",") for line in (folder / "figures.csv").read_text().splitlines()[1:] if '"' not in line]
    return {(row[1], row[2]): float(row[4]) for row in rows}


def test_a_model_agrees_with_itself(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--sets", shards, "--network", "-o", tmp_path) == 0
    found, name = figures(tmp_path), "default unfinished"
    assert found[name, "gap r"] > 0.999 and found[name, "width r"] > 0.999
    assert found[name, "gap lag"] == 0 and found[name, "gap amplitude"] == pytest.approx(1, abs=0.01)
    printed = capsys.readouterr().out
    assert re.search(r"little +default unfinished +1 ", printed) and "report.html" in printed


def test_emotions_are_systems_of_their_own(shards: Path, tmp_path: Path) -> None:
    assert run("--sets", shards, "--emotions", "neutral", "angry", "-o", tmp_path) == 0
    assert 0.95 < figures(tmp_path)["default neutral", "gap r"] < 0.9999  # Finished: lips that came near meet.
    assert ("default angry", "gap r") in figures(tmp_path)


def test_takes_of_others_are_judged_by_their_names(
    shards: Path, spoken: tuple[Audio, np.ndarray], tmp_path: Path
) -> None:
    assert run("--sets", shards, "--sounds", tmp_path / "sounds") == 0
    sound = read_audio(tmp_path / "sounds" / "little" / f"{NAME}.wav")
    assert sound.duration == pytest.approx(spoken[0].duration, abs=0.001)
    FaceAnimation(spoken[1], 50.0).resample(60).save(tmp_path / f"{NAME}.csv")
    assert run(tmp_path / f"{NAME}.csv", "--sets", shards, "-o", tmp_path) == 0
    assert figures(tmp_path)["takes", "gap r"] > 0.99


def test_takes_are_judged_by_takes(spoken: tuple[Audio, np.ndarray], tmp_path: Path) -> None:
    audio, curves = spoken
    (tmp_path / "truth").mkdir()
    FaceAnimation(curves, 50.0, audio).save(tmp_path / "truth" / "line.npz")
    FaceAnimation(np.roll(curves, 2, axis=0), 50.0).save(tmp_path / "line.csv")
    for truth in (tmp_path / "truth", tmp_path / "truth" / "line.npz"):
        assert run(tmp_path / "line.csv", "--truth", truth, "-o", tmp_path / "report") == 0
        assert figures(tmp_path / "report")["takes", "gap lag"] == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "say what to judge by: --sets SHARDS, or TAKES and their --truth"),
        ("--truth a.csv", "say what to judge by"),
        ("a.csv --truth b.csv --sets c", "say what to judge by"),
        ("a.csv b.csv --truth {here}/only.csv", "is one take for 2: give a folder of them"),
        ("a.csv --truth {here}", "holds no take named a"),
        ("--sets {here}", "holds no shards; make some: talker prepare"),
        ("--sets {shards} --split test", "there is no test clip in"),
        ("--sets {shards} --emotions angery", "no such emotion 'angery'; did you mean 'angry'?"),
        ("other.csv --sets {shards}", "other.csv: no clip of the sets is named like this take"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: str, message: str, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "only.csv").touch()
    assert run(*arguments.format(here=tmp_path, shards=shards).split()) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
