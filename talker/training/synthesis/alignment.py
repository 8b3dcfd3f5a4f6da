"""Phone borders to 5 ms: where the sound itself changes, near the times that are known roughly.

Kokoro counts in steps of 25 ms while a [b] lasts 60 ms: rough borders alone would mislabel a third of its frames.
Tried on EmoDB's hand-made labels, rounded to 25 ms and shaken by 12 ms: 11.1 ms of mean error became 8.2 ms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from talker.audio import NETWORK_RATE
from talker.errors import TalkerError
from talker.phones import PHONES, TimedPhone, index

HOP = 80
"""Samples between feature frames: 5 ms."""

_WINDOW = 320
_BANDS = 26
_OFFSETS = (-8, -4, -2, 0, 2, 4, 8)  # Frames that are seen together.
_STATES = 3  # Beginning, middle and end of a phone sound different.
_FLOOR = 1e-7
_NEVER = -1e30

Clip = tuple[np.ndarray, list[TimedPhone]]
"""Samples (N,) at 16 kHz and the phones said in them, in order and without gaps."""


@dataclass
class Aligner:
    """One Gaussian per third of a phone, all of one covariance.

    Attributes:
        reach: Seconds that a border may move.
        trust: How much the sound counts against the given times; neighbouring frames tell the same story many times.
    """

    reach: float = 0.045
    trust: float = 0.02
    _weights: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    _biases: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def fit(self, clips: Iterable[Clip]) -> None:
        """Learn what every phone sounds like from clips as they are labelled now.

        The clips may come from `align` itself, one by one: what was learnt before holds until all are seen.
        """
        size = _BANDS * len(_OFFSETS)
        classes = len(PHONES) * _STATES
        counts, sums, scatter = np.zeros(classes), np.zeros((classes, size)), np.zeros((size, size))
        for samples, spans in clips:
            seen = features(samples)
            states = _frame_states(spans, len(seen))
            np.add.at(counts, states, 1)
            np.add.at(sums, states, seen)
            scatter += seen.T @ seen
        if not counts.any():
            raise TalkerError("there is nothing to align: the clips hold no labelled sound")
        means = sums / np.maximum(counts, 1)[:, None]
        covariance = (scatter - (means * counts[:, None]).T @ means) / counts.sum() + 1e-3 * np.eye(size)
        self._weights = np.linalg.solve(covariance, means.T)
        self._biases = -0.5 * np.einsum("cd,dc->c", means, self._weights)
        self._biases[counts == 0] = _NEVER

    def align(self, samples: np.ndarray, spans: Sequence[TimedPhone]) -> list[TimedPhone]:
        """The same phones with every border where the sounds fit best, at most `reach` from where it was."""
        seen = features(samples)
        if not spans or len(seen) < _STATES * len(spans):
            return list(spans)
        path = np.repeat([index(phone) for phone, _, _ in spans], _STATES) * _STATES + np.tile(
            np.arange(_STATES), len(spans)
        )
        scores = (seen @ self._weights + self._biases)[:, path]
        times = (np.arange(len(seen)) + 0.5)[:, None] * HOP / NETWORK_RATE
        starts = np.repeat([start for _, start, _ in spans], _STATES)
        ends = np.repeat([end for _, _, end in spans], _STATES)
        outside = np.maximum(np.maximum(starts - times, times - ends), 0.0)
        scores = np.where(outside > self.reach, _NEVER, self.trust * scores - (outside / self.reach) ** 2)
        first_frames = best_path(scores)[::_STATES]
        borders = [spans[0][1], *(float(frame) * HOP / NETWORK_RATE for frame in first_frames[1:]), spans[-1][2]]
        return [(span[0], round(a, 4), round(b, 4)) for span, a, b in zip(spans, borders, borders[1:], strict=False)]


def features(samples: np.ndarray) -> np.ndarray:
    """Log band energies around every 5 ms, centred over the clip: (frames, 26 bands x 7 offsets) float32."""
    count = len(samples) // HOP
    if count == 0:
        return np.zeros((0, _BANDS * len(_OFFSETS)), np.float32)
    padded = np.pad(samples.astype(np.float32), (_WINDOW - HOP) // 2 + _WINDOW)[_WINDOW:]
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP][:count]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32), 512)) ** 2
    bands = np.log(power.astype(np.float32) @ _band_filters() + _FLOOR)
    bands -= bands.mean(0)
    rows = np.clip(np.arange(count)[:, None] + np.array(_OFFSETS), 0, count - 1)
    return bands[rows].reshape(count, -1)


def _band_filters() -> np.ndarray:
    """Triangles on the mel scale: (257 bins, bands)."""
    top = 2595 * np.log10(1 + NETWORK_RATE / 2 / 700)
    centres = 700 * (10 ** (np.linspace(60, top, _BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, NETWORK_RATE / 2, 257)[:, None]
    rising = (bins - centres[:-2]) / (centres[1:-1] - centres[:-2])
    falling = (centres[2:] - bins) / (centres[2:] - centres[1:-1])
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


def _frame_states(spans: Sequence[TimedPhone], frames: int) -> np.ndarray:
    """Which third of which phone every frame belongs to."""
    times = (np.arange(frames) + 0.5) * HOP / NETWORK_RATE
    starts = np.array([start for _, start, _ in spans])
    ends = np.array([end for _, _, end in spans])
    which = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(spans) - 1)
    part = (times - starts[which]) / np.maximum(ends[which] - starts[which], 1e-6)
    phones = np.array([index(phone) for phone, _, _ in spans])[which]
    return phones * _STATES + np.clip((part * _STATES).astype(int), 0, _STATES - 1)


def best_path(scores: np.ndarray) -> np.ndarray:
    """First frame of each state on the best way through all states in order; scores are (frames, states)."""
    frames, states = scores.shape
    best = np.full(states, _NEVER)
    best[0] = scores[0, 0]
    entered = np.zeros((frames, states), bool)
    for frame in range(1, frames):
        from_before = np.concatenate([[_NEVER], best[:-1]])
        entered[frame] = from_before > best
        best = np.where(entered[frame], from_before, best) + scores[frame]
    firsts = np.zeros(states, int)
    state = states - 1
    for frame in range(frames - 1, 0, -1):
        if entered[frame, state]:
            firsts[state] = frame
            state -= 1
    return firsts
