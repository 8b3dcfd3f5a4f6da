"""Shapes of movement that the finishing steps share: how things ease, sway, follow and stay in bounds."""

import numpy as np

_SINES = 14
_STEPS = {"gaze": 1, "blinks": 2, "sway": 3, "nods": 4, "posture": 5, "breath": 6, "jitter": 7}


def random_of(seed: int, step: str) -> np.random.Generator:
    """Chance for one step. Each event takes equally many numbers, so a longer take begins as a shorter one does."""
    return np.random.default_rng([seed & 0xFFFF_FFFF_FFFF_FFFF, _STEPS[step]])


def eased(progress: np.ndarray) -> np.ndarray:
    """0 to 1 along half a cosine, at rest before 0 and after 1; at its fastest pi / 2 of the mean speed."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(progress, 0.0, 1.0))


def bump(times: np.ndarray, start: float, duration: float) -> np.ndarray:
    """0 to 1 and back along a whole cosine."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.clip((times - start) / duration, 0.0, 1.0))


def sway(times: np.ndarray, random: np.random.Generator, slowest: float, fastest: float) -> np.ndarray:
    """(T,) noise of deviation 1 between two frequencies (Hz), slower parts larger by 1/f; any instant on its own."""
    steps = (np.arange(_SINES) + random.random(_SINES)) / _SINES
    frequency = slowest * (fastest / slowest) ** steps
    phase = 2 * np.pi * random.random(_SINES)
    # Equal steps of the logarithm: amplitudes by the root of 1/f give power by 1/f.
    amplitude = frequency**-0.5
    amplitude *= np.sqrt(2.0 / np.sum(amplitude**2))
    out = np.zeros(len(times))
    for share, hertz, turn in zip(amplitude, frequency, phase, strict=True):
        out += share * np.sin(2 * np.pi * hertz * times + turn)
    return out


def followed(values: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """(T, C) as a critically damped spring follows it, starting at rest on the first value. No look-ahead."""
    from scipy.signal import lfilter

    keep = np.exp(-1.0 / (fps * seconds))
    out = np.asarray(values, np.float64)
    for _ in range(2):
        out = lfilter([1.0 - keep], [1.0, -keep], out, axis=0, zi=keep * out[:1])[0]
    return out


def within(values: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    """The values, bent so that they never reach `limit` either way."""
    return limit * np.tanh(values / limit)
