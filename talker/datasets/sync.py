"""How late the picture of a clip is: sound predicts how open the mouth is, and the best match in time tells.

The prediction is a ridge regression from log-mel spectra within 120 ms to the opening of the lips, fitted on speech
that is in sync (`talker.datasets.fit_sync`), so the 20 to 100 ms by which a mouth naturally opens ahead of its sound
count as in sync. A prior keeps a short or quiet clip, which proves little, near zero.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from talker.audio import NETWORK_RATE, Audio
from talker.rigs.landmark_numbers import GAP_LOWER, GAP_UPPER
from talker.tracking.landmarks import LandmarkTrack

RATE = 100
"""Frames per second of everything here."""

LARGEST = 0.5
"""Seconds of delay that are tried, either way."""

WEIGHTS_PATH = Path(__file__).with_name("sync_weights.json")

_WINDOW, _HOP, _FFT = 400, NETWORK_RATE // RATE, 512
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 26, 60.0, 7600.0
_BLOCK_FRAMES = 4096
_FLOOR = 9.0  # Nepers below the loud parts of the clip: nothing is heard.
_CONTEXT = range(-12, 13, 3)  # Frames: 120 ms either way.
_TREND_FRAMES = 75  # A slower change than this either way is the posture of the jaw or of the microphone.

# Calibrated so that errors are as large as the stated uncertainty on speakers that were not in the fit (root mean
# square of error / uncertainty: 1.18 on 44 strangers of 15 s, 1.08 on Javanese actors of 3 s, 1.06 on GRID's speaker).
_INDEPENDENT_PER_SECOND = 10.0
_USUAL_DELAY = 0.08
_NATURAL_DELAY = 0.045
_SURE_DEVIATIONS = 3.0
_FEWEST_FRAMES = 50


@dataclass(frozen=True)
class Delay:
    """By how much the picture is late.

    Attributes:
        seconds: Positive when the mouth moves after its sound.
        uncertainty: Its standard deviation in seconds.
        correlation: Between predicted and seen opening at that delay.
        evidence: How many times likelier this match is than none, as a natural logarithm.
    """

    seconds: float
    uncertainty: float
    correlation: float
    evidence: float

    @property
    def sure(self) -> bool:
        """Whether the picture is surely late or early, by more than speech itself varies."""
        return abs(self.seconds) > max(_NATURAL_DELAY, _SURE_DEVIATIONS * self.uncertainty)


UNKNOWN = Delay(0.0, _USUAL_DELAY, 0.0, 0.0)

STEPS = np.arange(-round(LARGEST * RATE), round(LARGEST * RATE) + 1)
"""The delays that are tried, in frames."""


@dataclass(frozen=True, eq=False)
class Match:
    """How well sound and picture of a clip go together at each delay of `STEPS`: correlation, and evidence (S,)."""

    correlation: np.ndarray
    evidence: np.ndarray

    def at(self, delay: Delay) -> Delay:
        """That delay, as this clip alone sees it."""
        nearest = int(np.argmin(np.abs(STEPS / RATE - delay.seconds)))
        return Delay(delay.seconds, delay.uncertainty, float(self.correlation[nearest]), float(self.evidence[nearest]))


def measure_delay(audio: Audio, opening: np.ndarray, fps: float, known: np.ndarray) -> Delay:
    """The delay of a clip; opening (T,) of the mouth at `fps` in any unit, known (T,) bool where it was seen."""
    match = match_clip(audio, opening, fps, known)
    return UNKNOWN if match is None else delay_of([match])


def match_clip(audio: Audio, opening: np.ndarray, fps: float, known: np.ndarray) -> Match | None:
    """The same as a curve over all delays; None for a clip that is too short or too still to tell anything."""
    heard = _predicted_opening(audio)
    seen, sure = at_feature_rate(opening, fps, known, len(heard))
    if sure.sum() < _FEWEST_FRAMES or len(heard) < 2 * _FEWEST_FRAMES or np.std(seen[sure]) < 1e-9:
        return None
    heard, seen = without_trend(heard), without_trend(seen)
    correlation = np.array([_correlation(heard, seen, sure, int(step)) for step in STEPS])
    independent = _INDEPENDENT_PER_SECOND * sure.sum() / RATE
    evidence = -0.5 * independent * np.log1p(-(np.clip(correlation, 0, 0.99) ** 2))
    return Match(correlation, evidence)


def delay_of(matches: Sequence[Match]) -> Delay:
    """The one delay that clips of one recording share: what none of them proves, all of them together may."""
    evidence = np.sum([match.evidence for match in matches], axis=0)
    correlation = np.mean([match.correlation for match in matches], axis=0)
    delays = STEPS / RATE
    belief = evidence - 0.5 * (delays / _USUAL_DELAY) ** 2
    share = np.exp(belief - belief.max())
    share /= share.sum()
    mean = float(share @ delays)
    deviation = float(np.sqrt(share @ (delays - mean) ** 2))
    nearest = int(np.argmin(np.abs(delays - mean)))
    return Delay(mean, max(deviation, 0.5 / RATE), float(correlation[nearest]), float(evidence[nearest]))


def lip_opening(track: LandmarkTrack) -> np.ndarray:
    """(T,) distance of the inner lips in pixels, of the eye distance; any number where there was no face."""
    points = track.points()
    points[~track.found] = 0
    unit = np.linalg.norm((points[:, 33] - points[:, 263])[:, :2], axis=1)
    gaps = np.linalg.norm((points[:, GAP_UPPER] - points[:, GAP_LOWER])[..., :2], axis=2)
    return gaps.mean(1) / np.maximum(unit, 1.0)


def shifted(audio: Audio, seconds: float) -> Audio:
    """The sound that goes with a picture that was `seconds` late: delayed just as much, as long as before."""
    return audio.slice(-seconds, audio.duration - seconds)


def sound_features(audio: Audio) -> np.ndarray:
    """(T, F) float64 at 100 Hz: log-mel spectra relative to the clip's own loudness, with their surroundings, and 1."""
    mel = _log_mel(audio)
    around = [mel[_beside(len(mel), step)] for step in _CONTEXT]
    return np.concatenate([*around, np.ones((len(mel), 1))], axis=1)


