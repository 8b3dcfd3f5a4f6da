"""Closures kept: whatever is felt, lips meet where speech shuts them, in the same frames, and part where it parts them.

A smile that bares the teeth holds lips apart that an m wants shut, and a frown shuts those that a vowel only narrows.
"""

import numpy as np

from talker.finishing.closure import LIPS, gap_row, narrow
from talker.rigs import arkit

LOOK_AHEAD = 0.0
"""Seconds: every frame by itself."""

KEPT: tuple[int, ...] = LIPS
"""The channels that this step owns."""

_PARTING = dict.fromkeys(("mouthFunnel", "mouthLowerDown", "mouthUpperUp", "mouthShrugUpper"), 1.0)
# Gaps up to which speech alone says how far lips are apart: whatever counts as shut or parted stays so. From the
# second on a mood opens them as it likes, and it never brings parted lips nearer than the third.
_NEAR, _FREE, _PARTED = 0.04, 0.08, 0.045


def keep_closures(curves: np.ndarray, said: np.ndarray, amount: float = 1.0) -> np.ndarray:
    """(T, 61) of a mood with the closures of the same speech without it. Owns `KEPT`; looks at no other frame.

    Args:
        curves: Of the face.
        said: (T, 61) of a face that says the same and feels nothing.
        amount: 0 leaves the lips as they are, 1 moves them as far as it takes; what is above is 1.
    """
    row = gap_row()
    felt, speech = (face[:, : arkit.SHAPE_COUNT] @ row for face in (curves, said))
    change = min(amount, 1.0) * (_wanted(felt, speech) - felt)
    out = np.array(curves, np.float32)
    narrow(out, np.maximum(-change, 0.0), _PARTING)
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    opened = np.maximum(change, 0.0)
    let_go = np.minimum(opened / -row[close], out[:, close])
    out[:, close] -= let_go
    out[:, jaw] = np.minimum(out[:, jaw] + (opened + let_go * row[close]) / row[jaw], 1.0)
    return out


def _wanted(felt: np.ndarray, speech: np.ndarray) -> np.ndarray:
    """(T,) the gap between the lips, from that under a mood and that of speech without one."""
    share = np.clip((speech - _NEAR) / (_FREE - _NEAR), 0.0, 1.0)
    wider = speech + share * share * (3.0 - 2.0 * share) * (felt - speech)
    return np.where(felt > speech, wider, np.maximum(felt, np.minimum(speech, _PARTED)))
