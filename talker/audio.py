"""Sound: one immutable type, read from any container, resampled without surprises."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from talker.errors import TalkerError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

NETWORK_RATE = 16_000
"""Samples per second that every speech network here hears."""

MAX_SECONDS = 12 * 3600
_RATES = (1_000, 768_000)
_MOST_SHIFT = 300.0  # Seconds between the starts of a video's tracks; beyond this their clocks are broken.


@dataclass(frozen=True, eq=False)
class Audio:
    """Mono sound: `samples` float32 (N,) nominally in [-1, 1], at `sample_rate` Hz. The samples are read-only."""

    samples: np.ndarray
    sample_rate: int

    def __post_init__(self) -> None:
        samples = np.array(self.samples, np.float32)
        if samples.ndim == 2:  # Any channel order a caller may have: the shorter axis holds the channels.
            channels = int(np.argmin(samples.shape))
            samples = samples.mean(axis=channels, dtype=np.float32) if samples.size else samples.reshape(0)
        if samples.ndim != 1:
            raise TalkerError(f"audio samples must have shape (N,) or (N, channels), not {samples.shape}")
        if not _RATES[0] <= self.sample_rate <= _RATES[1]:
            raise TalkerError(f"a sample rate of {self.sample_rate} Hz is outside {_RATES[0]}..{_RATES[1]} Hz")
        bad = np.flatnonzero(~np.isfinite(samples))
        if len(bad):
            raise TalkerError(
                f"audio sample {bad[0]} (at {bad[0] / self.sample_rate:.3f} s) is {samples[bad[0]]}; "
                f"{len(bad)} of {len(samples)} samples are not finite numbers: export the sound again"
            )
        samples.setflags(write=False)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "sample_rate", int(self.sample_rate))

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.sample_rate

    def resample(self, sample_rate: int) -> "Audio":
        """The same sound at another rate (soxr, high quality); `self` when the rate is the same."""
        if sample_rate == self.sample_rate:
            return self
        if len(self.samples) == 0:
            return Audio(self.samples, sample_rate)
        import soxr

        return Audio(soxr.resample(self.samples, self.sample_rate, sample_rate, "HQ"), sample_rate)

    def slice(self, start: float, end: float) -> "Audio":
        """The sound from `start` to `end` seconds; what lies outside the recording is silence."""
        first, last = round(start * self.sample_rate), round(end * self.sample_rate)
        return Audio(stretch(self.samples, first, last), self.sample_rate)


def stretch(samples: np.ndarray, first: int, last: int) -> np.ndarray:
    """(last - first,) float32 copy of the samples between two places; what lies outside them is silence."""
    out = np.zeros(max(last - first, 0), np.float32)
    low, high = max(first, 0), min(last, len(samples))
    if high > low:
        out[low - first : high - first] = samples[low:high]
    return out


def read_audio(path: Path | str) -> Audio:
    """Read the first sound track of any audio or video file, mixed down to mono at its own sample rate.

    The sound of a video starts with its picture: silence is put before a track that starts later, and what was heard
    before the first picture is cut.
    """
    path = Path(path)
    if not path.exists():
        raise TalkerError(f"no such file: {path}")
    if path.is_dir():
        raise TalkerError(f"{path} is a folder, not a sound file")
    if path.stat().st_size == 0:
        raise TalkerError(f"cannot read {path}: the file is empty")
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:  # Exact and fast for WAV, FLAC, OGG and MP3.
            _check_length(path, file.frames / file.samplerate)
            samples, rate = file.read(dtype="float32", always_2d=True).mean(axis=1), file.samplerate
    except (soundfile.LibsndfileError, RuntimeError, TypeError):  # TypeError: a .raw file has no header.
        samples, rate = _decode(path)
    try:
        return Audio(samples, rate)
    except TalkerError as error:
        raise TalkerError(f"{path}: {error}") from error


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """Decode with FFmpeg's libraries what soundfile does not know (video files, M4A, WMA, ...)."""
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise TalkerError(f"{path} holds no sound track")
            stream = container.streams.audio[0]
            if stream.codec_context is None or not stream.codec_context.rate:
                raise ValueError("no decoder for this sound track")
            rate = stream.codec_context.rate
            late = round(rate * _seconds_after_picture(container, stream))
            mono = av.AudioResampler(format="flt", layout="mono", rate=rate)
            blocks: list[np.ndarray] = []
            decoded = 0
            for frame in _until_corrupt(container.decode(stream)):
                blocks += [block.to_ndarray()[0] for block in mono.resample(frame)]
                decoded += frame.samples
                _check_length(path, decoded / rate)
            blocks += [block.to_ndarray()[0] for block in mono.resample(None)]
    except (av.FFmpegError, ValueError) as error:
        raise TalkerError(f"cannot read {path}: no sound decoder understands it; convert it to WAV") from error
    if not blocks:
        raise TalkerError(f"cannot read {path}: its sound track is empty or corrupt; convert it to WAV")
    samples = np.concatenate([np.zeros(max(late, 0), np.float32), *blocks])
    return samples[max(-late, 0) :], rate


def _seconds_after_picture(container: "InputContainer", sound: "av.AudioStream") -> float:
    """How much later than the picture the sound of a video starts; 0 without a picture."""
    starts = [
        float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
        for stream in (sound, *container.streams.video[:1])
    ]
    late = starts[0] - starts[-1]
    return late if abs(late) <= _MOST_SHIFT else 0.0


def _until_corrupt(frames: "Iterator[av.AudioFrame]") -> "Iterator[av.AudioFrame]":
    """The frames that decode: a recording cut off in the middle is still worth its first half."""
    import av

    some = False
    try:
        for frame in frames:
            yield frame
            some = True
    except av.FFmpegError:
        if not some:
            raise


def _check_length(path: Path, seconds: float) -> None:
    if seconds > MAX_SECONDS:
        raise TalkerError(f"{path} claims {seconds / 3600:.0f} hours of sound; the most is {MAX_SECONDS // 3600}")


def write_wav(audio: Audio, path: Path) -> None:
    """Write 16-bit PCM."""
    import soundfile

    soundfile.write(path, audio.samples, audio.sample_rate, subtype="PCM_16", format="WAV")
