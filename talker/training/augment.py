"""Many voices and rooms out of few: what may happen to speech without changing what the mouth does."""

import numpy as np

from talker.audio import NETWORK_RATE
from talker.training import codecs
from talker.training.unspoken import unspoken

SPEEDS = (0.87, 1.15)
"""Between these a voice still sounds like somebody's."""

_TELEPHONE = (300.0, 3400.0)
_ROLL_OFF = 0.15  # Of the edge's frequency: how gently a band ends.


def augment(
    samples: np.ndarray, curves: np.ndarray, fps: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Everything below, in the order in which it happens to a voice: mouth, room, microphone, line.

    (N,) samples at 16 kHz and (T, C) curves at `fps` -> the same shapes.
    """
    samples = add_noise(add_room(change_voice(samples, random), random), random)
    samples = encode(limit_band(samples, random), random)
    samples, curves = mute(set_loudness(samples, random), curves, fps, random)
    return samples.astype(np.float32), curves.astype(np.float32)


def limit_band(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A telephone, a cheap microphone, or something in between, now and then."""
    if random.random() < 0.75:
        return samples
    low, high = _TELEPHONE
    if random.random() < 0.5:
        low, high = random.uniform(20.0, 250.0), random.uniform(2500.0, 7000.0)
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / NETWORK_RATE)
    rise = np.clip((frequency - low * (1 - _ROLL_OFF)) / (2 * _ROLL_OFF * low), 0.0, 1.0)
    fall = np.clip((high * (1 + _ROLL_OFF) - frequency) / (2 * _ROLL_OFF * high), 0.0, 1.0)
    return np.fft.irfft(spectrum * rise * fall, len(samples))


def encode(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What a call or a download does to a voice, now and then; nothing moves in time."""
    if random.random() < 0.85:
        return samples
    codec = codecs.CODECS[int(random.integers(len(codecs.CODECS)))]
    return codecs.round_trip(samples, codec, float(random.uniform(*codec.bit_rates)))


def change_voice(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Tilt the spectrum and move the formants' balance with a short random filter; the loudness is kept."""
    if random.random() < 0.5:
        return samples
    taps = np.array([1.0, random.uniform(-0.7, 0.7), random.uniform(-0.3, 0.3)])
    filtered = np.convolve(samples, taps)[: len(samples)]
    return filtered * (_loudness(samples) / max(_loudness(filtered), 1e-6))


def add_room(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A short decaying reverberation, now and then."""
    if random.random() < 0.75:
        return samples
    seconds = random.uniform(0.05, 0.25)
    decay = np.exp(-np.arange(round(seconds * NETWORK_RATE)) / (seconds * NETWORK_RATE / 5))
    tail = random.standard_normal(len(decay)) * decay
    tail *= random.uniform(0.2, 0.7) / np.linalg.norm(tail)
    tail[0] += 1.0
    size = 1 << int(np.ceil(np.log2(len(samples) + len(tail))))
    return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[: len(samples)]


def add_noise(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Steady noise, white to brown, 5 to 45 dB below the speech, half of the time."""
    if random.random() < 0.5:
        return samples
    spectrum = np.fft.rfft(random.standard_normal(len(samples)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** random.uniform(0.0, 1.0)
    noise = np.fft.irfft(spectrum, len(samples))
    level = max(_loudness(samples), 1e-4) * 10 ** (-random.uniform(5, 45) / 20)
    return samples + noise * (level / max(_loudness(noise), 1e-9))


def set_loudness(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Bring the crop to a random level between a distant voice and a hot recording."""
    gain = 10 ** (random.uniform(-42, -14) / 20) / max(_loudness(samples), 1e-4)
    return np.clip(samples * gain, -1.0, 1.0)


def mute(
    samples: np.ndarray, curves: np.ndarray, fps: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Now and then silence a stretch of sound, or put noise or music in its place: there the face rests.

    The curves, (T, C) at `fps`, ease to zero and back within a tenth of a second.
    """
    if random.random() < 0.75:
        return samples, curves
    seconds = len(samples) / NETWORK_RATE
    length = seconds if random.random() < 0.1 else random.uniform(0.4, 0.6 * seconds)
    begin = random.uniform(-0.3, seconds - 0.3) if length < seconds else 0.0
    first, last = (int(np.clip(t * NETWORK_RATE, 0, len(samples))) for t in (begin, begin + length))
    out = samples.copy()
    out[first:last] = _instead_of_speech(last - first, random)
    times = np.arange(len(curves)) / fps
    open_share = np.clip(np.maximum(begin - times, times - begin - length) / 0.1 + 1.0, 0.0, 1.0)
    if length >= seconds:
        open_share[:] = 0.0
    return out, curves * open_share[:, None]


def _instead_of_speech(count: int, random: np.random.Generator) -> np.ndarray:
    """Digital silence, a whisper of noise, or something as loud as a voice."""
    kind = random.random()
    if kind < 0.35 or not count:
        return np.zeros(count)
    if kind < 0.7:
        return 10 ** (random.uniform(-90, -55) / 20) * random.standard_normal(count)
    return np.clip(10 ** (random.uniform(-25, 5) / 20) * unspoken(count, random), -1.0, 1.0)


def _loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
