"""Videos as pictures at their true times: any container, phones held sideways, clocks that stutter."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from talker.audio import Audio, read_audio
from talker.errors import TalkerError

MAX_VIDEO_FRAMES = 1_000_000
_STANDARD_RATES = (12, 12.5, 15, 24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60, 90, 100, 120, 240)
_NEAR = 0.01
_FULL_TURN, _QUARTER = 360, 90


@dataclass(frozen=True, eq=False)
class Picture:
    """One frame: `pixels` (height, width, 3) uint8 upright RGB, shown from `seconds` on (the first one at 0)."""

    seconds: float
    pixels: np.ndarray
    size: tuple[int, int]
    """Upright width and height before any reduction."""


def read_pictures(path: Path, longest_side: int) -> Iterator[Picture]:
    """The frames of a video's first picture track, one at a time, none larger than `longest_side` pixels.

    A file that breaks off gives the frames before the damage.
    """
    if not path.exists():
        raise TalkerError(f"no such file: {path}")
    if path.is_dir() or path.stat().st_size == 0:
        raise TalkerError(f"cannot read {path}: " + ("it is a folder" if path.is_dir() else "the file is empty"))
    first: float | None = None
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise TalkerError(f"{path} holds no video track")
            container.streams.video[0].thread_type = "AUTO"
            for count, frame in enumerate(container.decode(video=0)):
                if count >= MAX_VIDEO_FRAMES:
                    raise TalkerError(f"{path}: more than {MAX_VIDEO_FRAMES} frames; cut the video into parts")
                first = frame.time if first is None else first
                yield _upright(frame, (frame.time or 0.0) - (first or 0.0), longest_side)
    except (av.FFmpegError, ValueError) as error:
        if first is None:
            raise TalkerError(f"cannot read {path}: no video decoder understands it; convert it to MP4") from error
    if first is None:
        raise TalkerError(f"cannot read {path}: its video track holds no picture")


def video_seconds(path: Path) -> float | None:
    """How long a video says it is; None when it does not say, or cannot be opened."""
    try:
        with av.open(str(path)) as container:
            return container.duration / av.time_base if container.duration else None
    except (av.FFmpegError, OSError, ValueError):
        return None


def read_sound(path: Path) -> Audio | None:
    """The video's sound, starting with its first picture; None when it has none that can be read."""
    try:
        return read_audio(path)
    except TalkerError:
        return None


def nominal_rate(seconds: np.ndarray) -> float:
    """Frames per second of a clock (T,): the median step, taken for a standard rate when it is near one."""
    if len(seconds) < 2:
        return 25.0
    step = float(np.median(np.diff(seconds)))
    mean = (len(seconds) - 1) / max(seconds[-1] - seconds[0], 1e-6)
    rate = mean if abs(mean * step - 1) < _NEAR or step <= 0 else 1 / step
    nearest = min(_STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return nearest if abs(nearest / rate - 1) < _NEAR / 4 else float(np.clip(rate, 1, 1000))


def _upright(frame: av.VideoFrame, seconds: float, longest_side: int) -> Picture:
    scale = min(1.0, longest_side / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    pixels = frame.reformat(width, height, format="rgb24").to_ndarray()
    quarters = round(frame.rotation % _FULL_TURN / _QUARTER) % 4
    size = (frame.width, frame.height) if quarters % 2 == 0 else (frame.height, frame.width)
    return Picture(seconds, np.ascontiguousarray(np.rot90(pixels, quarters)), size)
