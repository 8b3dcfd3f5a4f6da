"""What the finishing steps listen for, heard once per take: speech, its phrases, its stresses, its effort."""

from dataclasses import dataclass

import numpy as np

from talker.audio import NETWORK_RATE, Audio

CUE_FPS = 50

LOOK_AHEAD = 1.0
"""Seconds of sound after an instant that may change what is said of it."""

_FAR_BELOW, _INAUDIBLE = 30.0, -62.0  # dB below the loudest of late, and of full scale.
_FADES = 2.0  # dB/s by which the memory of loud speech fades.
_HEARS_AHEAD = 25  # Frames.
_VOICED, _BELOW_LOUD, _UNVOICED_BELOW_LOUD = 0.45, 24.0, 38.0
_AROUND_VOICE = 8  # Frames within which what is not voiced may still be speech.
_PHRASE_GAP = 0.3  # Seconds of silence that part two phrases.
_SHORTEST_PHRASE = 0.12
_STRESS_REACH = 37  # Frames either way that a stress stands out from.
_STRESS_APART = 15
_PITCH_WEIGHT = 1.6  # Octaves, against tens of dB.
_SOFT_TILT, _PRESSED_TILT = -20.0, -4.0  # dB of 1-5 kHz above 50-1000 Hz: murmured, shouted.


@dataclass(frozen=True)
class Cues:
    """What is heard, at 50 Hz; the arrays of frames may be indexed by the rounded time.

    Attributes:
        heard: There is sound at all; without, everything below is silence.
        speaking: (N,) bool.
        sounding: (N,) bool, where anything is heard that is not far below the loud parts: speech, or who knows.
        effort: (N,) 0 murmured .. 1 shouted; 0.3 where nothing has been said.
        phrases: (P, 2) start and end in seconds, in order, parted by pauses.
        stresses: (S, 2) time in seconds and strength 0..1 of the syllables that stand out.
    """

    heard: bool
    speaking: np.ndarray
    sounding: np.ndarray
    effort: np.ndarray
    phrases: np.ndarray
    stresses: np.ndarray

    def at(self, values: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Values of frames at any times, linear in between. (N,), (T,) -> (T,)."""
        return np.interp(times * CUE_FPS, np.arange(len(values)), values)


def hear(audio: Audio | None, duration: float) -> Cues:
    """Listen to a take. Every cue depends on the sound before it and at most `LOOK_AHEAD` after it."""
    count = int(np.ceil(duration * CUE_FPS)) + 1
    if audio is None or len(audio.samples) == 0:
        quiet = np.zeros(count, bool)
        return Cues(False, quiet, quiet, np.full(count, 0.3), np.zeros((0, 2)), np.zeros((0, 2)))
    from talker.models import prosody

    measured = prosody.measure(audio.resample(NETWORK_RATE).samples, count).numpy()
    level, voicing = measured[:, prosody.LEVEL], measured[:, prosody.VOICING]
    loud = _lately(np.where(voicing > _VOICED, level, -80.0))
    speaking = _speaking(level - loud, voicing)
    phrases = _phrases(speaking)
    pitch = measured[:, prosody.PITCH] / np.maximum(voicing, 0.2)
    stresses = _stresses(level - loud, voicing, pitch, speaking)
    return Cues(
        heard=True,
        speaking=speaking,
        sounding=speaking | (level > np.maximum(_lately(level) - _FAR_BELOW, _INAUDIBLE)),
        effort=_effort(measured[:, prosody.ALPHA_RATIO], speaking & (voicing > _VOICED)),
        phrases=phrases,
        stresses=stresses,
    )


def _lately(level: np.ndarray) -> np.ndarray:
    """(N,) the highest of a level in dB, fading as it lies back, and a little ahead."""
    fade = np.arange(len(level)) * (_FADES / CUE_FPS)
    highest = np.maximum.accumulate(level + fade) - fade
    ahead = np.minimum(np.arange(len(level)) + _HEARS_AHEAD, len(level) - 1)
    return np.maximum(highest[ahead], -60.0)


def _speaking(relative: np.ndarray, voicing: np.ndarray) -> np.ndarray:
    """(N,) bool: voice, and what is loud enough right beside it."""
    from scipy.ndimage import binary_closing, maximum_filter1d

    voiced = (voicing > _VOICED) & (relative > -_BELOW_LOUD)
    near = maximum_filter1d(voiced, 2 * _AROUND_VOICE + 1, mode="constant")
    return binary_closing(np.pad(voiced | (near & (relative > -_UNVOICED_BELOW_LOUD)), 4), np.ones(7))[4:-4]


def _phrases(speaking: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.r_[False, speaking, False])).reshape(-1, 2) / CUE_FPS
    merged: list[list[float]] = []
    for start, end in edges.tolist():
        if merged and start - merged[-1][1] < _PHRASE_GAP:
            merged[-1][1] = end
        else:
            merged.append([start, end])
    return np.array([phrase for phrase in merged if phrase[1] - phrase[0] >= _SHORTEST_PHRASE]).reshape(-1, 2)


def _stresses(relative: np.ndarray, voicing: np.ndarray, pitch: np.ndarray, speaking: np.ndarray) -> np.ndarray:
    """Peaks of loudness and pitch together, against what is said around them."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d

    weight = voicing * speaking + 1e-3
    height = _PITCH_WEIGHT * pitch + np.maximum(relative, -_BELOW_LOUD) / 10.0
    height = gaussian_filter1d(height * weight, 4.0, mode="constant") / gaussian_filter1d(weight, 4.0, mode="constant")
    reach = 2 * _STRESS_REACH + 1
    usual = uniform_filter1d(height * weight, reach, mode="constant") / uniform_filter1d(weight, reach, mode="constant")
    above = np.where(speaking & (voicing > _VOICED), height - usual, -1.0)
    peaks = np.flatnonzero((above == maximum_filter1d(above, 2 * _STRESS_APART + 1, mode="constant")) & (above > 0.15))
    return np.stack([peaks / CUE_FPS, np.clip(above[peaks] / 0.8, 0.0, 1.0)], axis=1)


def _effort(tilt: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """(N,) the voice's strain over the last second or two: pressed voices have more of the high harmonics."""
    from scipy.signal import lfilter

    strain = np.clip((tilt - _SOFT_TILT) / (_PRESSED_TILT - _SOFT_TILT), 0.0, 1.0)
    keep = np.exp(-1.0 / (1.0 * CUE_FPS))
    # As if half a second of ordinary speech had come before.
    total = lfilter([1.0], [1.0, -keep], np.where(voiced, strain, 0.0), zi=[0.3 * CUE_FPS / 2])[0]
    seen = lfilter([1.0], [1.0, -keep], voiced.astype(float), zi=[CUE_FPS / 2])[0]
    return total / np.maximum(seen, 1e-9)
