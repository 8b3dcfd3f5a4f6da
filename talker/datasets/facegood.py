"""FACEGOOD's Voice2Face curves: (T, 116) hand-animated mouth shapes at 30 fps, of which some twenty move."""

from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.datasets.motion_file import read_npy
from talker.errors import TalkerError
from talker.rigs import arkit

FPS = 30.0

# What each of their shapes that move is in ours, by what it is named for; four lip parts make one of ours.
_QUARTERS = ("dl", "dr", "ul", "ur")
_WEIGHTS: tuple[tuple[str, str, float], ...] = (
    ("mouth_stretch_c", "jawOpen", 1.0),
    ("mouth_oh_c", "jawOpen", 0.3),
    ("mouth_oh_c", "mouthFunnel", 0.6),
    ("mouth_oo_c", "mouthPucker", 0.6),
    ("mouth_oo_c", "mouthFunnel", 0.3),
    ("tooth_d_d", "jawOpen", 0.3),
    *((f"mouth_funnel_{part}", "mouthFunnel", 0.25) for part in _QUARTERS),
    *((f"mouth_pucker_{part}", "mouthPucker", 0.5) for part in "lr"),
    *((f"mouth_suck_{part}", f"mouthRoll{'Lower' if part[0] == 'd' else 'Upper'}", 0.5) for part in _QUARTERS),
    *(
        (f"mouth_{theirs}_{side[0].lower()}", f"mouth{ours}{side}", 1.0)
        for theirs, ours in (
            *(("lipCornerPull", "Smile"), ("lipCornerDepress", "Frown"), ("dimple", "Dimple"), ("press", "Press")),
            *(("lipStretch", "Stretch"), ("lowerLipDepress", "LowerDown"), ("upperLipRaise", "UpperUp")),
        )
        for side in ("Left", "Right")
    ),
    ("mouth_chinRaise_d", "mouthShrugLower", 1.0),
    ("mouth_chinRaise_u", "mouthShrugUpper", 1.0),
    ("mouth_sideways_l", "mouthLeft", 1.0),
    ("mouth_sideways_r", "mouthRight", 1.0),
    ("jaw_thrust_c", "jawForward", 1.0),
    ("jaw_sideways_l", "jawLeft", 1.0),
    ("jaw_sideways_r", "jawRight", 1.0),
)


def read_facegood(path: Path) -> FaceAnimation:
    """The curves; `names.npy` beside them says what the columns are."""
    table, names = read_npy(path), [str(name) for name in np.load(path.with_name("names.npy"), allow_pickle=False)]
    if table.ndim != 2 or table.shape[1] != len(names):
        raise TalkerError(f"{path}: its shape is {table.shape} where names.npy names {len(names)} columns")
    if not np.isfinite(table).all():
        raise TalkerError(f"{path}: some of its weights are not finite numbers")
    curves = np.zeros((len(table), arkit.CHANNEL_COUNT), np.float32)
    for theirs, ours, weight in _WEIGHTS:
        if theirs in names:
            curves[:, arkit.INDEX[ours]] += weight * table[:, names.index(theirs)]
    return FaceAnimation(np.clip(curves, 0, 1), FPS, meta={"source": path.name})
