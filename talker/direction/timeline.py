"""Emotion over time: keys that a director writes, and the strengths of every frame that follow from them."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from talker.direction.mixture import NEUTRAL, Mixture, mixture_of, mixture_text, parse_mixture
from talker.emotion import EMOTIONS
from talker.errors import TalkerError, no_such

DEFAULT_RAMP = 0.3
"""Seconds in which a face changes its emotion, unless told otherwise."""

QUICKEST_RAMP = 0.15
"""Seconds: no face changes faster, whatever is written."""

EASINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "smooth": lambda x: x * x * (3 - 2 * x),
    "linear": lambda x: x,
    "in": lambda x: x * x,
    "out": lambda x: x * (2 - x),
}

EXAMPLE = "neutral@0 happy:0.4@1.2 angry@3.5~0.8"
MAX_KEYS = 100_000


@dataclass(frozen=True)
class EmotionKey:
    """From `time` (seconds) on the face turns to `mixture`, in `ramp` seconds, and stays there until the next key.

    A ramp of None is `DEFAULT_RAMP`, or what there is until the next key.
    """

    time: float
    mixture: Mixture
    ramp: float | None = None
    easing: str = "smooth"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.time) and self.time >= 0):
            raise TalkerError(f"an emotion cannot begin at {self.time:g} s; times start at 0")
        if self.ramp is not None and not (math.isfinite(self.ramp) and self.ramp >= 0):
            raise TalkerError(f"an emotion cannot take {self.ramp:g} s to come; ramps are seconds, 0 or more")
        if self.easing not in EASINGS:
            raise no_such("easing", self.easing, EASINGS)

    @property
    def text(self) -> str:
        """What `parse_key` reads back."""
        ramp = "" if self.ramp is None else f"~{_number(self.ramp)}"
        easing = "" if self.easing == "smooth" else f"/{self.easing}"
        return f"{mixture_text(self.mixture)}@{_number(self.time)}{ramp}{easing}"


@dataclass(frozen=True)
class EmotionTimeline:
    """Keys in time order; before the first one the face is neutral.

    >>> EmotionTimeline.parse("neutral@0 angry@2").sample(fps=1, frames=4)[:, 6]
    array([0., 0., 0., 1.], dtype=float32)
    """

    keys: tuple[EmotionKey, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= MAX_KEYS:
            raise TalkerError(f"an emotion timeline has 1 to {MAX_KEYS} keys, not {len(self.keys)}; e.g. {EXAMPLE}")
        for key, following in zip(self.keys, self.keys[1:], strict=False):
            if following.time <= key.time:
                raise TalkerError(
                    f"the emotion at {following.time:g} s stands after the one at {key.time:g} s; "
                    "write them in order of time, each time once"
                )

    @classmethod
    def parse(cls, text: str) -> "EmotionTimeline":
        """From a label, a mixture, or keys with times such as `neutral@0 happy:0.4@1.2 angry@3.5~0.8/in`."""
        words = _words(text)
        if not words:
            raise TalkerError(f"the emotion is empty; write a label ({', '.join(EMOTIONS)}) or keys: {EXAMPLE}")
        if len(words) == 1 and "@" not in words[0]:
            return cls((EmotionKey(0.0, parse_mixture(words[0])),))
        return cls(tuple(parse_key(word) for word in words))

    @classmethod
    def of(cls, emotion: "EmotionLike") -> "EmotionTimeline":
        """From whatever says an emotion: a text, the name of a JSON or CSV file, strengths by label, or a timeline."""
        if isinstance(emotion, EmotionTimeline):
            return emotion
        if isinstance(emotion, Mapping):
            return cls((EmotionKey(0.0, mixture_of(emotion)),))
        if not isinstance(emotion, str):
            raise TalkerError(f"an emotion is a text, a mapping of strengths or a timeline, not {emotion!r:.60}")
        if emotion.strip().lower().endswith((".json", ".csv")):
            from talker.direction.timeline_file import read_timeline

            return read_timeline(emotion.strip())
        return cls.parse(emotion)

    @property
    def text(self) -> str:
        """The timeline as one line that `parse` reads back exactly."""
        constant = mixture_text(self.keys[0].mixture)
        if self.keys == EmotionTimeline.parse(constant).keys:
            return constant
        return " ".join(key.text for key in self.keys)

    def sample(self, fps: float, frames: int) -> np.ndarray:
        """(frames, 8) float32 strengths, every row at least 0 and summing to 1; frame i lies at i / fps seconds."""
        times = np.arange(frames) / fps
        strengths = np.empty((frames, len(EMOTIONS)))
        value = np.array(NEUTRAL)
        first = np.searchsorted(times, self.keys[0].time)
        strengths[:first] = value
        for key, end in zip(self.keys, [*(key.time for key in self.keys[1:]), math.inf], strict=True):
            last = np.searchsorted(times, end)
            course = _course(key, value, end)
            strengths[first:last] = course(times[first:last, None])
            value = course(np.array(min(end, 1e9)))
            first = last
        return strengths.astype(np.float32)


EmotionLike = str | Mapping[str, float] | EmotionTimeline


def parse_key(word: str) -> EmotionKey:
    """One key: `mixture@time`, then perhaps `~seconds` of ramp and `/easing`."""
    mixture, at, rest = word.partition("@")
    if not at:
        raise TalkerError(f"'{word}' has no time; write every key as emotion@seconds: {EXAMPLE}")
    rest, slash, easing = rest.partition("/")
    time, tilde, ramp = rest.partition("~")
    return EmotionKey(
        parse_time(time, word),
        parse_mixture(mixture),
        parse_time(ramp, word) if tilde else None,
        easing.strip().lower() if slash else "smooth",
    )


def parse_time(text: str, context: str) -> float:
    """Seconds as people write them: `1.2`, `1.2s` or `1:02.5`."""
    minutes, colon, seconds = text.strip().removesuffix("s").rpartition(":")
    try:
        time = float(seconds) + (60.0 * int(minutes) if colon else 0.0)
    except ValueError:
        time = math.nan
    if not (math.isfinite(time) and time >= 0):
        raise TalkerError(f"'{text}' in '{context}' is no time; write seconds, 1.2, or minutes and seconds, 1:02.5")
    return time


def emotion_track(strengths: np.ndarray, fps: float, tolerance: float = 0.02) -> list[dict[str, Any]]:
    """The `emotion` track of `FaceAnimation.meta`: as few keys, linear in between, as follow `strengths` closely."""
    rows = np.asarray(strengths, np.float64)
    return [
        {
            "time": round(int(row) / fps, 6),
            "weights": {
                label: round(float(share), 4) for label, share in zip(EMOTIONS, rows[row], strict=True) if share > 1e-4
            },
        }
        for row in _corners(rows, tolerance)
    ]


def _words(text: str) -> list[str]:
    """The keys of a text: separated by spaces, commas or semicolons, except inside brackets."""
    words, depth = [""], 0
    for letter in re.sub(r"\s*([+:@~/])\s*", r"\1", text):
        depth += (letter == "(") - (letter == ")")
        if depth <= 0 and (letter.isspace() or letter in ",;"):
            words.append("")
        else:
            words[-1] += letter
    return [word for word in words if word]


def _course(key: EmotionKey, start: np.ndarray, end: float) -> Callable[[np.ndarray], np.ndarray]:
    """The mixture at times (..., 1) from a key on, when it was `start` at the key and the next key is at `end`."""
    target = np.array(key.mixture)
    if key.time == 0 and key.ramp is None:
        start = target  # A take that begins in an emotion does not ease into it.
    ramp = max(QUICKEST_RAMP, min(DEFAULT_RAMP, end - key.time) if key.ramp is None else key.ramp)
    ease = EASINGS[key.easing]
    return lambda times: start + (target - start) * ease(np.clip((times - key.time) / ramp, 0.0, 1.0))


def _corners(rows: np.ndarray, tolerance: float) -> list[int]:
    """Row numbers between which straight lines stay within `tolerance` of all rows (Ramer, Douglas and Peucker)."""
    corners, open_spans = {0, len(rows) - 1}, [(0, len(rows) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        if last - first < 2:
            continue
        share = (np.arange(first, last + 1) - first)[:, None] / (last - first)
        error = np.abs(rows[first : last + 1] - rows[first] * (1 - share) - rows[last] * share).max(axis=1)
        worst = int(np.argmax(error))
        if error[worst] > tolerance:
            corners.add(first + worst)
            open_spans += [(first, first + worst), (first + worst, last)]
    return sorted(corners)


def _number(value: float) -> str:
    """The shortest text that reads back exactly."""
    return str(int(value)) if value == int(value) and value < 1e15 else repr(value)
