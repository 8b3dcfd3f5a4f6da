"""The sound of an HTML preview: Opus in WebM.

Every current browser decodes it by itself (AAC is left to the system in some, and absent there at times), its encoder
delay is part of the format, so that sample 0 of the sound is time 0 of the player (that of MP3 is a convention), and it
is the smallest that keeps a voice clear.
"""

import io
from fractions import Fraction

import numpy as np

from talker.audio import Audio

SAMPLE_RATE = 48_000  # Opus knows no other.
BIT_RATE = 48_000  # Transparent for one voice; 0.5 MB of page per minute.
_FRAME_SAMPLES = SAMPLE_RATE // 50  # 20 ms, what one Opus packet holds.
_BLOCK_SAMPLES = SAMPLE_RATE


def encode_webm(audio: Audio) -> bytes:
    """The sound as a mono WebM file, the same bytes for the same samples."""
    import av

    samples = audio.resample(SAMPLE_RATE).samples
    buffer = io.BytesIO()
    # Without "bitexact" the muxer makes up a random identifier.
    with av.open(buffer, "w", format="webm", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        to_codec = av.AudioResampler(stream.codec_context.format, "mono", SAMPLE_RATE, frame_size=_FRAME_SAMPLES)
        for start in range(0, len(samples), _BLOCK_SAMPLES):
            values = np.clip(samples[None, start : start + _BLOCK_SAMPLES], -1.0, 1.0)
            block = av.AudioFrame.from_ndarray(values, "fltp", "mono")
            block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
            for frame in to_codec.resample(block):
                container.mux(stream.encode(frame))
        for frame in to_codec.resample(None):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()
