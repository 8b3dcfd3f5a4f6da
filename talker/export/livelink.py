"""Live Link Face CSV: what Apple's and Epic's face capture writes and what Epic's importer reads.

One header, then one row per frame: `Timecode`, `BlendShapeCount`, 52 weights in [0, 1], nine angles. The timecode is
`HH:MM:SS:FF.mmm`, where FF counts sixtieths of a second at every frame rate and .mmm is a fraction of one sixtieth.

The reader also takes what real takes and other programs hold: rows without a face (count 0, two cells), dropped
frames, a midnight in between, weights a little over 1, more columns, columns in another order, no angle columns,
timecodes that count frames instead of sixtieths, and NeuroSync's, which count milliseconds; its emotion columns become
`meta["emotion"]`.
"""

import io
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.csv_table import header_cells, row_fault
from talker.export.csv_table import number as number_in
from talker.export.registry import ExportOptions
from talker.export.timing import steady
from talker.files import read_bytes
from talker.rigs import arkit

# Live Link Face lists the right before the left for the two sideways shapes, unlike its own engine enum.
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
COLUMNS: tuple[str, ...] = tuple(_SWAPPED.get(name, name) for name in arkit.CHANNELS)
"""Channels in the order of the file's columns; a header cell is the name with its first letter in upper case."""

_LEADING = ("Timecode", "BlendShapeCount")
_EMOTIONS = {  # NeuroSync's extra columns -> talker's labels.
    **{"angry": "angry", "disgusted": "disgusted", "fearful": "fear", "happy": "happy"},
    **{"neutral": "neutral", "sad": "sad", "surprised": "surprised"},
}
_BLOCK_ROWS = 8192
_TICKS = 60_000  # Timecodes resolve a thousandth of a sixtieth of a second.
_FRAME_COUNTS = (24, 25, 30, 48, 50)  # Frames per second of timecodes that count frames; at 60 both are the same.
_DAY = 24 * 3600.0
_LOWEST, _HIGHEST = -0.1, 2.0  # Real takes reach 1.08; whatever lies outside these is no blend-shape weight.


def write(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write rows from 00:00:00:00.000 on, exactly as Epic's importer wants them."""
    columns = [arkit.INDEX[name] for name in COLUMNS]
    values = animation.curves[:, columns].astype(np.float64)
    if options.angle_unit == "degrees":
        values[:, arkit.SHAPE_COUNT :] = np.degrees(values[:, arkit.SHAPE_COUNT :])
    row_format = "%s,61," + ",".join(["%.10f"] * len(COLUMNS)) + "\n"
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join((*_LEADING, *map(_cell, COLUMNS))) + "\n")
        for frame, row in enumerate(values):
            file.write(row_format % (timecode(frame, animation.fps), *row))


def timecode(frame: int, fps: float) -> str:
    """`HH:MM:SS:FF.mmm` of a frame, FF in sixtieths of a second."""
    sixtieths, thousandths = divmod(round(frame * _TICKS / fps), 1000)  # Rounded once, so .9995 carries into FF.
    seconds, sixtieths = divmod(sixtieths, 60)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}:{seconds:02d}:{sixtieths:02d}.{thousandths:03d}"


def recognises(head: bytes) -> bool:
    """Whether the first cell says `Timecode`; the rest of the header is `read`'s to judge."""
    return head.removeprefix(b"\xef\xbb\xbf")[:9].lower() == b"timecode,"


