"""Speed: no part of a face moves faster than people's do, and nothing comes later for it.

A step that is too fast is spread over the frames before and after it. What parts the lips only ever parts them less,
and what shuts lips and lids shuts them longer, so that whatever meets still meets in the same frame.
"""

import json
from functools import lru_cache

import numpy as np

from talker.resources import rigs_dir
from talker.rigs import arkit

LOOK_AHEAD = 0.55
"""Seconds: the slowest channel takes as long from one end to the other."""

SLOWED: tuple[int, ...] = tuple(i for i, name in enumerate(arkit.SHAPES) if not name.startswith("eyeLook"))
"""The channels that this step owns: eyes and head have speeds of their own from the start."""

_PARTS, _SHUTS = 0.02, -0.02  # What a shape adds to the gap between the lips, in eye distances, to part or shut them.
_BELOW = 0.999  # Of people's speed, for what rounding adds.


@lru_cache(maxsize=1)
def human_speed() -> np.ndarray:
    """(61,) the fastest that each channel was seen to move, per second, read-only; infinite where nothing was seen.

    `python -m talker.evaluation.human_speed` measured it.
    """
    table = json.loads((rigs_dir() / "arkit" / "human_speed.json").read_text(encoding="utf-8"))["per_second"]
    speed = np.array([table.get(name, np.inf) for name in arkit.CHANNELS])
    speed.setflags(write=False)
    return speed


def slow_down(curves: np.ndarray, fps: float, amount: float = 1.0) -> np.ndarray:
    """(T, 61) no faster than people. Owns `SLOWED`; looks `LOOK_AHEAD` ahead.

    Args:
        curves: Of the face.
        fps: Frames per second.
        amount: How much of what is too fast is taken away, 0..1; what is above is 1.
    """
    out = np.array(curves, np.float32)
    most = _BELOW * human_speed() / fps
    too_fast = np.abs(np.diff(curves, axis=0)).max(axis=0, initial=0.0) > most
    low, high = _leanings()
    for channel in (i for i in SLOWED if too_fast[i]):
        values = curves[:, channel].astype(np.float64)
        below, above = _under(values, most[channel]), -_under(-values, most[channel])
        slowed = below if low[channel] else above if high[channel] else (below + above) / 2
        out[:, channel] += (min(amount, 1.0) * (slowed - values)).astype(np.float32)
    return out


def _under(values: np.ndarray, step: float) -> np.ndarray:
    """(T,) the largest series that is nowhere above the values and changes by at most `step` from frame to frame."""
    ramp = step * np.arange(len(values))
    rising = np.minimum.accumulate(values - ramp) + ramp
    return np.minimum(rising, (np.minimum.accumulate((values + ramp)[::-1])[::-1]) - ramp)


@lru_cache(maxsize=1)
def _leanings() -> tuple[np.ndarray, np.ndarray]:
    """(61,) bool each: channels that give way downwards, and upwards; the others meet in the middle."""
    from talker.finishing.closure import gap_row

    gap = np.pad(gap_row(), (0, arkit.CHANNEL_COUNT - arkit.SHAPE_COUNT))
    lids = np.array([name.startswith("eyeBlink") for name in arkit.CHANNELS])
    return gap > _PARTS, (gap < _SHUTS) | lids
