"""Comma-separated tables of numbers with a header: fast when all is well, exact about the place when it is not."""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.errors import TalkerError
from talker.files import read_bytes


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes:
        columns: Header cells as written, without surrounding blanks.
        values: (rows, columns) float64, all finite.
        lines: (rows,) line numbers in the file, from 1.
    """

    columns: list[str]
    values: np.ndarray
    lines: np.ndarray


def header_cells(path: Path, line: bytes) -> list[str]:
    """The cells of a header line."""
    try:
        return [cell.strip() for cell in line.decode("utf-8-sig").split(",")]
    except UnicodeDecodeError as error:
        raise TalkerError(f"{path}: line 1 is not UTF-8 text; save it as UTF-8 CSV") from error


def read_table(path: Path) -> Table:
    """Read a table whose cells below the header are all numbers."""
    stream = io.BytesIO(read_bytes(path))
    columns = header_cells(path, stream.readline())
    numbered = [(number, line) for number, line in enumerate(stream, start=2) if line.strip()]
    if not numbered:
        raise TalkerError(f"{path}: there is a header but no row below it")
    lines = [line for _, line in numbered]
    try:
        values = np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)
        sound = values.shape[1] == len(columns) and bool(np.isfinite(values).all())
    except ValueError:
        sound = False
    if not sound:
        for number, line in numbered:
            if fault := row_fault(columns, line.strip().decode("utf-8", "replace").split(",")):
                raise TalkerError(f"{path}: line {number}{fault}")
        raise TalkerError(f"{path}: its cells cannot be read as numbers; export it again")
    return Table(columns, values, np.array([number for number, _ in numbered]))


def row_fault(columns: list[str], cells: list[str]) -> str | None:
    """What is wrong with a row, as the end of a sentence that begins with its line number."""
    if len(cells) != len(columns):
        remedy = "the row is cut off: delete it" if len(cells) < len(columns) else "delete what is too many"
        return f" has {len(cells)} cells where the header has {len(columns)}; {remedy}"
    for name, cell in zip(columns, cells, strict=True):
        if not math.isfinite(number(cell)):
            what = f"'{cell.strip()[:40]}' is not a finite number" if cell.strip() else "is empty"
            return f": {name[:40]} {what}; repair the cell or delete the row"
    return None


def number(text: str) -> float:
    """The number a cell holds, NaN when it holds none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
