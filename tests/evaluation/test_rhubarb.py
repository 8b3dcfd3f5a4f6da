"""Rhubarb as a system: its cues become a mouth, and the program is asked once."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from talker.errors import TalkerError
from talker.evaluation.clips import mouth_of
from talker.evaluation.rhubarb import SHAPES, Rhubarb, curves_of_cues

CUES = [(0.0, 0.4, "X"), (0.4, 0.9, "D"), (0.9, 1.0, "A"), (1.0, 1.5, "C"), (1.5, 2.0, "X")]


def test_cues_become_a_mouth_that_opens_and_closes_when_they_say() -> None:
    gap = mouth_of(curves_of_cues(CUES, 100))[:, 0]
    assert gap[10] == pytest.approx(0, abs=0.01) and gap[95] == pytest.approx(0, abs=0.01)
    assert gap[32] == gap.max() > 0.15
    assert gap[47] < 0.02 < 0.06 < gap[62] < gap[32]  # Lips close for the consonant, open less for the second vowel.


def test_shapes_look_as_rhubarb_describes_them() -> None:
    gap, width = ({}, {})
    for shape in SHAPES:
        gap[shape], width[shape] = mouth_of(curves_of_cues([(0.0, 2.0, shape)], 100))[50, :2]
    assert gap["D"] > gap["C"] > gap["B"] > gap["A"] and abs(gap["X"]) < 1e-6 and gap["A"] < 0.02
    assert width["F"] < width["E"] < width["C"] and width["F"] < width["X"] < width["B"]


def program(folder: Path, body: str) -> Path:
    path = folder / "rhubarb"
    path.write_text(f"#!{sys.executable}\nimport json, pathlib, sys\n{body}\n")
    path.chmod(0o755)
    return path


def test_it_is_asked_once_per_sound_and_recogniser(tmp_path: Path) -> None:
    answer = {"mouthCues": [{"start": start, "end": end, "value": shape} for start, end, shape in CUES]}
    log = tmp_path / "log"
    path = program(
        tmp_path,
        f"open({str(log)!r}, 'a').write(sys.argv[3] + '\\n')\n"
        "assert pathlib.Path(sys.argv[-1]).stat().st_size > 64000\n"
        f"print({json.dumps(answer)!r})",
    )
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, 32000).astype(np.float32)
    rhubarb = Rhubarb(path, tmp_path / "cache")
    assert rhubarb.cues(samples, "phonetic") == rhubarb.cues(samples, "phonetic") == CUES
    assert rhubarb.curves(samples, "pocketSphinx").shape == (100, 61)
    rhubarb.cues(-samples, "phonetic")
    assert log.read_text().split() == ["phonetic", "pocketSphinx", "phonetic"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit('no such dictionary')", r"it failed \(no such dictionary\)"),
        ("print('{}')", "these are not mouth cues as Rhubarb writes them; delete the file"),
        ("print(json.dumps({'mouthCues': [{'start': 0, 'end': 1, 'value': 'Q'}]}))", "'Q' is none of Rhubarb's shapes"),
    ],
)
def test_what_goes_wrong_is_told(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(TalkerError, match=message):
        Rhubarb(program(tmp_path, body), tmp_path / "cache").cues(np.zeros(1600, np.float32), "phonetic")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TalkerError, match="it does not run here"):
        Rhubarb(tmp_path / "none", tmp_path).cues(np.zeros(1600, np.float32), "phonetic")
