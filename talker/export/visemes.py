"""OVR visemes and VRM expressions: one weight per name and frame, as JSON or as a table.

JSON: `{"visemes": [names], "fps": 60, "weights": [[one number per name] per frame]}`; VRM says `expressions` instead of
`visemes`. CSV: `time` in seconds, then one column per viseme. When read back, names are matched, an unknown one is an
error, a missing one is 0, and the face is the mixture of their poses.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export import json_curves
from talker.export.csv_table import read_table
from talker.export.registry import ExportOptions
from talker.export.timing import steady
from talker.rigs import visemes, vrm

_DECIMALS = 5
_TIME_RESOLUTION = 2e-6  # Seconds: times are written with six decimals.


def write_csv(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write a table of the 15 visemes."""
    row_format = ",".join(["%.6f"] + [f"%.{_DECIMALS}f"] * len(visemes.VISEMES)) + "\n"
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(["time", *visemes.VISEMES]) + "\n")
        for seconds, row in zip(animation.times, visemes.from_curves(animation.curves).astype(float), strict=True):
            file.write(row_format % (seconds, *row))


def recognises_csv(head: bytes) -> bool:
    """Whether the header has a time and a silence."""
    cells = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].strip().split(b",")
    return cells[0].strip().lower() == b"time" and any(name.encode() in cells[1:] for name in visemes.VISEMES)


def read_csv(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read a table of visemes."""
    table = read_table(path)
    if table.columns[0].lower() != "time":
        raise TalkerError(f"{path}: column 1 is '{table.columns[0][:40]}' where a viseme table has time")
    weights = _ordered(path, table.columns[1:], table.values[:, 1:], visemes.VISEMES)
    take = steady(path, table.values[:, 0], weights, table.lines, _TIME_RESOLUTION)
    return FaceAnimation(visemes.to_curves(take.values), take.fps)


def write_json(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the 15 visemes."""
    _write_json(path, "visemes", visemes.VISEMES, visemes.from_curves(animation.curves), animation.fps)


def recognises_json(head: bytes) -> bool:
    """Whether it begins with the names of visemes."""
    return b'"visemes"' in head


def read_json(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read the 15 visemes."""
    weights, fps = _read_json(path, "visemes", visemes.VISEMES)
    return FaceAnimation(visemes.to_curves(weights), fps)


def write_vrm(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the VRM expressions."""
    _write_json(path, "expressions", vrm.EXPRESSIONS, vrm.from_curves(animation.curves), animation.fps)


def recognises_vrm(head: bytes) -> bool:
    """Whether it begins with the names of expressions."""
    return b'"expressions"' in head


def read_vrm(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read VRM expressions."""
    weights, fps = _read_json(path, "expressions", vrm.EXPRESSIONS)
    return FaceAnimation(vrm.to_curves(weights), fps)


def _write_json(path: Path, key: str, names: Sequence[str], weights: np.ndarray, fps: float) -> None:
    data = {key: names, "fps": fps, "weights": weights.astype(np.float64).round(_DECIMALS).tolist()}
    path.write_text(json.dumps(data) + "\n", encoding="utf-8")


def _read_json(path: Path, key: str, names: Sequence[str]) -> tuple[np.ndarray, float]:
    data = json_curves.read_object(path)
    columns = json_curves.names(path, data, key)
    fps = json_curves.frame_rate(path, data, "fps")
    weights = json_curves.matrix(path, json_curves.entry(path, data, "weights"), "weights", columns)
    return _ordered(path, columns, weights, names), fps


def _ordered(path: Path, columns: list[str], weights: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(T, names) with each column in its place; missing ones are 0."""
    unknown = [column for column in columns if column not in names]
    if unknown:
        raise TalkerError(f"{path}: '{unknown[0][:40]}' is none of {', '.join(names)}")
    out = np.zeros((len(weights), len(names)), np.float32)
    out[:, [names.index(column) for column in columns]] = json_curves.clipped_weights(path, weights, columns)
    return out
