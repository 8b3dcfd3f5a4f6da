"""Speech through real codecs and back, in place: what the net, the telephone and old recordings do to it."""

import io
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from talker.audio import NETWORK_RATE

_LARGEST_DELAY = round(0.15 * NETWORK_RATE)
_MU = 255.0


@dataclass(frozen=True)
class Codec:
    """A codec of FFmpeg in a container that holds it, and the bit rates at which it still carries speech."""

    name: str
    container: str
    bit_rates: tuple[float, float]


MU_LAW = Codec("mu-law", "", (64_000.0, 64_000.0))

CODECS: tuple[Codec, ...] = (
    Codec("libopus", "ogg", (6_000.0, 32_000.0)),
    Codec("libmp3lame", "mp3", (16_000.0, 48_000.0)),
    Codec("aac", "adts", (16_000.0, 48_000.0)),
    MU_LAW,
)


def round_trip(samples: np.ndarray, codec: Codec, bit_rate: float) -> np.ndarray:
    """(N,) samples at 16 kHz as they come out of the codec: as many, and none of them earlier or later."""
    samples = np.clip(samples, -1.0, 1.0).astype(np.float32)
    if len(samples) < 2 * _LARGEST_DELAY:
        return samples
    if codec == MU_LAW:
        squeezed = np.sign(samples) * np.log1p(_MU * np.abs(samples)) / np.log1p(_MU)
        steps = np.round(squeezed * 127) / 127
        return (np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(_MU)) / _MU).astype(np.float32)
    return _in_place(_decode(_encode(samples, codec, round(bit_rate))), samples)


def _encode(samples: np.ndarray, codec: Codec, bit_rate: int) -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=codec.container, options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec.name, rate=NETWORK_RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = bit_rate
        stream.codec_context.open()
        size = stream.codec_context.frame_size
        to_codec = av.AudioResampler(stream.codec_context.format, "mono", NETWORK_RATE, frame_size=size)
        block = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        block.sample_rate, block.pts, block.time_base = NETWORK_RATE, 0, Fraction(1, NETWORK_RATE)
        for frame in [*to_codec.resample(block), *to_codec.resample(None)]:
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def _decode(data: bytes) -> np.ndarray:
    import av

    blocks: list[np.ndarray] = []
    with av.open(io.BytesIO(data), "r") as container:
        to_mono = av.AudioResampler(format="flt", layout="mono", rate=NETWORK_RATE)
        for frame in container.decode(audio=0):
            blocks += [block.to_ndarray()[0] for block in to_mono.resample(frame)]
        blocks += [block.to_ndarray()[0] for block in to_mono.resample(None)]
    return np.concatenate(blocks)


def _in_place(decoded: np.ndarray, original: np.ndarray) -> np.ndarray:
    """The decoded sound moved to where the original is: containers disagree about a codec's delay."""
    size = 1 << int(np.ceil(np.log2(len(decoded) + len(original))))
    match = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(original, size)), size)
    late = np.r_[match[-_LARGEST_DELAY:], match[: _LARGEST_DELAY + 1]]
    shift = int(np.argmax(late)) - _LARGEST_DELAY
    out = np.zeros(len(original), np.float32)
    part = decoded[max(shift, 0) :][: len(original) - max(-shift, 0)]
    out[max(-shift, 0) :][: len(part)] = part
    return out