def _predicted_opening(audio: Audio) -> np.ndarray:
    """(T,) at 100 Hz: `sound_features` times the weights, without ever holding the features of an hour."""
    mel, weights = _log_mel(audio), _weights()
    parts = weights[:-1].reshape(len(_CONTEXT), _BANDS)
    out = np.full(len(mel), weights[-1])
    for step, part in zip(_CONTEXT, parts, strict=True):
        out += (mel @ part)[_beside(len(mel), step)]
    return out


def _log_mel(audio: Audio) -> np.ndarray:
    """(T, bands) nepers below the loud parts of the clip, half of each band's mean taken off."""
    samples = audio.resample(NETWORK_RATE).samples.astype(np.float64)
    padded = np.concatenate([np.zeros(_WINDOW // 2), samples, np.zeros(_WINDOW)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: len(samples) : _HOP]
    mel = np.zeros((len(windows), _BANDS))
    for start in range(0, len(windows), _BLOCK_FRAMES):
        block = slice(start, start + _BLOCK_FRAMES)
        power = np.abs(np.fft.rfft(windows[block] * np.hanning(_WINDOW), _FFT)) ** 2
        mel[block] = np.log(power @ _mel_bands().T + 1e-7)
    if len(mel):
        mel = np.maximum(mel - np.percentile(mel, 95), -_FLOOR)
        mel -= mel.mean(0) / 2
    return mel


def _beside(count: int, step: int) -> np.ndarray:
    """(count,) the frame `step` later than each, held at the ends."""
    return np.clip(np.arange(count) + step, 0, count - 1)


def at_feature_rate(opening: np.ndarray, fps: float, known: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The opening (T,) at `fps` on `count` frames of 100 Hz, and where it is known there."""
    frame = np.arange(count) / RATE * fps
    seen = np.interp(frame, np.arange(len(opening)), opening)
    sure = np.interp(frame, np.arange(len(known)), known.astype(np.float64)) > 0.99
    return seen, sure & (frame <= len(opening))


def without_trend(values: np.ndarray) -> np.ndarray:
    """(T,) less its mean over 1.5 s around every frame."""
    kernel = np.ones(2 * _TREND_FRAMES + 1)
    counted = np.convolve(np.ones_like(values), kernel)[_TREND_FRAMES:-_TREND_FRAMES]
    return values - np.convolve(values, kernel)[_TREND_FRAMES:-_TREND_FRAMES] / counted


def _correlation(heard: np.ndarray, seen: np.ndarray, sure: np.ndarray, step: int) -> float:
    """Between what is heard and what is seen `step` frames later."""
    count = min(len(heard), len(seen)) - abs(step)
    if count < _FEWEST_FRAMES:
        return 0.0
    a, b = heard[max(-step, 0) :][:count], seen[max(step, 0) :][:count]
    use = sure[max(step, 0) :][:count]
    if use.sum() < _FEWEST_FRAMES:
        return 0.0
    a, b = a[use] - a[use].mean(), b[use] - b[use].mean()
    return float(a @ b / max(np.sqrt((a @ a) * (b @ b)), 1e-12))


@lru_cache(maxsize=1)
def _weights() -> np.ndarray:
    return np.array(json.loads(WEIGHTS_PATH.read_text(encoding="utf-8"))["weights"])


@lru_cache(maxsize=1)
def _mel_bands() -> np.ndarray:
    """(bands, FFT bins) triangles, evenly spaced in mel."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (_LOWEST_HZ, _HIGHEST_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, NETWORK_RATE / 2, _FFT // 2 + 1)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))
