"""What a talker's output means: ARKit's shapes, FLAME's parameters or MetaHuman's board controls.

One network speaks one space, and is trained on motion in it. Every space has its limits, and a face at rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from talker.errors import no_such
from talker.rigs import arkit, metahuman

FLAME_EXPRESSIONS = 100
FLAME_JOINTS = ("neck_pose", "jaw_pose", "leye_pose", "reye_pose")
"""Axis-angle radians, three channels each, after the expression."""

_EXPRESSION_LIMIT = 6.0  # Standard deviations; faces stay within 3.
_TURN_LIMIT = 1.2  # Radians about any axis.

ToCurves = Callable[[np.ndarray], np.ndarray]
"""(T, channels) of a space -> (T, 61)."""


@dataclass(frozen=True, eq=False)
class MotionSpace:
    """Channels of motion.

    Attributes:
        name: "arkit", "flame" or "metahuman".
        channels: Their names.
        low, high: (C,) limits.
        rest: (C,) of a face at rest.
        to_curves: The way to talker's 61 channels; None where it takes the user's own model (see `RigFit.weights`).
    """

    name: str
    channels: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    rest: np.ndarray
    to_curves: ToCurves | None

    @property
    def count(self) -> int:
        """Number of channels."""
        return len(self.channels)


def motion_space(name: str) -> MotionSpace:
    """The space of that name."""
    if name not in MOTION_SPACES:
        raise no_such("motion space", name, MOTION_SPACES)
    return _made(name)


@cache
def _made(name: str) -> MotionSpace:
    return MOTION_SPACES[name]()


def _arkit() -> MotionSpace:
    nothing = np.zeros(arkit.SHAPE_COUNT, np.float32)
    return MotionSpace("arkit", arkit.SHAPES, nothing, nothing + 1, nothing, _with_resting_angles)


def _flame() -> MotionSpace:
    channels = [f"expression_{i}" for i in range(FLAME_EXPRESSIONS)]
    channels += [f"{joint}_{axis}" for joint in FLAME_JOINTS for axis in "xyz"]
    high = np.full(len(channels), _TURN_LIMIT, np.float32)
    high[:FLAME_EXPRESSIONS] = _EXPRESSION_LIMIT
    return MotionSpace("flame", tuple(channels), -high, high, 0 * high, None)


def _metahuman() -> MotionSpace:
    channels = tuple(control.name for control in metahuman.BOARD_CONTROLS)
    limits = metahuman.BOARD_LOW, metahuman.BOARD_HIGH, metahuman.BOARD_DEFAULT
    return MotionSpace("metahuman", channels, *limits, metahuman.board_to_arkit)


MOTION_SPACES: dict[str, Callable[[], MotionSpace]] = {"arkit": _arkit, "flame": _flame, "metahuman": _metahuman}


def _with_resting_angles(shapes: np.ndarray) -> np.ndarray:
    return np.pad(shapes, ((0, 0), (0, arkit.CHANNEL_COUNT - arkit.SHAPE_COUNT)))
