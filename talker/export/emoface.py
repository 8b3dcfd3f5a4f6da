"""EmoFace text: one line of 174 comma-separated numbers per frame, 60 frames per second, no header.

The columns are listed in `talker.rigs.emoface`. EmoFace's own script keys them in Maya.
"""

import math
from pathlib import Path

import numpy as np

from talker.animation import MAX_FRAMES, FaceAnimation
from talker.errors import TalkerError
from talker.export.registry import ExportOptions
from talker.files import read_bytes
from talker.rigs import emoface, metahuman

_BLOCK_FRAMES = 4096
_LARGEST = 1e6  # Controls go from -1 to 1; whatever lies beyond this is damage.


def write(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the animation at 60 frames per second."""
    write_board(metahuman.arkit_to_board(animation.resample(emoface.FPS).curves), path)


def write_board(board: np.ndarray, path: Path) -> None:
    """Write board controls (T, 174) at 60 frames per second."""
    row_format = ",".join(["%.6f"] * len(emoface.COLUMNS)) + "\n"
    with path.open("w", encoding="ascii", newline="\n") as file:
        for start in range(0, len(board), _BLOCK_FRAMES):
            columns = emoface.board_to_columns(board[start : start + _BLOCK_FRAMES])
            rounded = columns.astype(np.float64).round(6) + 0.0  # No -0.000000.
            file.writelines(row_format % tuple(row) for row in rounded.tolist())


def recognises(head: bytes) -> bool:
    """Whether the first line is 174 comma-separated numbers."""
    cells = head.split(b"\n", 1)[0].split(b",")
    return len(cells) == len(emoface.COLUMNS) and not math.isnan(_number(cells[0]))


def read(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read a file made by EmoFace or talker; values outside a control's range are cut to it."""
    return FaceAnimation(metahuman.board_to_arkit(read_board(path)), emoface.FPS)


def read_board(path: Path) -> np.ndarray:
    """Board controls (T, 174) of such a file."""
    numbered = [(i, line) for i, line in enumerate(read_bytes(path).split(b"\n"), start=1) if line.strip()]
    if not 1 <= len(numbered) <= MAX_FRAMES:
        raise TalkerError(f"{path}: it has {len(numbered)} lines; an EmoFace file has 1 to {MAX_FRAMES}")
    blocks = []
    for start in range(0, len(numbered), _BLOCK_FRAMES):
        columns = _parse(path, numbered[start : start + _BLOCK_FRAMES])
        blocks.append(emoface.columns_to_board(columns))
    return np.concatenate(blocks)


def _parse(path: Path, numbered: list[tuple[int, bytes]]) -> np.ndarray:
    """(lines, 174) float64 of some numbered lines."""
    try:
        values = np.loadtxt([line for _, line in numbered], delimiter=",", comments=None, ndmin=2)
        sound = values.shape == (len(numbered), len(emoface.COLUMNS)) and bool((np.abs(values) < _LARGEST).all())
    except ValueError:
        sound = False
    if sound:
        return values
    for number, line in numbered:
        cells = line.strip().split(b",")
        if len(cells) != len(emoface.COLUMNS):
            remedy = "is it an EmoFace file?" if number == 1 else "the line is damaged: delete it"
            raise TalkerError(f"{path}: line {number} has {len(cells)} values, not {len(emoface.COLUMNS)}; {remedy}")
        for column, cell in enumerate(cells):
            if not abs(_number(cell)) < _LARGEST:
                raise TalkerError(
                    f"{path}: line {number}, column {column + 1} ({emoface.COLUMNS[column]}) is "
                    f"'{cell.decode('utf-8', 'replace').strip()[:40]}', not a usable number; delete the line"
                )
    raise TalkerError(f"{path}: its lines cannot be read as numbers; export it again")


def _number(cell: bytes) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
