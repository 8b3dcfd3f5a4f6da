"""How something is said, measured frame by frame: level, pitch, and how the energy is spread over the spectrum."""

import math

import numpy as np
import torch
from torch import Tensor

from talker.audio import NETWORK_RATE, stretch
from talker.models.speech_encoder import HOP_SAMPLES, frame_count

WINDOW_SAMPLES = 1024
FLOOR_DB = -80.0

LEVEL, VOICING, PITCH, ALPHA_RATIO, PEAK_FALL, LOW_RISE = range(6)
"""Columns: dB re full scale; 0..1; octaves above 100 Hz times voicing; three measures of tilt in dB."""

BANDS = 14
"""Mel bands between 80 and 7000 Hz; their levels re the frame's own are the last columns."""

COUNT = LOW_RISE + 1 + BANDS

LOUD_DB = -20.0
"""Where `at_even_level` brings the loud parts of a recording."""

_MOST_GAIN_DB = 40.0  # Beyond this a recording is noise of its converter, not quiet speech.
_PITCH_RANGE = (65.0, 520.0)  # Hz.
_OCTAVE_BIAS = 0.87  # A peak this close to the highest one wins if its period is shorter.
_PIECE_FRAMES = 1000


def at_even_level(samples: np.ndarray) -> np.ndarray:
    """(N,) at 16 kHz with its loud parts at -20 dB, so that the distance to the microphone says nothing."""
    count = len(samples) // HOP_SAMPLES
    hops = samples[: count * HOP_SAMPLES].reshape(count, HOP_SAMPLES) if count else samples[None]
    power = np.einsum("hn,hn->h", hops, hops, dtype=np.float64) / hops.shape[1] if samples.size else np.zeros(1)
    loud = 10.0 * math.log10(float(np.percentile(power, 90)) + 1e-12)
    return samples * np.float32(10.0 ** (min(LOUD_DB - loud, _MOST_GAIN_DB) / 20.0))


def measure(samples: np.ndarray, frames: int | None = None) -> Tensor:
    """(N,) at 16 kHz -> (frames, COUNT) at 50 Hz; frame i is centred on i / 50 seconds.

    There are ceil(N / 320) frames, or as many as are asked for: silence follows the sound.
    """
    frames = frame_count(len(samples)) if frames is None else frames
    half = WINDOW_SAMPLES // 2
    pieces = [torch.zeros(0, COUNT)]
    for first in range(0, frames, _PIECE_FRAMES):
        last = min(first + _PIECE_FRAMES, frames)
        sound = torch.from_numpy(stretch(samples, first * HOP_SAMPLES - half, (last - 1) * HOP_SAMPLES + half))
        pieces.append(_measure_windows(sound.unfold(0, WINDOW_SAMPLES, HOP_SAMPLES)))
    return torch.cat(pieces)


def _measure_windows(windows: Tensor) -> Tensor:
    """(T, WINDOW_SAMPLES) -> (T, COUNT)."""
    shape = torch.hann_window(WINDOW_SAMPLES)
    spectrum = torch.fft.rfft((windows - windows.mean(dim=1, keepdim=True)) * shape, 2 * WINDOW_SAMPLES)
    power = spectrum.abs().square() / (shape.square().sum() * WINDOW_SAMPLES)
    frequency = torch.fft.rfftfreq(2 * WINDOW_SAMPLES, 1 / NETWORK_RATE)

    def between(low: float, high: float) -> Tensor:
        return power[:, (frequency >= low) & (frequency < high)]

    level = _decibel(power.sum(dim=1))
    voicing, pitch = _voicing_and_pitch(power, shape)
    alpha = _decibel(between(1000, 5000).sum(dim=1)) - _decibel(between(50, 1000).sum(dim=1))
    fall = _decibel(between(50, 2000).amax(dim=1)) - _decibel(between(2000, 5000).amax(dim=1))
    rise = _decibel(between(500, 1500).sum(dim=1)) - _decibel(between(50, 500).sum(dim=1))
    bands = _decibel(power @ _mel_bands(frequency)) - level[:, None]
    return torch.cat([torch.stack([level, voicing, pitch * voicing, alpha, fall, rise], dim=1), bands], dim=1)


def _voicing_and_pitch(power: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """(T,) strength of the periodicity, 0..1, and (T,) octaves above 100 Hz, from the autocorrelation."""
    of_window = torch.fft.irfft(torch.fft.rfft(shape, 2 * WINDOW_SAMPLES).abs().square())
    shortest, longest = (round(NETWORK_RATE / hertz) for hertz in reversed(_PITCH_RANGE))
    lags = torch.arange(shortest - 1, longest + 2)
    correlation = torch.fft.irfft(power)
    silence = 10.0 ** (FLOOR_DB / 10.0) * 10
    likeness = correlation[:, lags] / (correlation[:, :1] + silence) * (of_window[0] / of_window[lags])
    middle = likeness[:, 1:-1]
    peak = (middle > likeness[:, :-2]) & (middle >= likeness[:, 2:])
    heights = torch.where(peak, middle, torch.zeros(()))
    high_enough = heights >= _OCTAVE_BIAS * heights.amax(dim=1, keepdim=True)
    chosen = (high_enough & peak).float().argmax(dim=1)
    voicing = heights.gather(1, chosen[:, None])[:, 0].clamp(0.0, 1.0)
    return voicing, torch.log2(NETWORK_RATE / (shortest + chosen) / 100.0)


def _mel_bands(frequency: Tensor) -> Tensor:
    """(bins, BANDS) triangles."""
    edges = torch.linspace(math.log1p(80 / 700), math.log1p(7000 / 700), BANDS + 2)
    edges = 700 * torch.expm1(edges)
    rise = (frequency[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - frequency[:, None]) / (edges[2:] - edges[1:-1])
    return torch.minimum(rise, fall).clamp(min=0.0)


def _decibel(power: Tensor) -> Tensor:
    return 10.0 * torch.log10(power + 10.0 ** (FLOOR_DB / 10.0))
