"""Curves in JSON files from strangers: every check that turns a damaged file into one clear line."""

import json
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from talker.animation import MAX_FPS, MAX_FRAMES, MIN_FPS
from talker.errors import TalkerError
from talker.files import read_text

LOWEST, HIGHEST = -0.1, 2.0  # Solvers overshoot a little; what lies outside these is no blend-shape weight.


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object that is the whole file."""
    text = read_text(path)

    def refuse(constant: str) -> NoReturn:
        raise TalkerError(f"{path}: it holds {constant}, which is no JSON number; export it again")

    try:
        data = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise TalkerError(f"{path}: line {error.lineno} is not JSON ({error.msg}); export it again") from error
    except (ValueError, RecursionError) as error:  # Integers of thousands of digits; brackets nested too deep.
        raise TalkerError(f"{path}: not readable as JSON ({str(error)[:60]}); export it again") from error
    if not isinstance(data, dict):
        raise TalkerError(f"{path}: the file holds a JSON {_kind(data)} where an object is expected")
    return data


def entry(path: Path, data: dict[str, Any], key: str) -> Any:
    """What stands under `key`, which must be there."""
    if key not in data:
        raise TalkerError(f"{path}: the entry '{key}' is missing; it has {', '.join(map(str, data))[:100] or 'none'}")
    return data[key]


def frame_rate(path: Path, data: dict[str, Any], key: str) -> float:
    """A frame rate."""
    value = entry(path, data, key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not MIN_FPS <= value <= MAX_FPS:
        raise TalkerError(f"{path}: '{key}' is {_short(value)} where frames per second in {MIN_FPS:g}..{MAX_FPS:g} go")
    return float(value)


def names(path: Path, data: dict[str, Any], key: str) -> list[str]:
    """A list of names, each once."""
    value = entry(path, data, key)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TalkerError(f"{path}: '{key}' is {_short(value)} where a list of names is expected")
    if len(set(value)) != len(value):
        twice = next(name for name in value if value.count(name) > 1)
        raise TalkerError(f"{path}: '{key}' names {twice[:40]} twice; keep one")
    return value


def matrix(path: Path, value: Any, label: str, columns: list[str]) -> np.ndarray:
    """(T, columns) float32 from one list of numbers per frame."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_FRAMES:
        raise TalkerError(f"{path}: '{label}' is {_short(value)} where one list of numbers per frame is expected")
    for frame, row in enumerate(value):
        if not isinstance(row, list) or len(row) != len(columns):
            found = f"{len(row)} numbers" if isinstance(row, list) else _short(row)
            raise TalkerError(f"{path}: frame {frame} of '{label}' is {found} where {len(columns)} are named")
    try:
        out = np.array(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        out = np.array([[_number(cell) for cell in row] for row in value])
    if len(bad := np.argwhere(~np.isfinite(out) | (np.abs(out) > np.finfo(np.float32).max))):
        frame, column = bad[0]
        found = _short(value[frame][column])
        raise TalkerError(f"{path}: {columns[column]} is {found} in frame {frame} of '{label}', not a finite number")
    return out.astype(np.float32)


def clipped_weights(path: Path, weights: np.ndarray, columns: list[str]) -> np.ndarray:
    """Weights (T, columns) cut to 0..1; far outside is an error, for then they are something else."""
    if len(bad := np.argwhere((weights < LOWEST) | (weights > HIGHEST))):
        frame, column = bad[0]
        raise TalkerError(
            f"{path}: {columns[column]} is {weights[frame, column]:g} in frame {frame}; "
            "weights lie in 0..1; divide percentages by 100"
        )
    return np.clip(weights, 0.0, 1.0)


def _number(cell: Any) -> float:
    try:
        return float(cell) if isinstance(cell, (int, float)) else np.nan
    except OverflowError:
        return np.inf


def _kind(value: Any) -> str:
    return {list: "list", str: "text", bool: "truth value", type(None): "null"}.get(type(value), "number")


def _short(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return f"a JSON {'list' if isinstance(value, list) else 'object'} of {len(value)}"
    return f"{value!r}"[:40] if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
