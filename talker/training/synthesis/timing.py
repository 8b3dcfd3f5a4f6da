"""From the durations of Kokoro's symbols to phones with times, pauses found by ear rather than by punctuation."""

from dataclasses import dataclass

import numpy as np

from talker.audio import NETWORK_RATE
from talker.phones import SILENCE, TimedPhone, from_ipa
from talker.training.synthesis.kokoro import FRAME, RATE

LEAD = 0.055
"""Seconds by which Kokoro's sound runs ahead of its durations."""

_FRAME_SECONDS = FRAME / RATE
_QUIET_DB = -50.0  # Against the loudest moment; the faintest final [v] measured was at -35.
_SHORTEST_SILENCE = 0.06
_CLOSURE = 0.06  # What a stop keeps of the silence before it.
_STEP = 80  # Samples between loudness values: 5 ms.
_STOPS = frozenset({"p", "b", "t", "d", "k", "ɡ", "tʃ", "dʒ", "ts"})
_FIRST_PART = 0.6  # Of a diphthong.


@dataclass
class _Part:
    """Symbols that sound together: phones, or none for a pause that may or may not be one."""

    phones: list[str]
    start: float
    end: float


def phone_times(symbols: str, frames: list[int], samples: np.ndarray) -> list[TimedPhone]:
    """The phones and silences of one utterance, from 0 to its end without a gap.

    Args:
        symbols: What Kokoro read.
        frames: 25 ms frames of the opening, of each symbol and of the end.
        samples: Its sound (N,) at 16 kHz.
    """
    length = len(samples) / NETWORK_RATE
    parts = _merge_spaces(_parts(symbols, frames))
    for part in parts:
        part.start, part.end = max(part.start - LEAD, 0.0), max(part.end - LEAD, 0.0)
    parts[-1].end = length
    quiet = _quiet_stretches(samples)
    spans = [span for part in _settle_pauses(parts, quiet) for span in _split(part)]
    return [(phone, round(start, 4), round(end, 4)) for phone, start, end in spans if end - start > 1e-4]


def _parts(symbols: str, frames: list[int]) -> list[_Part]:
    """One part per sound; stress marks belong to what follows, length marks to what precedes."""
    edges = np.concatenate([[0], np.cumsum(frames)]) * _FRAME_SECONDS
    parts = [_Part([], 0.0, float(edges[1]))]
    waiting: float | None = None  # Where a stress mark began.
    for number, symbol in enumerate(symbols, start=1):
        start, end = float(edges[number]), float(edges[number + 1])
        if symbol in "ˈˌ":
            waiting = start
            continue
        phones = [" "] if symbol == " " else from_ipa(symbol)
        is_mark = not phones and symbol in "ːʰʲ\u0303"
        if is_mark or (not phones and not parts[-1].phones):
            parts[-1].end = end
        else:
            parts.append(_Part(phones, start if waiting is None else waiting, end))
        waiting = None
    parts.append(_Part([], float(edges[-2]), float(edges[-1])))
    return parts


def _merge_spaces(parts: list[_Part]) -> list[_Part]:
    """A space is the closure of the stop after it, or shared by its two neighbours; beside a pause it is pause."""
    merged: list[_Part] = []
    for number, part in enumerate(parts):
        if part.phones != [" "]:
            merged.append(part)
            continue
        before, after = merged[-1], parts[number + 1]
        if not before.phones or not after.phones:
            pause = before if not before.phones else after
            pause.start, pause.end = min(pause.start, part.start), max(pause.end, part.end)
            continue
        border = part.start if after.phones[0] in _STOPS else (part.start + part.end) / 2
        before.end = after.start = border
    return _join_pauses(merged)


def _join_pauses(parts: list[_Part]) -> list[_Part]:
    joined: list[_Part] = []
    for part in parts:
        if joined and not part.phones and not joined[-1].phones:
            joined[-1].end = part.end
        else:
            joined.append(part)
    return joined


def _settle_pauses(parts: list[_Part], quiet: list[tuple[float, float]]) -> list[_Part]:
    """Give every pause the quiet stretch that it touches, and its neighbours the rest."""
    for number, part in enumerate(parts):
        if part.phones:
            continue
        before = parts[number - 1] if number > 0 else None
        after = parts[number + 1] if number + 1 < len(parts) else None
        low = 0.0 if before is None else min(before.start + 0.03, before.end)
        high = part.end if after is None else max(after.end - 0.03, after.start)
        stretch = _longest_touching(quiet, part.start, part.end, low, high)
        if stretch is None:
            middle = part.start if before is None else part.end if after is None else (part.start + part.end) / 2
            stretch = (middle, middle)
        start, end = stretch
        if after is not None and after.phones[0] in _STOPS:
            end = max(start, end - _CLOSURE)
        part.start, part.end = start, end
        if before is not None:
            before.end = start
        if after is not None:
            after.start = end
    return [part for part in parts if part.end > part.start]


def _longest_touching(
    quiet: list[tuple[float, float]], start: float, end: float, low: float, high: float
) -> tuple[float, float] | None:
    """The longest quiet stretch that overlaps start..end, cut to low..high."""
    cut = [(max(first, low), min(last, high)) for first, last in quiet if last > start and first < end]
    long = [stretch for stretch in cut if stretch[1] - stretch[0] >= _SHORTEST_SILENCE]
    return max(long, key=lambda stretch: stretch[1] - stretch[0], default=None)


def _quiet_stretches(samples: np.ndarray) -> list[tuple[float, float]]:
    """Start and end in seconds of everything far below the loudest moment."""
    steps = max(len(samples) // _STEP, 1)
    power = np.square(np.resize(samples, steps * _STEP), dtype=np.float64).reshape(steps, _STEP).mean(1)
    is_quiet = power <= power.max() * 10 ** (_QUIET_DB / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_quiet.astype(np.int8), [0]])))
    times = edges * _STEP / NETWORK_RATE
    return [(float(first), float(last)) for first, last in zip(times[::2], times[1::2], strict=True)]


def _split(part: _Part) -> list[TimedPhone]:
    """A diphthong's two phones share its time; its first one lasts longer."""
    if len(part.phones) < 2:
        return [(part.phones[0] if part.phones else SILENCE, part.start, part.end)]
    middle = part.start + _FIRST_PART * (part.end - part.start)
    return [(part.phones[0], part.start, middle), (part.phones[1], middle, part.end)]
