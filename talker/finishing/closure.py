"""Closure guard: lips that come near each other for p, b and m meet; for f and v the lower lip meets the teeth.

A network that averages over many mouths lets lips come close and not touch. Where they dip, and the dip is deep or a
bilabial is heard, the rest of the gap is taken away around the same instant, so nothing moves in time.
"""

from collections.abc import Mapping

import numpy as np

from talker.phones import BILABIAL, LABIODENTAL, PHONES
from talker.rigs import arkit

LOOK_AHEAD = 0.2
"""Seconds: a dip is one when the lips part again after it."""

LIPS: tuple[int, ...] = tuple(
    i
    for i, name in enumerate(arkit.CHANNELS)
    if name.startswith(("jawOpen", "mouthClose", "mouthFunnel", "mouthLowerDown", "mouthUpperUp", "mouthShrugUpper"))
    or name.startswith(("mouthPress", "mouthRollLower"))
)
"""The channels that this step owns."""

_PARTING = {"mouthFunnel": 0.15, "mouthLowerDown": 0.4, "mouthUpperUp": 0.2, "mouthShrugUpper": 0.2}
"""What parts the lips, and how much of it can go in so short a time: people's lips are no faster."""

_REACH = 0.05  # Seconds either way that a closure is shaped over.
_PARTS_WITHIN = 0.2  # Seconds either way in which the lips must part,
_PARTS_BY = 0.03  # by so many eye distances, for a dip to be one.
_NEAR = 0.03  # Gap at which lips are meant to meet, whatever is heard;
_NEAR_WHEN_HEARD = 0.12  # and where a bilabial is heard.
_HEARD = 0.6  # Probability
_HEARD_WITHIN = 0.06  # within so many seconds.
_TOUCHING = 0.012  # Gap from lower lip to upper teeth, for f and v.
_LIPS_SHARE = 0.5  # How much less than their share the lips do, where the jaw can.
_PRESS, _ROLL = 0.12, 0.2


def close_lips(curves: np.ndarray, fps: float, phones: np.ndarray | None = None, amount: float = 1.0) -> np.ndarray:
    """(T, 61) with lips that meet. Owns `LIPS`; looks `LOOK_AHEAD` ahead.

    Args:
        curves: Of the face.
        fps: Frames per second.
        phones: (N, phones) probabilities of `talker.phones.PHONES` at 50 Hz; without them only deep dips are closed.
        amount: 0 leaves the lips as they are, 1 closes them; what is above is 1.
    """
    amount = min(amount, 1.0)
    row = gap_row()
    gap = curves[:, : arkit.SHAPE_COUNT] @ row
    bilabial, labiodental = (_heard(phones, group, len(curves), fps) for group in (BILABIAL, LABIODENTAL))
    out = np.array(curves, np.float32)
    shut, touch = np.zeros(len(curves)), np.zeros(len(curves))
    missing = np.zeros(len(curves))
    for frame in _dips(gap, fps):
        if bilabial[frame] > _HEARD:
            aim, near, mark = 0.0, _NEAR_WHEN_HEARD, shut
        elif labiodental[frame] > _HEARD:
            aim, near, mark = _TOUCHING, _NEAR_WHEN_HEARD, touch
        else:
            aim, near, mark = 0.0, _NEAR, None
        if not aim < gap[frame] <= near:
            continue
        frames, window = _around(frame, len(gap), fps)
        missing[frames] = np.maximum(missing[frames], window * (gap[frame] - aim))
        if mark is not None:
            mark[frames] = np.maximum(mark[frames], window)
    narrow(out, amount * missing, _PARTING)
    for stem, share, how_much in (("mouthPress", shut, _PRESS), ("mouthRollLower", touch, _ROLL)):
        for channel in (i for i in LIPS if arkit.CHANNELS[i].startswith(stem)):
            out[:, channel] += amount * how_much * share * (1.0 - out[:, channel])
    return out


def _dips(gap: np.ndarray, fps: float) -> np.ndarray:
    """Frames at which the lips are nearest, between partings."""
    from scipy.ndimage import maximum_filter1d

    reach = max(1, round(_PARTS_WITHIN * fps))
    size = reach + 1
    # A window of `size` that ends, and one that starts, at each frame.
    before = maximum_filter1d(gap, size, origin=size // 2 - (size + 1) % 2, mode="nearest")
    after = maximum_filter1d(gap, size, origin=-(size // 2), mode="nearest")
    least = np.r_[True, gap[1:] < gap[:-1]] & np.r_[gap[:-1] <= gap[1:], True]
    return np.flatnonzero(least & (before - gap >= _PARTS_BY) & (after - gap >= _PARTS_BY))


def _around(frame: int, count: int, fps: float) -> tuple[slice, np.ndarray]:
    """The frames around one, and a window over them that is 1 at it."""
    reach = int(_REACH * fps)
    frames = slice(max(frame - reach, 0), min(frame + reach + 1, count))
    return frames, 0.5 + 0.5 * np.cos(np.pi * (np.arange(frames.start, frames.stop) - frame) / (_REACH * fps))


def _heard(phones: np.ndarray | None, group: frozenset[str], count: int, fps: float) -> np.ndarray:
    """(T,) the highest probability of a group of phones around each frame."""
    if phones is None:
        return np.zeros(count)
    from scipy.ndimage import maximum_filter1d

    from talker.finishing.cues import CUE_FPS

    together = phones[:, [PHONES.index(phone) for phone in sorted(group)]].sum(axis=1)
    near = maximum_filter1d(together, 2 * round(_HEARD_WITHIN * CUE_FPS) + 1, mode="nearest")
    return near[np.minimum(np.rint(np.arange(count) / fps * CUE_FPS).astype(int), len(near) - 1)]


def narrow(out: np.ndarray, missing: np.ndarray, most: Mapping[str, float]) -> None:
    """Bring the lips together by `missing` (T,), in place: jaw and lips as far as they can, the rest what parts them.

    Lips are slower than the jaw, and lips that close by more than the jaw is open would go through each other. What
    parts lips, by the beginnings of names, yields by no more than `most` says.
    """
    row = gap_row()
    parting = [i for i, name in enumerate(arkit.SHAPES) if name.startswith(tuple(most))]
    limits = [next(limit for stem, limit in most.items() if arkit.SHAPES[i].startswith(stem)) for i in parting]
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    yielding = np.minimum(out[:, parting], limits)
    parted = yielding @ np.maximum(row[parting], 0.0)
    ajar = np.maximum(out[:, jaw] * row[jaw] + out[:, close] * row[close], 0.0)
    by_jaw = np.minimum(missing * (1.0 - _LIPS_SHARE * parted / np.maximum(parted + ajar, 1e-6)), ajar)
    out[:, parting] -= yielding * np.clip((missing - by_jaw) / np.maximum(parted, 1e-6), 0.0, 1.0)[:, None]
    out[:, jaw] -= 0.5 * by_jaw / row[jaw]
    out[:, close] -= 0.5 * by_jaw / row[close]


def gap_row() -> np.ndarray:
    """(52,) what each shape at 1 adds to the gap, in eye distances."""
    from talker.rigs.lips import Lips

    return Lips.of_default_head().rows[:, 0].numpy().astype(np.float64)
