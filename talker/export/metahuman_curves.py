"""MetaHuman curves as files: an Unreal curve table (CSV) and talker's own JSON.

**metahuman-csv** is what Unreal imports as a Curve Table: a header `Name,<seconds>,<seconds>,...`, then one row per
curve: the 251 `CTRL_expressions_*` and `HeadYaw`, `HeadPitch`, `HeadRoll`.

**metahuman-json** has

    {"format": "talker metahuman 1", "fps": 60.0, "times": [seconds, ...],
     "head": {"HeadYaw": ..., "HeadPitch": ..., "HeadRoll": ...},
     "board": {"CTRL_L_brow_down.ty": ..., 174 of them},
     "curves": {"CTRL_expressions_browDownL": ..., 251 of them}}

where each `...` is a list with one number per time, or a single number for what never changes. Head angles are in
degrees in both, with Live Link Face's signs. Reading uses the curves, or the board where there are none.
"""

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from talker.animation import MAX_FRAMES, FaceAnimation
from talker.errors import TalkerError
from talker.export import json_curves
from talker.export.registry import ExportOptions
from talker.export.timing import frame_rate
from talker.files import read_bytes
from talker.rigs import arkit, metahuman

HEAD_CURVES = ("HeadYaw", "HeadPitch", "HeadRoll")
FORMAT = "talker metahuman 1"

_DIGITS = 5
_TIME_DIGITS = 9
_FIRST_CELLS = ("name", "---", "")  # The last two are how Unreal itself writes a curve table.
_UNEVEN = 0.1  # Frames: how far a step between two columns may be from the usual one.
_LARGEST = 1e9  # Whatever lies beyond is no weight, angle or time.
_BLOCK_FRAMES = 1 << 15
_CURVE_NAMES = tuple(curve.name for curve in metahuman.CURVES)
_CONTROL_NAMES = tuple(control.name for control in metahuman.BOARD_CONTROLS)

Track = list[float] | float
"""Values over time, or the one value of what never changes."""


def curve_tracks(animation: FaceAnimation) -> Iterator[tuple[str, Track]]:
    """The 251 raw curves."""
    return _tracks(_CURVE_NAMES, metahuman.arkit_to_curves(animation.curves))


def board_tracks(animation: FaceAnimation) -> Iterator[tuple[str, Track]]:
    """The 174 board controls."""
    return _tracks(_CONTROL_NAMES, metahuman.arkit_to_board(animation.curves))


def head_tracks(animation: FaceAnimation) -> Iterator[tuple[str, Track]]:
    """The three head angles in degrees."""
    return _tracks(HEAD_CURVES, np.degrees(animation.curves[:, arkit.HEAD]))


def _tracks(names: Sequence[str], values: np.ndarray) -> Iterator[tuple[str, Track]]:
    """Each named column of (frames, names), one at a time: an hour of all of them as Python numbers is a gigabyte."""
    for name, column in zip(names, values.T, strict=True):
        rounded = np.round(column.astype(np.float64), _DIGITS) + 0.0  # Adding 0 turns -0.0 into 0.0.
        yield name, float(rounded[0]) if (rounded == rounded[0]).all() else rounded.tolist()


