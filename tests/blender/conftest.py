"""Which Blenders there are: TALKER_BPY_PYTHON (a Python with bpy) and TALKER_BLENDER (a program; else on PATH)."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.rigs import arkit

INSIDE = Path(__file__).parent / "inside"
EXTENSION = Path(__file__).parents[2] / "examples" / "blender"
TAKES = Path(__file__).parents[3] / "shared" / "data" / "livelink_takes"
TIMEOUT_SECONDS = 300


@pytest.fixture
def bpy_python() -> Path:
    """A Python that has Blender 5's bpy."""
    return _program("TALKER_BPY_PYTHON", None)


@pytest.fixture
def blender_program() -> Path:
    """A Blender program, however old."""
    return _program("TALKER_BLENDER", "blender")


@pytest.fixture(params=["bpy_python", "blender_program"])
def any_blender(request) -> Path:
    return request.getfixturevalue(request.param)


def _program(variable: str, name: str | None) -> Path:
    found = os.environ.get(variable) or (name and shutil.which(name))
    if not found:
        pytest.skip(f"no Blender: set {variable}" + (f" or put {name} on PATH" if name else " to a Python with bpy"))
    return Path(found)


def run_inside(program: Path, script: str, *arguments: object, home: Path) -> str:
    """Run a script of this folder in Blender, its settings in `home`; returns what it printed."""
    is_python = "python" in program.name
    start = [program] if is_python else [program, "--background", "--factory-startup", "--python-exit-code", "1"]
    script_arguments = [INSIDE / script] if is_python else ["--python", INSIDE / script]
    done = subprocess.run(
        [*start, *script_arguments, "--", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")},
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def take() -> FaceAnimation:
    """Every channel moves on its own, at a fractional frame rate, with sound."""
    frames, rng = np.arange(50), np.random.default_rng(7)
    speed, phase = rng.uniform(0.05, 0.6, arkit.CHANNEL_COUNT), rng.uniform(0, 6, arkit.CHANNEL_COUNT)
    curves = 0.5 + 0.5 * np.sin(frames[:, None] * speed + phase)
    curves[:, arkit.SHAPE_COUNT :] = 0.8 * curves[:, arkit.SHAPE_COUNT :] - 0.4
    curves[:, arkit.INDEX["tongueOut"]] = 0
    tone = 0.3 * np.sin(np.arange(round(50 / 29.97 * 16000)) * 0.1)
    return FaceAnimation(curves, 29.97, Audio(tone, 16000))
