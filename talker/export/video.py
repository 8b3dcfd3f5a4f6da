"""MP4: the face as H.264, its sound as AAC, in step to the sample."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.export.registry import ExportOptions
from talker.render.film import Film
from talker.render.portrait import portrait_of

_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_BLOCK = 1024  # Samples in an AAC frame.
_LONG_TAKE = 5.0  # Seconds above which a progress bar is worth its lines.


def write(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Draw and encode the take; frame i is shown at i / fps, and the sound lasts exactly as long as the picture."""
    film = Film(animation, portrait_of(options.head), options.size, options.side_view, options.curve_strip)
    frames = _with_progress(film.frames(), animation)
    encode(path, frames, film.width, film.height, animation.fps, fitting_sound(animation))


def encode(
    path: Path, frames: Iterable[np.ndarray], width: int, height: int, fps: float, sound: Audio | None = None
) -> None:
    """Write (height, width, 3) uint8 pictures as an MP4, with a sound at one of AAC's rates."""
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = 1 / rate
        # Without B-frames the first picture has decoding time 0, and no player has to shift it.
        video.options = {"crf": "18", "preset": "veryfast", "bf": "0"}
        blocks = iter(()) if sound is None else _sound_packets(container, sound)
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(video.encode(frame))
            for seconds in blocks:  # Sound goes along with the picture: the muxer need not hold either back.
                if seconds > (index + 1) / fps:
                    break
        for _ in blocks:
            pass
        container.mux(video.encode())


def _sound_packets(container: Any, sound: Audio) -> Iterator[float]:
    """Write the sound block by block; yields the seconds written so far."""
    stream = container.add_stream("aac", rate=sound.sample_rate, layout="mono")
    stream.bit_rate = 128_000 if sound.sample_rate >= 32_000 else 64_000

    def blocks() -> Iterator[float]:
        for start in range(0, len(sound.samples), _BLOCK):
            frame = av.AudioFrame.from_ndarray(sound.samples[None, start : start + _BLOCK], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = sound.sample_rate, start, Fraction(1, sound.sample_rate)
            container.mux(stream.encode(frame))
            yield (start + frame.samples) / sound.sample_rate
        container.mux(stream.encode())

    return blocks()


def fitting_sound(animation: FaceAnimation) -> Audio | None:
    """The sound at a rate AAC knows, padded or cut to the length of the take."""
    if animation.audio is None:
        return None
    rate = next((rate for rate in _AAC_RATES if rate >= animation.audio.sample_rate), _AAC_RATES[-1])
    return animation.audio.slice(0, animation.duration).resample(rate)


def _with_progress(frames: Iterator[np.ndarray], animation: FaceAnimation) -> Iterator[np.ndarray]:
    """The same frames, counted on the terminal when there are many."""
    if animation.duration < _LONG_TAKE:
        yield from frames
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("drawing", total=animation.frame_count)
        for frame in frames:
            yield frame
            progress.advance(task)
