"""Contrast: lips that open and shut as far as people's do.

Where sound leaves a network unsure which of many mouths it is, it draws their mean, which opens less than any of them
and shuts less. Measured on strangers, the gap comes out at three quarters of its size, and stops short of closing.
"""

import numpy as np

from talker.finishing.closure import LIPS, gap_row
from talker.rigs import arkit

LOOK_AHEAD = 0.0
"""Seconds: every frame by itself."""

_TAKEN = 0.014  # Eye distances that lips which nearly meet are closer,
_TAKEN_BELOW = 0.05  # fading out over such gaps.
_MORE, _MORE_UP_TO = 0.175, 0.12  # Share that is added to a gap, up to a gap of ordinary speech at its widest.

PARTING: tuple[int, ...] = tuple(i for i in LIPS if not arkit.CHANNELS[i].startswith(("mouthPress", "mouthRoll")))
"""The channels that this step owns: what parts the lips, and what brings them together over an open jaw."""


def add_contrast(curves: np.ndarray, amount: float = 1.0) -> np.ndarray:
    """(T, 61) with the same motion of the lips, larger. Owns `PARTING`; looks at no other frame.

    Args:
        curves: Of the face.
        amount: 0 leaves the lips as they are, 1 makes up for the mean.
    """
    gap = np.maximum(curves[:, : arkit.SHAPE_COUNT] @ gap_row(), 0.0)
    change = _MORE * np.minimum(gap, _MORE_UP_TO) - _TAKEN * np.exp(-gap / _TAKEN_BELOW)
    wanted = np.maximum(gap + amount * change, 0.0)
    parted = gap > 1e-6
    factor = np.divide(wanted, gap, where=parted, out=np.ones_like(gap))
    out = np.array(curves, np.float32)
    out[:, PARTING] = np.clip(out[:, PARTING] * factor[:, None], 0.0, 1.0)
    return out
