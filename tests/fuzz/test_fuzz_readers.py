"""Readers meet damaged files: a clear error or a valid animation, never a crash, a hang or a memory hog."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fuzz_readers
import numpy as np
import pytest
from mutations import mutate

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.errors import TalkerError
from talker.export.registry import DEFAULT_OPTIONS, FORMATS, ExportOptions, Format, write_animation
from talker.rigs import arkit

COUNT = int(os.environ.get("TALKER_FUZZ_COUNT", "10000"))
"""Damaged files per format in the slow tier; the whole count takes most of an hour."""

HARNESS = Path(__file__).with_name("fuzz_readers.py")
READABLE = [format for format in FORMATS if format.readable]


def take() -> FaceAnimation:
    random = np.random.default_rng(11)
    curves = random.uniform(0, 1, (24, arkit.CHANNEL_COUNT)).astype(np.float32)
    curves[:, arkit.SHAPE_COUNT :] -= 0.5
    sound = Audio(random.uniform(-1, 1, 3200).astype(np.float32), 8000)
    emotion = [{"time": 0.0, "weights": {"happy": 1.0}}]
    return FaceAnimation(curves, 60, sound, {"source": "made up", "emotion": emotion})


def rig_model(format: Format, request: pytest.FixtureRequest) -> Path | None:
    """The model file that FLAME and SMPL-X formats need, its fit in the cache."""
    if format.rig not in ("flame", "smplx"):
        return None
    request.getfixturevalue("monkeypatch").setenv("TALKER_CACHE", str(request.getfixturevalue("fits_kept")))
    request.getfixturevalue(f"{format.rig}_fit")
    return request.getfixturevalue(f"{format.rig}_file")


def fuzz(format: Format, folder: Path, count: int, request: pytest.FixtureRequest) -> dict[str, Any]:
    model = rig_model(format, request)
    sample = folder / f"sample{format.extension}"
    try:
        write_animation(take(), sample, format.name, options=ExportOptions(rig_model=model))
    except TalkerError as error:
        pytest.skip(f"no sample of {format.name}: {error}")
    command = [sys.executable, str(HARNESS), format.name, str(sample), "--count", str(count)]
    command += ["--rig-model", str(model)] if model else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + count)
    assert done.returncode == 0, f"the process died ({done.returncode}):\n{done.stderr[-3000:]}"
    report = json.loads(done.stdout)
    print(format.name, {key: value for key, value in report.items() if key != "failures"})
    return report


@pytest.mark.parametrize("format", READABLE, ids=lambda format: format.name)
def test_a_hundred_damaged_files(format: Format, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    report = fuzz(format, tmp_path, 100, request)
    assert report["failures"] == []
    assert report["accepted"] + report["refused"] == 100
    assert report["refused"] >= 20  # Else the mutations no longer hurt.


@pytest.mark.slow
@pytest.mark.parametrize("format", READABLE, ids=lambda format: format.name)
def test_many_damaged_files(format: Format, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    report = fuzz(format, tmp_path, COUNT, request)
    assert report["failures"] == []
    assert report["accepted"] + report["refused"] == COUNT


def test_mutations_repeat() -> None:
    data = bytes(range(256)) * 8
    assert mutate(data, "a 1") == mutate(data, "a 1")
    assert len({mutate(data, f"a {i}") for i in range(50)}) > 45


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError("boom"), "crashed"),
        (RecursionError(), "crashed"),
        (fuzz_readers.TooSlow(), "slow"),
        (TalkerError("no file named"), "refused"),
    ],
)
def test_the_harness_notices(
    error: BaseException, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reader(*_: Any) -> FaceAnimation:
        raise error

    monkeypatch.setattr(fuzz_readers, "read_animation", reader)
    found, failure = fuzz_readers.attempt(tmp_path / "x.csv", "livelink-csv", DEFAULT_OPTIONS)
    assert found == outcome
    assert failure is not None


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peak memory per input is measured on Linux only"
)
def test_the_harness_sees_memory_that_was_given_back() -> None:
    fuzz_readers.reset_peak()
    before = fuzz_readers.peak_mb()
    np.ones(20_000_000)
    assert fuzz_readers.peak_mb() - before > 140
    fuzz_readers.reset_peak()
    assert fuzz_readers.peak_mb() - before < 50
