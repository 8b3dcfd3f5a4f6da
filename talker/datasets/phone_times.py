"""Phones of the real speech whose makers gave times: GRID's words and EmoDB's labels."""

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from talker.errors import TalkerError
from talker.files import read_text
from talker.phones import SILENCE, TimedPhone, from_german_sampa, from_ipa

GRID_LEXICON: Final[dict[str, str]] = {
    **{"bin": "bɪn", "lay": "leɪ", "place": "pleɪs", "set": "sɛt"},
    **{"blue": "blu", "green": "ɡɹin", "red": "ɹɛd", "white": "waɪt"},
    **{"at": "æt", "by": "baɪ", "in": "ɪn", "with": "wɪð"},
    **{
        "a": "eɪ",
        "b": "bi",
        "c": "si",
        "d": "di",
        "e": "i",
        "f": "ɛf",
        "g": "dʒi",
        "h": "eɪtʃ",
        "i": "aɪ",
        "j": "dʒeɪ",
    },
    **{"k": "keɪ", "l": "ɛl", "m": "ɛm", "n": "ɛn", "o": "əʊ", "p": "pi", "q": "kju", "r": "ɑ", "s": "ɛs", "t": "ti"},
    **{"u": "ju", "v": "vi", "x": "ɛks", "y": "waɪ", "z": "zɛd"},
    **{"zero": "zɪəɹəʊ", "one": "wʌn", "two": "tu", "three": "θɹi", "four": "fɔ", "five": "faɪv", "six": "sɪks"},
    **{"seven": "sɛvən", "eight": "eɪt", "nine": "naɪn"},
    **{"again": "əɡɛn", "now": "naʊ", "please": "pliz", "soon": "sun"},
}
"""Every word of GRID's grammar as its British speakers say it, in IPA."""

_GRID_RATE = 25_000  # Its word times count samples of the original recordings.
_GRID_SILENCES = ("sil", "sp")
_EMODB_LABEL = re.compile(r"\s*([\d.]+)\s+-?\d+\s?([^\t]*)")
_EMODB_STOP = re.compile(r"[!_]?([ptkbdg])(asp|sap)?$")  # Burst, closure, aspiration: all of one stop.
_EMODB_SILENCES = (".", "(", "(gef")


@dataclass(frozen=True)
class SpokenWord:
    """A word, when it is said (seconds), and its phones in order; the times between them are not known."""

    word: str
    start: float
    end: float
    phones: tuple[str, ...]


def grid_words(folder: Path) -> dict[str, list[SpokenWord]]:
    """Clip id -> its words and silences, from `words.json` of a GRID folder."""
    return {
        clip: [_grid_word(line, clip) for line in text.splitlines()] for clip, text in _texts(folder / "words.json")
    }


def emodb_phones(folder: Path) -> dict[str, list[TimedPhone]]:
    """Clip id -> its phones with times, from `phones.json` of an EmoDB folder; the last one is where silence begins."""
    return {clip: _emodb_phones(text) for clip, text in _texts(folder / "phones.json")}


def _grid_word(line: str, clip: str) -> SpokenWord:
    try:
        start, end, word = line.split()
        phones = [SILENCE] if word in _GRID_SILENCES else from_ipa(GRID_LEXICON[word])
        return SpokenWord(word, int(start) / _GRID_RATE, int(end) / _GRID_RATE, tuple(phones))
    except (ValueError, KeyError) as error:
        raise TalkerError(f"GRID clip {clip}: '{line}' is not 'START END WORD' with a word of its grammar") from error


def _emodb_phones(text: str) -> list[TimedPhone]:
    """Labels stand where a sound begins; those that only modify one (nasal, voiceless, released) are part of it."""
    starts: list[tuple[str, float]] = [(SILENCE, 0.0)]
    for line in text.partition("#")[2].splitlines():
        match = _EMODB_LABEL.match(line)
        label = match[2].strip() if match else ""
        if match is None or not label:
            continue
        stop = _EMODB_STOP.match(label)
        phones = [SILENCE] if label in _EMODB_SILENCES else from_german_sampa(stop[1] if stop else label)
        goes_on = stop is not None and label != stop[1] and starts[-1][0] == (phones or [""])[0]
        if phones and not goes_on:
            starts.append((" ".join(phones), float(match[1])))
    ends = [start for _, start in starts[1:]] + [starts[-1][1]]
    return [
        span for (label, start), end in zip(starts, ends, strict=True) for span in _shared(label.split(), start, end)
    ]


def _shared(phones: list[str], start: float, end: float) -> list[TimedPhone]:
    """The phones of one label in equal parts of its time."""
    step = (end - start) / len(phones)
    borders = [*(start + number * step for number in range(len(phones))), end]
    return [(phone, *around) for phone, around in zip(phones, pairwise(borders), strict=True)]


def _texts(path: Path) -> list[tuple[str, str]]:
    try:
        return [(str(clip), str(text)) for clip, text in json.loads(read_text(path)).items()]
    except (ValueError, AttributeError) as error:
        raise TalkerError(f"{path}: expected one JSON object of texts by clip id ({error})") from error
