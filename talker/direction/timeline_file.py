"""Emotion timelines in JSON and CSV files.

JSON holds a list of keys, `[{"time": 1.2, "emotion": "happy:0.4", "ramp": 0.5, "easing": "smooth"}, ...]`; CSV has one
row per key under the same names. In both, the eight labels (strengths) or `valence`, `arousal` and perhaps `dominance`
may stand in place of `emotion`, and JSON also knows the `weights` of `FaceAnimation.meta["emotion"]`.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from talker.direction.mixture import Mixture, mixture_of, mixture_of_affect, parse_mixture
from talker.direction.timeline import EmotionKey, EmotionTimeline, parse_time
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.files import read_text

_AFFECT = ("valence", "arousal", "dominance")
_COLUMNS = ("time", "emotion", "ramp", "easing", "weights", *_AFFECT, *EMOTIONS)


def read_timeline(path: Path | str) -> EmotionTimeline:
    """The timeline in a `.json` or `.csv` file."""
    path = Path(path)
    if not path.exists():
        raise TalkerError(f"no such file: {path}")
    rows = _json_rows(path) if path.suffix.lower() == ".json" else _csv_rows(path)
    keys = []
    for number, row in rows:
        try:
            keys.append(_key_of(row))
        except TalkerError as error:
            raise TalkerError(f"{path}, {number}: {error}") from error
    try:
        return EmotionTimeline(tuple(keys))
    except TalkerError as error:
        raise TalkerError(f"{path}: {error}") from error


def _json_rows(path: Path) -> Sequence[tuple[str, Mapping[str, Any]]]:
    try:
        data = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise TalkerError(f"{path}: not a JSON file ({error})") from error
    if isinstance(data, dict):
        data = data.get("emotion", data.get("keys"))
    if not (isinstance(data, list) and all(isinstance(row, dict) for row in data)):
        raise TalkerError(f'{path}: a timeline is a list of keys such as {{"time": 1.2, "emotion": "happy:0.4"}}')
    return [(f"key {number}", row) for number, row in enumerate(data, 1)]


def _csv_rows(path: Path) -> Sequence[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(read_text(path)), strict=True, skipinitialspace=True)
    try:
        rows = [(f"line {reader.line_num}", {k: v for k, v in row.items() if v not in (None, "")}) for row in reader]
    except csv.Error as error:
        raise TalkerError(f"{path}, line {reader.line_num}: not a CSV table ({error})") from error
    if "time" not in (reader.fieldnames or ()):
        raise TalkerError(f"{path}: the first line of a timeline names its columns: time, emotion, ramp, easing")
    return rows


def _key_of(row: Mapping[str, Any]) -> EmotionKey:
    unknown = [name for name in row if name not in _COLUMNS]
    if unknown:
        raise TalkerError(f"'{unknown[0]}' is nothing an emotion key has; it has {', '.join(_COLUMNS)}")
    if "time" not in row:
        raise TalkerError("the key has no time")
    ramp = row.get("ramp")
    return EmotionKey(
        parse_time(str(row["time"]), f"time {row['time']}"),
        _mixture_of_row(row),
        None if ramp is None else parse_time(str(ramp), f"ramp {ramp}"),
        str(row.get("easing", "smooth")).strip().lower(),
    )


def _mixture_of_row(row: Mapping[str, Any]) -> Mixture:
    if "emotion" in row:
        return parse_mixture(str(row["emotion"]))
    if "weights" in row:
        if not isinstance(row["weights"], Mapping):
            raise TalkerError('weights are written {"happy": 0.4}')
        return mixture_of(row["weights"])
    if "valence" in row or "arousal" in row:
        return mixture_of_affect(*(_number(row, name) for name in _AFFECT))
    labels = {label: _number(row, label) for label in EMOTIONS if label in row}
    if not labels:
        raise TalkerError("the key has no emotion")
    return mixture_of(labels)


def _number(row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row.get(name, 0.0))
    except (TypeError, ValueError) as error:
        raise TalkerError(f"{name} is {row[name]!r}, which is no number") from error