def write_csv(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write an Unreal curve table."""
    _write_table(path, animation.times, itertools.chain(curve_tracks(animation), head_tracks(animation)))


def write_board_csv(board: np.ndarray, fps: float, path: Path) -> None:
    """Write the curves that board controls (T, 174) drive; the head looks straight ahead."""
    curves, head = metahuman.board_to_curves(board), np.zeros((len(board), len(HEAD_CURVES)))
    _write_table(
        path, np.arange(len(board)) / fps, itertools.chain(_tracks(_CURVE_NAMES, curves), _tracks(HEAD_CURVES, head))
    )


def _write_table(path: Path, times: np.ndarray, tracks: Iterable[tuple[str, Track]]) -> None:
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(f"Name,{_comma_separated(_rounded_times(times), len(times))}\n")
        for name, track in tracks:
            file.write(f"{name},{_comma_separated(track, len(times))}\n")


def write_json(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write board controls and curves, one per line."""
    groups = {"head": head_tracks(animation), "board": board_tracks(animation), "curves": curve_tracks(animation)}
    _write_document(path, animation.fps, animation.times, groups)


def write_board_json(board: np.ndarray, fps: float, path: Path) -> None:
    """Write board controls (T, 174) and the curves that they drive; the head looks straight ahead."""
    groups = {
        "head": _tracks(HEAD_CURVES, np.zeros((len(board), len(HEAD_CURVES)))),
        "board": _tracks(_CONTROL_NAMES, board),
        "curves": _tracks(_CURVE_NAMES, metahuman.board_to_curves(board)),
    }
    _write_document(path, fps, np.arange(len(board)) / fps, groups)


def _write_document(
    path: Path, fps: float, times: np.ndarray, groups: Mapping[str, Iterable[tuple[str, Track]]]
) -> None:
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(f'{{"format":"{FORMAT}","fps":{fps!r},\n"times":{_compact_json(_rounded_times(times))}')
        for group, listed in groups.items():
            file.write(f',\n"{group}":')
            for place, (name, track) in enumerate(listed):
                file.write(f'{"," if place else "{"}\n"{name}":{_compact_json(track)}')
            file.write("}")
        file.write("}\n")


def recognises_csv(head: bytes) -> bool:
    """Whether this begins like a curve table: a title cell, then a time in seconds."""
    cells = head[:200].decode("utf-8-sig", "replace").split("\n")[0].split(",")
    return cells[0].strip().strip('"').lower() in _FIRST_CELLS and len(cells) > 1 and _is_number(cells[1])


def recognises_json(head: bytes) -> bool:
    """Whether this names MetaHuman curves or controls."""
    return b'"talker metahuman' in head or b'"CTRL_' in head


def read_csv(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read a curve table; what it does not list is at rest, and curves of other rigs are passed over."""
    lines = read_bytes(path).split(b"\n")
    times = _parse_header(path, lines[0])
    spelling = {name.lower(): name for name in (*_CURVE_NAMES, *HEAD_CURVES)}
    needed = {*HEAD_CURVES, *(_CURVE_NAMES[i] for i in np.flatnonzero(metahuman.arkit_weights().any(axis=0)))}
    table: dict[str, np.ndarray] = {}
    found: set[str] = set()
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        title, values = _parse_row(path, number, line, len(times))
        name = spelling.get(title.lower())
        if name in found:
            raise TalkerError(f"{path}: line {number}: there is a second row named {name}; keep one")
        if name:
            found.add(name)
        if name in needed:
            table[name] = values.astype(np.float32)
    if found <= set(HEAD_CURVES):
        raise TalkerError(f"{path}: no row is named CTRL_expressions_*; this is another kind of curve table")
    return _animation(path, table, len(times), _even_rate(path, times))


def read_json(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read curves, or board controls where there are none; what is not listed is at rest."""
    document, seconds, fps = _read_document(path)
    for group, names in (("curves", _CURVE_NAMES), ("board", _CONTROL_NAMES)):
        table = _group(path, document, group, names, len(seconds))
        if table:
            return _animation(
                path, table | _group(path, document, "head", HEAD_CURVES, len(seconds)), len(seconds), fps
            )
    raise TalkerError(f"{path}: neither 'curves' nor 'board' names a MetaHuman curve or control; nothing to read")


def read_board(path: Path) -> tuple[np.ndarray, float]:
    """Board controls (T, 174) and their rate; a file that has curves only is refused."""
    document, seconds, fps = _read_document(path)
    table = _group(path, document, "board", _CONTROL_NAMES, len(seconds))
    if not table:
        raise TalkerError(f"{path}: 'board' names no MetaHuman control; export it with its board controls")
    board = np.tile(metahuman.BOARD_DEFAULT, (len(seconds), 1))
    for name, track in table.items():
        board[:, metahuman.CONTROL_INDEX[name]] = track
    return np.clip(board, metahuman.BOARD_LOW, metahuman.BOARD_HIGH), fps


def _read_document(path: Path) -> tuple[dict[str, Any], np.ndarray, float]:
    """The file, its times in seconds, its frame rate."""
    document = json_curves.read_object(path)
    fps = json_curves.frame_rate(path, document, "fps")
    times = json_curves.entry(path, document, "times")
    if not isinstance(times, list):
        raise TalkerError(f"{path}: 'times' must be a list of seconds, not {_short(times)}")
    seconds = _values(path, "times", times, len(times))
    _check_times(path, "'times'", seconds)
    return document, seconds, fps


def _group(path: Path, document: dict[str, Any], group: str, names: Sequence[str], count: int) -> dict[str, np.ndarray]:
    """Values (count,) of the names that are listed."""
    listed = document.get(group, {})
    if not isinstance(listed, dict):
        raise TalkerError(f"{path}: '{group}' must map names to values, not be {_short(listed)}")
    return {name: _values(path, f"{group}.{name}", listed[name], count) for name in names if name in listed}


def _animation(path: Path, table: Mapping[str, np.ndarray], count: int, fps: float) -> FaceAnimation:
    """The animation behind named curves or controls over time, clamped to their ranges as the rig clamps them."""
    channels = np.zeros((count, arkit.CHANNEL_COUNT), np.float32)
    for start in range(0, count, _BLOCK_FRAMES):
        block = slice(start, min(start + _BLOCK_FRAMES, count))
        channels[block] = metahuman.curves_to_arkit(_raw_curves(table, block))
    for place, name in enumerate(HEAD_CURVES):
        if name in table:
            if np.abs(table[name]).max() > 180:
                raise TalkerError(f"{path}: {name} reaches {np.abs(table[name]).max():g}; degrees lie in -180..180")
            channels[:, arkit.HEAD.start + place] = np.radians(table[name])
    try:
        return FaceAnimation(channels, fps)
    except TalkerError as error:
        raise TalkerError(f"{path}: {error}") from error


def _raw_curves(table: Mapping[str, np.ndarray], block: slice) -> np.ndarray:
    """(frames, 251) raw curves of some frames."""
    index, values = metahuman.CURVE_INDEX, metahuman.neutral_curves()
    is_board = any(name in metahuman.CONTROL_INDEX for name in table)
    if is_board:
        index, values = metahuman.CONTROL_INDEX, metahuman.BOARD_DEFAULT
    values = np.tile(values, (block.stop - block.start, 1))
    for name, track in table.items():
        if name in index:
            values[:, index[name]] = np.clip(track[block], -1.0, 1.0)
    if is_board:
        return metahuman.board_to_curves(np.clip(values, metahuman.BOARD_LOW, metahuman.BOARD_HIGH))
    return np.maximum(values, 0.0)


def _rounded_times(times: np.ndarray) -> list[float]:
    return np.round(times, _TIME_DIGITS).tolist()


def _comma_separated(track: Track, count: int) -> str:
    """`count` numbers with commas in between."""
    if isinstance(track, float):
        return ",".join([repr(track)] * count)
    return _compact_json(track)[1:-1]


def _compact_json(value: Track) -> str:
    return json.dumps(value, separators=(",", ":"))  # Also the fastest way to print many floats.


def _parse_header(path: Path, line: bytes) -> np.ndarray:
    """(frames,) seconds."""
    if not recognises_csv(line):
        raise TalkerError(f"{path}: line 1 must be 'Name,' and the times in seconds, as in a curve table of Unreal")
    return _parse_row(path, 1, line, None)[1]


def _parse_row(path: Path, number: int, line: bytes, count: int | None) -> tuple[str, np.ndarray]:
    """Title and values of a row that should have `count` of them."""
    try:
        cells = line.decode("utf-8-sig").replace('"', "").strip().split(",")
    except UnicodeDecodeError as error:
        raise TalkerError(f"{path}: line {number}: byte {error.start} is not UTF-8 text; save it as UTF-8") from error
    if count is not None and len(cells) != count + 1:
        remedy = "it is cut off: export the table again" if len(cells) <= count else "delete what is too many"
        raise TalkerError(f"{path}: line {number}: {len(cells) - 1} values for the {count} times of line 1; {remedy}")
    if len(cells) > MAX_FRAMES:
        raise TalkerError(f"{path}: line {number}: more than {MAX_FRAMES} values; cut the take")
    try:
        values = np.fromiter(map(float, cells[1:]), np.float64, len(cells) - 1)
    except ValueError:
        values = np.array([float(cell) if _is_number(cell) else math.nan for cell in cells[1:]])
    usable = np.abs(values) < _LARGEST
    if not usable.all():
        column = int(np.argmin(usable))
        raise TalkerError(
            f"{path}: line {number} ({cells[0][:60]}): column {column + 2} is '{cells[column + 1].strip()[:40]}', "
            "not a usable number; repair the cell or export the table again"
        )
    return cells[0].strip(), values


def _even_rate(path: Path, times: np.ndarray) -> float:
    """Frames per second of the columns of a table."""
    _check_times(path, "line 1", times)
    steps = np.diff(times)
    if len(steps) and np.abs(steps - np.median(steps)).max() > _UNEVEN * np.median(steps):
        column = int(np.argmax(np.abs(steps - np.median(steps)))) + 1
        raise TalkerError(
            f"{path}: line 1: column {column + 2} ({times[column]:g} s) is not one frame after the column before it; "
            "bake the curves at an even frame rate"
        )
    return frame_rate(times - times[0], 10.0**-_TIME_DIGITS)


def _check_times(path: Path, place: str, times: np.ndarray) -> None:
    if not 1 <= len(times) <= MAX_FRAMES:
        raise TalkerError(f"{path}: {place} must hold 1 to {MAX_FRAMES} times, not {len(times)}")
    if times[0] < 0:
        raise TalkerError(f"{path}: {place} begins at {times[0]:g} s; times start at 0 or later")
    steps = np.diff(times)
    if (steps <= 0).any():
        at = int(np.argmax(steps <= 0)) + 1
        raise TalkerError(f"{path}: {place}: time {at + 1} ({times[at]:g} s) does not come after {times[at - 1]:g} s")


def _values(path: Path, name: str, listed: Any, count: int) -> np.ndarray:
    """(count,) float64 of a list of numbers, or of one number that holds throughout."""
    if not isinstance(listed, list):
        return np.broadcast_to(_values(path, name, [listed], 1)[0], (count,))
    if len(listed) != count:
        raise TalkerError(f"{path}: '{name}' has {len(listed)} values for {count} times")
    for place, value in enumerate(listed, start=1):
        if type(value) not in (int, float) or not abs(value) < _LARGEST:
            raise TalkerError(f"{path}: '{name}': value {place} is {_short(value)}, not a usable number")
    return np.array(listed, np.float64)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text.replace('"', "")))
    except ValueError:
        return False


def _short(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return f"a {'map' if isinstance(value, dict) else 'list'} of {len(value)}"
    try:
        return json.dumps(value)[:40]
    except ValueError:  # Python refuses to print integers of thousands of digits.
        return "an enormous number"
