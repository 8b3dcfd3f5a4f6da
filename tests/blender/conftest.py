"""Fixtures for everything that concerns Blender."""

from pathlib import Path

import numpy as np
import pytest
from blenders import find_program

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.rigs import arkit


@pytest.fixture
def bpy_python() -> Path:
    """A Python that has Blender 5's bpy."""
    return find_program("TALKER_BPY_PYTHON", None)


@pytest.fixture
def blender_program() -> Path:
    """A Blender program, however old."""
    return find_program("TALKER_BLENDER", "blender")


@pytest.fixture(params=["bpy_python", "blender_program"])
def any_blender(request) -> Path:
    return request.getfixturevalue(request.param)


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