def read(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read a take, its first row at time 0 (and its timecode in `meta`); what is missing is filled in between."""
    return read_take(path, options)[0]


def read_take(path: Path, options: ExportOptions) -> tuple[FaceAnimation, np.ndarray]:
    """The take and a (T,) bool array that is True where a face was measured, False where a frame was filled in."""
    table = _read_table(path)
    curves = _channels(path, table, options)
    seconds, resolution = _seconds(path, table)
    take = steady(path, seconds, curves, table.lines, resolution, known=~table.lost)
    hours, minutes, whole, sixtieths = table.clock[0]
    start = f"{hours:02.0f}:{minutes:02.0f}:{whole:02.0f}:{sixtieths:06.3f}"
    meta: dict[str, object] = {"timecode": start}
    if table.lost.any():
        meta["face_lost_frames"] = int(table.lost.sum())
    if take.dropped:
        meta["dropped_frames"] = take.dropped
    if emotion := _emotion(table, seconds):
        meta["emotion"] = emotion
    return FaceAnimation(take.values, take.fps, meta=meta), take.measured


@dataclass(frozen=True)
class _Table:
    """The file as numbers.

    `values` (rows, columns) float32 is NaN where the face was lost; `clock` (rows, 4) is hours, minutes, seconds,
    sixtieths; `lines` (rows,) are line numbers from 1.
    """

    columns: list[str]
    values: np.ndarray
    clock: np.ndarray
    lines: np.ndarray
    lost: np.ndarray


def _read_table(path: Path) -> _Table:
    stream = io.BytesIO(read_bytes(path))
    columns = _read_header(path, stream.readline())
    blocks = []
    numbered = ((number, line) for number, line in enumerate(stream, start=2) if line.strip())
    while block := list(itertools.islice(numbered, _BLOCK_ROWS)):
        blocks.append(_parse_block(path, block, columns))
    if not blocks:
        raise TalkerError(f"{path}: there is a header but no row below it; record the take again")
    clock, values, lines = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    lost = np.isnan(values[:, 0])
    if lost.all():
        raise TalkerError(f"{path}: no row holds a face (BlendShapeCount is 0 in all {len(lost)} rows)")
    return _Table(columns, values, clock, lines, lost)


def _read_header(path: Path, line: bytes) -> list[str]:
    """Names of the value columns as talker spells them (`jawOpen`), unknown ones in lower case."""
    cells = header_cells(path, line)
    for place, (cell, expected) in enumerate(zip(cells, _LEADING, strict=False), start=1):
        if cell.lower() != expected.lower():
            raise TalkerError(f"{path}: column {place} is '{cell[:40]}' where Live Link Face has {expected}")
    spelling = {name.lower(): name for name in arkit.CHANNELS}
    columns = [spelling.get(cell.lower(), cell.lower()) for cell in cells[len(_LEADING) :]]
    missing = [name for name in arkit.SHAPES if name not in columns]
    if missing:
        raise TalkerError(
            f"{path}: the column {_cell(missing[0])} is missing ({len(missing)} of {arkit.SHAPE_COUNT} shapes); "
            "a Live Link Face file is comma-separated and names all of them"
        )
    twice = next((name for name in arkit.CHANNELS if columns.count(name) > 1), None)
    if twice:
        raise TalkerError(f"{path}: there are {columns.count(twice)} columns named {_cell(twice)}; keep one")
    return columns


def _parse_block(
    path: Path, block: list[tuple[int, bytes]], columns: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clock (rows, 4), values (rows, columns) and line numbers of some rows."""
    width = 4 + 1 + len(columns)  # The timecode's four parts, the count, the values.
    table = np.full((len(block), width), np.nan)
    rows = [line.strip().replace(b":", b",") for _, line in block]
    lost = np.array([row.count(b",") == 4 for row in rows])
    try:
        for chosen, columns_read in ((lost, 5), (~lost, width)):
            if chosen.any():
                picked = [row for row, wanted in zip(rows, chosen, strict=True) if wanted]
                table[chosen, :columns_read] = np.loadtxt(picked, delimiter=",", comments=None, ndmin=2)
    except ValueError as error:
        raise _first_fault(path, block, columns, error) from error
    table[table[:, 4] == 0, 5:] = np.nan
    lost |= table[:, 4] == 0
    if not np.isfinite(table[~lost]).all() or (table[lost, 4] != 0).any() or not np.isfinite(table[:, :5]).all():
        raise _first_fault(path, block, columns, None)
    with np.errstate(over="ignore"):  # What float32 cannot hold becomes infinite, which the range check refuses.
        values = table[:, 5:].astype(np.float32)
    return table[:, :4], values, np.array([number for number, _ in block])


def _first_fault(
    path: Path, block: list[tuple[int, bytes]], columns: list[str], cause: ValueError | None
) -> TalkerError:
    """Say which cell of which line cannot be used; only called when some cell cannot."""
    names = [*_LEADING, *map(_cell, columns)]
    for number, line in block:
        cells = line.strip().decode("utf-8", "replace").split(",")
        clock = cells[0].split(":")
        if len(clock) != 4 or not all(math.isfinite(number_in(part)) for part in clock):
            return TalkerError(f"{path}: line {number}: the timecode '{cells[0][:40]}' is not HH:MM:SS:FF.mmm")
        face_lost = len(cells) == 2 and number_in(cells[1]) == 0
        if not face_lost and (fault := row_fault(names, ["0", *cells[1:]])):
            return TalkerError(f"{path}: line {number}{fault}")
    return TalkerError(f"{path}: lines {block[0][0]}..{block[-1][0]} cannot be read as numbers ({cause})")


def _channels(path: Path, table: _Table, options: ExportOptions) -> np.ndarray:
    """(rows, 61) in talker's order and units, weights clipped to 0..1; NaN rows where the face was lost."""
    curves = np.zeros((len(table.values), arkit.CHANNEL_COUNT), np.float32)
    present = [name for name in arkit.CHANNELS if name in table.columns]
    curves[:, [arkit.INDEX[name] for name in present]] = table.values[:, [table.columns.index(n) for n in present]]
    shapes, angles = curves[:, : arkit.SHAPE_COUNT], curves[:, arkit.SHAPE_COUNT :]
    if options.angle_unit == "degrees":
        np.radians(angles, out=angles)
    for part, low, high, first, hint in (
        (shapes, _LOWEST, _HIGHEST, 0, "weights lie in 0..1; divide percentages by 100"),
        (angles, -np.pi, np.pi, arkit.SHAPE_COUNT, "angles are in radians; for degrees add --input-angle-unit degrees"),
    ):
        bad = np.argwhere((part < low) | (part > high))
        if len(bad):
            row, column = bad[0]
            name = _cell(arkit.CHANNELS[first + column])
            raise TalkerError(f"{path}: line {table.lines[row]}: {name} is {part[row, column]:g}; {hint}")
    np.clip(shapes, 0.0, 1.0, out=shapes)
    if not any(name.startswith(("leftEye", "rightEye")) for name in present):
        curves = arkit.eye_angles_from_looks(curves)
    return curves


def _seconds(path: Path, table: _Table) -> tuple[np.ndarray, float]:
    """(rows,) float64 seconds from the first row on, and the resolution of the clock they were read from."""
    hours, minutes, whole, sixtieths = table.clock.T
    limits = ((hours, 24), (minutes, 60), (whole, 60), (sixtieths, 60))
    bad = np.any([(part < 0) | (part >= limit) for part, limit in limits], axis=0)
    bad |= (table.clock[:, :3] % 1 != 0).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        text = ":".join(f"{part:g}" for part in table.clock[row])
        raise TalkerError(f"{path}: line {table.lines[row]}: {text} is no time of day as HH:MM:SS:FF.mmm, FF below 60")
    milliseconds = sixtieths % 1 * 1000
    frame = np.floor(sixtieths)
    # NeuroSync repeats the place within the second in milliseconds: 00:00:01:30.500 means 1.5 s.
    neurosync = frame.max() >= 2 and (np.abs(frame - milliseconds * 0.06) <= 1).all()
    fraction = milliseconds / 1000 if neurosync else sixtieths / _ticks_per_second(sixtieths)
    seconds = hours * 3600 + minutes * 60 + whole + fraction
    steps = np.diff(seconds)
    steps[steps < -_DAY / 2] += _DAY  # Midnight.
    return np.concatenate([[0.0], np.cumsum(steps)]), 0.001 if neurosync else 1 / _TICKS


def _ticks_per_second(sixtieths: np.ndarray) -> float:
    """What FF counts: sixtieths, or, in files of some other programs, frames, which run 0, 1, 2 ... and wrap early.

    Rows may be missing anywhere, so what most steps and at least half of the wraps do decides.
    """
    steps = np.diff(sixtieths)
    wraps = np.flatnonzero(steps < 0)
    forward = np.delete(steps, wraps)
    count = float(sixtieths.max()) + 1
    if count not in _FRAME_COUNTS or not len(wraps) or not len(forward) or np.median(forward) != 1:
        return 60.0
    whole_wraps = (sixtieths[wraps] == count - 1) & (sixtieths[wraps + 1] == 0)
    return count if whole_wraps.mean() >= 0.5 else 60.0


def _emotion(table: _Table, seconds: np.ndarray) -> list[dict[str, object]]:
    """NeuroSync's emotion columns as keys, at most ten per second, one wherever the mixture changes."""
    labels = [name for name in table.columns if name in _EMOTIONS]
    if not labels:
        return []
    kept = np.flatnonzero(~table.lost)
    kept = kept[np.unique(np.floor(seconds[kept] * 10 + 1e-6), return_index=True)[1]]
    mixture = np.clip(table.values[kept][:, [table.columns.index(label) for label in labels]], 0, 1)
    changes = np.flatnonzero(np.r_[True, (np.diff(mixture, axis=0) != 0).any(axis=1)])
    return [
        {
            "time": float(seconds[kept[row]]),
            "weights": {_EMOTIONS[label]: round(float(w), 4) for label, w in zip(labels, mixture[row], strict=True)},
        }
        for row in changes
    ]


def _cell(name: str) -> str:
    return name[:1].upper() + name[1:]
