"""The sound of an HTML preview: AAC in an MP4 container.

Of what browsers play, this is the pair that every current one knows and whose encoder delay is part of the format (an
edit list), so that sample 0 of the sound is time 0 of the player. MP3's delay is a convention that not all honour,
Opus is new to Safari, and uncompressed sound is twenty times as large.
"""

import io
from fractions import Fraction

import numpy as np

from talker.audio import Audio

SAMPLE_RATE = 32_000
BIT_RATE = 64_000  # Transparent for one voice; 0.6 MB of page per minute.
_FRAME_SAMPLES = 1024


def encode_m4a(audio: Audio) -> bytes:
    """The sound as an `.m4a` file: mono, the same bytes for the same samples."""
    import av

    samples = np.clip(audio.resample(SAMPLE_RATE).samples, -1.0, 1.0)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        for start in range(0, len(samples), _FRAME_SAMPLES):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + _FRAME_SAMPLES], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()
