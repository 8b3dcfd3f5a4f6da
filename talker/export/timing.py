"""From rows with times to frames at a steady rate: what every table with a time column needs when it is read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.animation import MAX_FPS, MAX_FRAMES, MIN_FPS
from talker.errors import TalkerError

_LONGEST_GAP = 60.0  # Seconds. A longer hole in a take is a damaged time, or two takes in one file.
_CLOCK_ERROR = 0.0005  # Relative: iPhones run 0.00014 fast; 29.97 and 30 differ by twice this.
_JITTER = 0.002  # Relative error of a rate estimated from rows that jitter.
_LONE_ROW_FPS = 60.0  # One row tells no rate.
_TWINS = 1e-5  # Relative: 59.94 and 60000/1001 are a tenth of this apart, 29.97 and 30 a hundred times as far.
# Exact fractions before their decimals: where the times fit both equally, the fraction wins.
_STANDARD_FPS = (24000 / 1001, 23.976, 24, 25, 30000 / 1001, 29.97, 30, 48, 50, 60000 / 1001, 59.94, 60, 90, 100, 120)


@dataclass(frozen=True)
class Steady:
    """Frames at a steady rate.

    Attributes:
        values: (T, C) float32.
        fps: Frames per second.
        measured: (T,) True where a row lay, False where a frame was filled in.
        dropped: Number of frames for which there was no row.
    """

    values: np.ndarray
    fps: float
    measured: np.ndarray
    dropped: int


def steady(
    path: Path,
    seconds: np.ndarray,
    values: np.ndarray,
    lines: np.ndarray,
    resolution: float,
    known: np.ndarray | None = None,
) -> Steady:
    """Place rows on a steady grid that begins with the first row.

    Frames without a row, and rows that are not `known`, are filled in linearly between their neighbours and held at the
    ends. (rows,) seconds, (rows, C) values, (rows,) line numbers for messages, the clock's resolution in seconds.
    """
    steps = np.diff(seconds)
    bad = (steps <= 0) | (steps > _LONGEST_GAP)
    if bad.any():
        row = int(np.argmax(bad))
        fault = f"is {steps[row]:.1f} s after" if steps[row] > 0 else "does not come after"
        raise TalkerError(
            f"{path}: line {lines[row + 1]}: its time {fault} that of line {lines[row]}; "
            "is this one take? cut the file there"
        )
    fps = frame_rate(seconds, resolution)
    if not MIN_FPS <= fps <= MAX_FPS:
        raise TalkerError(f"{path}: its rows follow at {fps:g} frames per second, not {MIN_FPS:g}..{MAX_FPS:g}")
    frames = _frames((seconds - seconds[0]) * fps)
    count = int(frames[-1]) + 1
    if count > MAX_FRAMES:
        raise TalkerError(f"{path}: its rows span {count} frames, more than {MAX_FRAMES}; cut the take")
    known = np.ones(len(frames), bool) if known is None else known
    filled, measured = _fill(values[known], frames[known], count)
    return Steady(filled, fps, measured, count - len(np.unique(frames)))


def frame_rate(seconds: np.ndarray, resolution: float) -> float:
    """Frames per second behind the times of the rows.

    A phone's frames jitter, its clock runs a little fast and now and then a frame is dropped, so a standard rate that
    is near enough wins over an odd one that fits better.
    """
    if len(seconds) < 2:
        return _LONE_ROW_FPS
    steps = np.diff(seconds)
    median = np.median(steps)
    estimate = float(1 / np.mean(steps[np.abs(steps - median) < median / 2]))
    if not MIN_FPS * 0.99 <= estimate <= MAX_FPS * 1.01:
        return estimate
    times = seconds - seconds[0]

    def error(fps: float) -> float:
        return float(np.abs(np.arange(len(times)) / fps - times).max())

    def explains(fps: float) -> bool:
        return error(fps) < 1.01 * resolution

    nearest = min(_STANDARD_FPS, key=lambda fps: abs(fps - estimate))
    deviation = abs(nearest / estimate - 1)
    exact = [fps for fps in (round(estimate), *_STANDARD_FPS) if explains(fps)]
    if exact:
        return float(min((fps for fps in exact if abs(fps / exact[0] - 1) < _TWINS), key=error))
    if deviation < _CLOCK_ERROR:
        return float(nearest)
    odd = [fps for fps in (round(estimate, digits) for digits in (1, 2, 3)) if explains(fps)]
    return float(odd[0] if odd else nearest if deviation < _JITTER else round(estimate, 3))


def _frames(place: np.ndarray) -> np.ndarray:
    """(rows,) int: the frame that each row becomes. Rows one step apart become neighbours, however they jitter."""
    frames = np.concatenate([[0], np.cumsum(np.maximum(np.rint(np.diff(place)), 1))]).astype(np.int64)
    if np.abs(frames - place).max() <= 1:
        return frames
    return np.rint(place).astype(np.int64)  # The clock drifts: a long take must stay with its sound.


def _fill(values: np.ndarray, frames: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows on a grid of `count` frames, linear between the measured ones and held beyond them; (count,) measured."""
    out = np.empty((count, values.shape[1]), np.float32)
    measured = np.zeros(count, bool)
    measured[frames] = True
    out[frames] = values
    known = np.flatnonzero(measured)
    missing = np.flatnonzero(~measured)
    after = np.searchsorted(known, missing)
    low, high = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
    share = np.clip((missing - low) / np.maximum(high - low, 1), 0, 1).astype(np.float32)[:, None]
    out[missing] = out[low] * (1 - share) + out[high] * share
    return out, measured
