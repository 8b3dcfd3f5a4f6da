"""EmoFace's 174 columns: the controls of an earlier MetaHuman face board.

EmoFace's data set names the columns in one list and its Maya script in another, where `CTRL_C_tongue_tip` stands a
second time in place of `CTRL_C_tongue_roll` (the 26th and 27th column). The list here is the data set's; a face from
ARKit moves neither control.

The older board differs from today's in a few places: a common `CTRL_C_eye` is added to both eyes, the tongue's controls
have other names, and there are switches that are no part of the face, which stay 0 as in EmoFace's own files.
"""

import numpy as np

from talker.resources import rigs_dir
from talker.rigs import metahuman

FPS = 60.0
"""Frames per second of every EmoFace file; the text itself does not say."""

COLUMNS: tuple[str, ...] = tuple((rigs_dir() / "metahuman" / "emoface_columns.txt").read_text("ascii").split())
"""EmoFace's own names, like `CTRL_L_brow_down-translateY`."""

CONTROLS: tuple[str, ...] = tuple(name.replace("-translateX", ".tx").replace("-translateY", ".ty") for name in COLUMNS)
"""The same in the spelling of the board, like `CTRL_L_brow_down.ty`."""

COLUMN_INDEX: dict[str, int] = {control: i for i, control in enumerate(CONTROLS)}

_TODAY = {  # Older control -> today's.
    "CTRL_C_tongue.tx": "CTRL_C_tongue_move.tx",
    "CTRL_C_tongue.ty": "CTRL_C_tongue_move.ty",
    "CTRL_C_tongue_tip.tx": "CTRL_C_tongue_tipMove.tx",
    "CTRL_C_tongue_tip.ty": "CTRL_C_tongue_tipMove.ty",
    "CTRL_C_tongue_narrowWide.ty": "CTRL_C_tongue_wideNarrow.ty",  # Upwards is wide on both boards.
    "CTRL_C_tongue_roll.ty": "",  # Up and down on the older board, curling into a tube on today's.
}
_PAIRS = tuple(
    (column, metahuman.CONTROL_INDEX[_TODAY.get(control, control)])
    for column, control in enumerate(CONTROLS)
    if _TODAY.get(control, control) in metahuman.CONTROL_INDEX
)
_SHARED_COLUMNS, _SHARED_CONTROLS = (list(indices) for indices in zip(*_PAIRS, strict=True))
_EYES = [[COLUMN_INDEX[f"CTRL_{eye}_eye.t{axis}"] for axis in "xy"] for eye in "CLR"]


def board_to_columns(board: np.ndarray) -> np.ndarray:
    """Columns (..., 174) float32 of today's board controls (..., 174).

    The gaze that both eyes share goes to `CTRL_C_eye`, where EmoFace and its tools look for it.
    """
    columns = np.zeros((*np.shape(board)[:-1], len(COLUMNS)), np.float32)
    columns[..., _SHARED_COLUMNS] = board[..., _SHARED_CONTROLS]
    both, left, right = _EYES
    columns[..., both] = (columns[..., left] + columns[..., right]) / 2
    columns[..., left] -= columns[..., both]
    columns[..., right] -= columns[..., both]
    return columns


def columns_to_board(columns: np.ndarray) -> np.ndarray:
    """Today's board controls (..., 174) float32 of columns (..., 174), cut to their ranges."""
    columns = np.array(columns, np.float32)
    both, left, right = _EYES
    columns[..., left] += columns[..., both]
    columns[..., right] += columns[..., both]
    board = np.tile(metahuman.BOARD_DEFAULT, (*columns.shape[:-1], 1))
    board[..., _SHARED_CONTROLS] = columns[..., _SHARED_COLUMNS]
    return np.clip(board, metahuman.BOARD_LOW, metahuman.BOARD_HIGH, out=board)
