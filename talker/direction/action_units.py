"""Action units of the Facial Action Coding System, set by hand: `AU12=0.6@1.0-2.0` smiles from one second to two."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from talker.direction.timeline import QUICKEST_RAMP, parse_time
from talker.errors import TalkerError
from talker.resources import rigs_dir
from talker.rigs import arkit

EXAMPLE = "AU12L=0.6@1.0-2.0~0.3"
DEFAULT_RAMP = 0.25

_TEXT = re.compile(r"(AU\d+)([LR]?)=([^@~]+)(?:@([^-~]+)(?:-([^~]*))?)?(?:~(.+))?", re.IGNORECASE)
_SIDES = {"L": ("Left",), "R": ("Right",), "": ("Left", "Right")}
_FACS_LETTERS = {"A": 0.15, "B": 0.3, "C": 0.5, "D": 0.8, "E": 1.0}


@dataclass(frozen=True)
class ActionUnit:
    """One unit held at a value from `start` to `end` seconds, whatever the face does otherwise.

    It comes and goes within `ramp` seconds outside of that time, so a frame depends on what is set up to `ramp` later.
    """

    name: str
    value: float
    side: str = ""
    start: float = 0.0
    end: float = float("inf")
    ramp: float = DEFAULT_RAMP

    def weight(self, times: np.ndarray) -> np.ndarray:
        """(T,) how much of the face's own motion the unit replaces, 0..1."""
        ramp = max(self.ramp, QUICKEST_RAMP)
        inside = np.minimum(times - self.start, self.end - times)
        share = np.clip(1.0 + inside / ramp, 0.0, 1.0)
        return share * share * (3.0 - 2.0 * share)

    def channels(self) -> dict[int, float]:
        """Channel -> value."""
        return {channel: self.value * weight for channel, weight in _channels(self.name, self.side).items()}


def parse_action_units(text: str) -> tuple[ActionUnit, ...]:
    """Units separated by spaces: `AU4=0.5 AU12L=C@1-2.5~0.3`; without a time for the whole take, without an end on.

    Values lie in 0..1 or are FACS intensities A to E; L and R are the subject's own.
    """
    return tuple(_parse_unit(word) for word in text.replace(",", " ").split())


def override(curves: np.ndarray, fps: float, units: tuple[ActionUnit, ...]) -> np.ndarray:
    """(T, 61) with the units set, one after the other. Owns the channels of the units."""
    out = np.array(curves, np.float32)
    times = np.arange(len(curves)) / fps
    for unit in units:
        weight = unit.weight(times)
        for channel, value in unit.channels().items():
            out[:, channel] += (weight * (value - out[:, channel])).astype(np.float32)
    return out


def _parse_unit(word: str) -> ActionUnit:
    match = _TEXT.fullmatch(word)
    if match is None:
        raise TalkerError(f"'{word}' sets no action unit; write {EXAMPLE}: unit, side, value, seconds, ramp")
    name, side, value, start, end, ramp = match.groups()
    unit = ActionUnit(
        name.upper(),
        _value(value, word),
        side.upper(),
        parse_time(start, word) if start else 0.0,
        parse_time(end, word) if end else float("inf"),
        parse_time(ramp, word) if ramp else DEFAULT_RAMP,
    )
    if unit.end <= unit.start:
        raise TalkerError(f"'{word}' ends before it begins; write {EXAMPLE}")
    unit.channels()  # An unknown unit or side is an error here and not later.
    return unit


def _value(text: str, word: str) -> float:
    letter = _FACS_LETTERS.get(text.upper())
    try:
        value = float(text) if letter is None else letter
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise TalkerError(f"'{text}' in '{word}' is no strength; it lies in 0..1, or is a FACS intensity A to E")
    return value


def _channels(name: str, side: str) -> dict[int, float]:
    """Channel -> weight of a unit at full value."""
    table = _table()
    if name not in table:
        near = [known for known in table if known.startswith(name) or name.startswith(known)]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise TalkerError(f"the face has no action unit {name}{hint}; choices: {', '.join(table)}")
    channels = {}
    for stem, weight in table[name].items():
        if stem in arkit.INDEX:
            if side:
                raise TalkerError(f"{name} moves the middle of the face and has no side; write {name}=...")
            channels[arkit.INDEX[stem]] = weight
        else:
            channels |= {arkit.INDEX[f"{stem}{word}"]: weight for word in _SIDES[side]}
    if name == "AU30" and not side:
        raise TalkerError("the jaw goes to one side at a time; write AU30L=... or AU30R=...")
    return channels


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, float]]:
    units = json.loads((rigs_dir() / "emotions" / "action_units.json").read_text(encoding="utf-8"))
    return {name: unit["weights"] for name, unit in units.items()}
