"""The tip of the tongue, where phones are known: between the teeth for th, at them for l, t, d and n.

ARKit's one shape of the tongue sticks it out. A third of it reaches the teeth, which is as far as speech goes.
"""

import numpy as np

from talker.finishing.cues import CUE_FPS
from talker.phones import PHONES
from talker.rigs import arkit

LOOK_AHEAD = 0.1
"""Seconds: the tongue is on its way before the sound."""

TONGUE: tuple[int, ...] = (arkit.INDEX["tongueOut"],)
"""The channel that this step owns."""

_HOW_FAR = {"θ": 0.34, "ð": 0.3, "l": 0.14, "n": 0.1, "t": 0.08, "d": 0.08}
_FARTHEST = 0.45  # Beyond, it needs a wider mouth than speech has.
_SMOOTH = 0.025  # Seconds, deviation.
_APART = (0.01, 0.04)  # Eye distances between the lips: shut, and open enough for all of it.


def move_tongue(curves: np.ndarray, fps: float, phones: np.ndarray | None, amount: float = 1.0) -> np.ndarray:
    """(T, 61) with the tongue's tip where the sounds want it. Owns `TONGUE`; looks `LOOK_AHEAD` ahead.

    Args:
        curves: Of the face.
        fps: Frames per second.
        phones: (N, phones) probabilities of `talker.phones.PHONES` at 50 Hz; without them nothing moves.
        amount: How far, against the usual.
    """
    out = np.array(curves, np.float32)
    if phones is None:
        return out
    from scipy.ndimage import gaussian_filter1d

    from talker.finishing.closure import gap_row

    wanted = phones @ np.array([_HOW_FAR.get(phone, 0.0) for phone in PHONES])
    wanted = gaussian_filter1d(wanted, _SMOOTH * CUE_FPS, mode="nearest")
    wanted = np.interp(np.arange(len(out)) / fps * CUE_FPS, np.arange(len(wanted)), wanted)
    shut, apart = _APART
    room = np.clip((out[:, : arkit.SHAPE_COUNT] @ gap_row() - shut) / (apart - shut), 0.0, 1.0)
    tongue = out[:, TONGUE[0]]
    out[:, TONGUE[0]] = np.maximum(tongue, np.minimum(amount * wanted, _FARTHEST) * room)
    return out
