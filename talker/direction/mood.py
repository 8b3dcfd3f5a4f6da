"""`auto`: a mood that follows the emotion heard in the voice, as fast and as far as a personality lets it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.direction.mixture import parse_mixture
from talker.errors import TalkerError


@dataclass(frozen=True)
class Personality:
    """How a face takes up what the voice expresses.

    Attributes:
        seconds: Time in which the mood makes two thirds of its way to what is heard.
        reach: How far it goes: 0 stays at rest, 1 goes as far as the voice, 2 twice as far (up to a whole emotion).
        rest: The mood when the voice says nothing special, e.g. "neutral" or "happy:0.2".
        voice: Folder with more speech of this person in various moods, such as all of their lines: what they always
            sound like is then no mood. Strangers' moods are heard better by it (0.68 instead of 0.60 of six right).
    """

    seconds: float = 0.7
    reach: float = 1.5
    rest: str = "neutral"
    voice: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= 600:
            raise TalkerError(f"a mood that takes {self.seconds:g} s to follow is outside 0..600 s")
        if not 0 <= self.reach <= 10:
            raise TalkerError(f"a mood's reach of {self.reach:g} is outside 0..10")
        parse_mixture(self.rest)


def follow(heard: np.ndarray, fps: float, personality: Personality) -> np.ndarray:
    """(T, 8) shares heard over time -> (T, 8) float32 strengths. A frame depends on itself and earlier ones only."""
    from scipy.signal import lfilter

    rest = np.array(parse_mixture(personality.rest))
    wanted = np.clip(rest + personality.reach * (heard - np.eye(len(rest))[0]), 0.0, None)
    wanted[:, 0] = np.maximum(1.0 - wanted[:, 1:].sum(axis=1), 0.0)
    wanted /= wanted.sum(axis=1, keepdims=True)
    kept = np.exp(-1.0 / (fps * personality.seconds)) if personality.seconds else 0.0
    mood, _ = lfilter([1.0 - kept], [1.0, -kept], wanted, axis=0, zi=kept * rest[None])
    return (mood / mood.sum(axis=1, keepdims=True)).astype(np.float32)
