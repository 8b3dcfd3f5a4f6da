"""What a face is told to look at: `camera`, a side, a point, or a timeline of them."""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from talker.errors import TalkerError

_SIDE, _HEIGHT = np.radians(25.0), np.radians(15.0)
_NEAR, _FAR = 1.2, 3.0  # Metres: someone one talks to; whatever is over there.
_CLOSEST = 0.15

_PLACES: dict[str, tuple[float, float, float]] = {
    "camera": (0.0, 0.0, _NEAR),
    "left": (-_SIDE, 0.0, _FAR),
    "right": (_SIDE, 0.0, _FAR),
    "up": (0.0, -_HEIGHT, _FAR),
    "down": (0.0, _HEIGHT, _NEAR),
}
_HELP = f"choose {', '.join(_PLACES)}, or X,Y,Z in metres (to the subject's left, up, forward), each with @seconds"


@dataclass(frozen=True)
class Target:
    """From `time` (seconds) on, look along `yaw` and `pitch` (radians) at something `distance` metres away."""

    time: float
    yaw: float
    pitch: float
    distance: float


CAMERA = Target(0.0, *_PLACES["camera"])


def parse_look_at(text: str) -> tuple[Target, ...]:
    """`"camera"`, `"0.4,0.1,2"` (metres from between the eyes: to the subject's left, up, forward) or a timeline.

    >>> [target.time for target in parse_look_at("left@2 camera@4")]
    [0.0, 2.0, 4.0]

    Left and right are the subject's own. Before the first time of a timeline the face looks into the camera.
    """
    targets = [_parse_target(part) for part in text.split()]
    if not targets:
        raise TalkerError(f"nothing to look at; {_HELP}")
    if any(before.time >= after.time for before, after in pairwise(targets)):
        raise TalkerError(f"look at '{text}': the times must rise")
    return tuple(targets) if targets[0].time == 0 else (CAMERA, *targets)


def target_at(targets: tuple[Target, ...], time: float) -> Target:
    """The target in force."""
    return next((target for target in reversed(targets) if target.time <= time), CAMERA)


def _parse_target(text: str) -> Target:
    place, _, when = text.partition("@")
    time = _number(when, text) if when or "@" in text else 0.0
    if time < 0:
        raise TalkerError(f"look at '{text}': a time cannot be negative")
    if place in _PLACES:
        return Target(time, *_PLACES[place])
    coordinates = place.split(",")
    if len(coordinates) != 3:
        raise TalkerError(f"cannot look at '{text}'; {_HELP}")
    left, up, forward = (_number(value, text) for value in coordinates)
    distance = float(np.sqrt(left**2 + up**2 + forward**2))
    if forward <= 0 or distance < _CLOSEST:
        raise TalkerError(f"cannot look at '{text}': a point must lie in front of the face, {_CLOSEST} m away or more")
    return Target(time, float(-np.arctan2(left, forward)), float(-np.arctan2(up, np.hypot(left, forward))), distance)


def _number(text: str, whole: str) -> float:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text) or len(text) > 20:
        raise TalkerError(f"cannot look at '{whole}': '{text}' is not a number; {_HELP}")
    return float(text)
