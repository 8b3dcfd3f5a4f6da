"""Sounds in which nobody speaks, made up: what a mouth must not answer."""

import numpy as np

from talker.audio import NETWORK_RATE

_PITCHES = (50.0, 2000.0)
_NOTE_SECONDS = (0.12, 1.5)
_STEPS = np.array([-12, -7, -5, -4, -2, 0, 2, 3, 4, 5, 7, 12])
"""Semitones that a melody moves by."""

_HARMONICS = 12


def unspoken(count: int, random: np.random.Generator) -> np.ndarray:
    """(count,) samples at 16 kHz of music or noise, about as loud as a voice."""
    samples = music(count, random) if random.random() < 0.7 else noise(count, random)
    return samples * (0.1 / max(float(samples.std()), 1e-6))


def music(count: int, random: np.random.Generator) -> np.ndarray:
    """One to four instruments, each with melodies or held notes of its own, at times over a drum."""
    instruments = [_instrument(count, random) for _ in range(int(random.integers(1, 5)))]
    drums = [_drum(count, random)] if random.random() < 0.3 else []
    return np.sum(instruments + drums, axis=0)


def noise(count: int, random: np.random.Generator) -> np.ndarray:
    """Noise of a random colour, steady or coming and going like wind."""
    samples = _coloured(count, random)
    if random.random() < 0.5:
        return samples
    times = np.arange(count) / NETWORK_RATE
    swell = np.sin(2 * np.pi * random.uniform(0.1, 2.0) * times + random.uniform(0.0, 2 * np.pi))
    return samples * (1.0 + swell) ** random.uniform(1.0, 3.0)


def _instrument(count: int, random: np.random.Generator) -> np.ndarray:
    """From a pure sine to a sawtooth, plucked to bowed, at times with vibrato."""
    pitch, begins = _notes(count, random)
    times = np.arange(count) / NETWORK_RATE
    if random.random() < 0.4:
        pitch = pitch * 2.0 ** (random.uniform(0.1, 0.6) / 12 * np.sin(2 * np.pi * random.uniform(4.0, 7.0) * times))
    phase = np.cumsum(pitch) * (2 * np.pi / NETWORK_RATE)
    softness = random.uniform(0.8, 4.0)
    samples = np.sin(phase)
    for harmonic in range(2, int(random.integers(2, _HARMONICS + 1))):
        heard = harmonic * pitch < NETWORK_RATE / 2  # Nothing folds back.
        samples = samples + heard * np.sin(harmonic * phase) / harmonic**softness
    since = (np.arange(count) - begins) / NETWORK_RATE
    rise, fall = random.uniform(0.003, 0.1), random.choice([0.1, 0.3, 1.0, 10.0])
    return random.uniform(0.2, 1.0) * samples * np.clip(since / rise, 0.0, 1.0) * np.exp(-since / fall)


def _notes(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The pitch at each sample, and the sample at which its note began."""
    low, high = np.log2(_PITCHES)
    pitch = 2.0 ** random.uniform(low, high)
    seconds = np.exp(random.uniform(*np.log(_NOTE_SECONDS)))
    if random.random() < 0.2:
        return np.full(count, pitch), np.zeros(count, int)
    note = (np.arange(count) / (seconds * NETWORK_RATE)).astype(int)
    melody = pitch * 2.0 ** (random.choice(_STEPS, size=note[-1] + 1) / 12)
    return melody[note], np.searchsorted(note, note)


def _drum(count: int, random: np.random.Generator) -> np.ndarray:
    """Bursts of noise in a steady beat."""
    since = np.arange(count) / NETWORK_RATE % random.uniform(0.2, 1.0)
    return _coloured(count, random) * np.exp(-since / 0.04)


def _coloured(count: int, random: np.random.Generator) -> np.ndarray:
    return np.convolve(random.standard_normal(count), random.standard_normal(8))[:count]
