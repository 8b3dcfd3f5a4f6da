"""Lists of files to animate: a CSV with a column `path`, and perhaps `output` and settings for each file."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from talker.errors import TalkerError
from talker.files import read_text

LIST_EXTENSION = ".csv"

_TAKE_COLUMNS = ("Timecode", "BlendshapeCount")  # Of Live Link Face: a take, and no list of anything.


@dataclass(frozen=True)
class ListRow:
    """One file: where it is, where its result goes below the output folder (as told or not), how to play it."""

    line: int
    path: Path
    output: Path
    output_told: bool
    settings: Mapping[str, str]


def read_list(path: Path) -> list[ListRow]:
    """The rows of a list; paths in it start from its own folder."""
    if not path.exists():
        raise TalkerError(f"no such file: {path}")
    reader = csv.DictReader(io.StringIO(read_text(path)), strict=True, skipinitialspace=True)
    rows = []
    try:
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        _check_columns(path, columns)
        for cells in reader:
            row = {name.strip().lower(): (cell or "").strip() for name, cell in cells.items() if isinstance(name, str)}
            if None in cells:
                raise TalkerError(f"{path}, line {reader.line_num}: more cells than columns; quote cells with commas")
            if not any(row.values()):
                continue
            rows.append(_row(path, reader.line_num, row))
    except csv.Error as error:
        raise TalkerError(f"{path}, line {reader.line_num}: not a CSV table ({error})") from error
    if not rows:
        raise TalkerError(f"{path} lists no files: every line after the first names one")
    return rows


def _check_columns(path: Path, columns: list[str]) -> None:
    from talker.direction.edit import require_setting

    if "path" not in columns:
        take = any(name.lower() in columns for name in _TAKE_COLUMNS)
        hint = "it is a take, which `talker convert` reads" if take else "name the columns in its first line"
        raise TalkerError(f"{path} is no list of sound files: it has no column 'path'; {hint}")
    for name in columns:
        if name not in ("path", "output"):
            try:
                require_setting(name)
            except TalkerError as error:
                raise TalkerError(f"{path}: a column of a list is path, output or a setting; {error}") from error


def _row(path: Path, line: int, row: Mapping[str, str]) -> ListRow:
    if not row["path"]:
        raise TalkerError(f"{path}, line {line}: the cell 'path' is empty")
    source = Path(row["path"])
    output = Path(row.get("output") or source.with_suffix(""))
    if not _lies_below(output):
        if row.get("output"):
            raise TalkerError(f"{path}, line {line}: the output {output} does not lie below the output folder")
        output = Path(output.name)
    settings = {name: value for name, value in row.items() if name not in ("path", "output") and value}
    return ListRow(line, path.parent / source, output, bool(row.get("output")), settings)


def _lies_below(path: Path) -> bool:
    return not path.is_absolute() and ".." not in path.parts
