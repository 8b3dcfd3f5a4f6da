"""One clip as the members of a shard, and back: sound, curves, landmarks and a description, always the same bytes."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from talker.audio import NETWORK_RATE, Audio
from talker.errors import TalkerError
from talker.files import ARCHIVE_ERRORS
from talker.rigs import arkit
from talker.tracking.landmarks import LandmarkTrack

SoundCodec = Literal["flac", "opus"]

LANDMARK_STEPS = 16384
"""Landmark units in the width (x, z) or height (y) of the picture."""

OPUS_BIT_RATE = 32_000
_OPUS_FRAME = NETWORK_RATE // 50


def encode_sound(audio: Audio, codec: SoundCodec) -> bytes:
    """The sound at 16 kHz: FLAC keeps 16 bits, Opus is ten times smaller."""
    audio = audio.resample(NETWORK_RATE)
    if codec == "opus":
        return _encode_opus(audio.samples)
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, audio.samples, NETWORK_RATE, subtype="PCM_16", format="FLAC")
    return buffer.getvalue()


def decode_sound(data: bytes) -> np.ndarray:
    """(N,) float32 at 16 kHz."""
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise TalkerError("the sound of the sample cannot be decoded") from error
    return Audio(samples, rate).resample(NETWORK_RATE).samples


def _encode_opus(samples: np.ndarray) -> bytes:
    import av

    buffer = io.BytesIO()
    # Without "bitexact" the stream gets a random serial number.
    with av.open(buffer, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=NETWORK_RATE, layout="mono")
        stream.bit_rate = OPUS_BIT_RATE
        to_codec = av.AudioResampler(stream.codec_context.format, "mono", NETWORK_RATE, frame_size=_OPUS_FRAME)
        block = av.AudioFrame.from_ndarray(np.clip(samples[None], -1.0, 1.0), "fltp", "mono")
        block.sample_rate, block.pts, block.time_base = NETWORK_RATE, 0, Fraction(1, NETWORK_RATE)
        for frame in [*to_codec.resample(block), *to_codec.resample(None)]:
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves as stored: (T, 61) float16 at `fps`, (T,) bool valid, (T,) float16 confidence.

    `mouth` is (T, 3) float16, `talker.datasets.mouth.MOUTH_MEASURES` of the landmarks, NaN where there were none.

    Half precision errs by 0.0002 at most, a hundredth of the tracker's noise.
    """

    curves: np.ndarray
    fps: float
    valid: np.ndarray
    confidence: np.ndarray
    mouth: np.ndarray

    def encode(self) -> bytes:
        """As `.npz`."""
        return _npz(
            curves=self.curves.astype(np.float16),
            fps=np.array(self.fps),
            valid=self.valid,
            confidence=self.confidence.astype(np.float16),
            mouth=self.mouth.astype(np.float16),
        )

    @classmethod
    def decode(cls, data: bytes) -> "Curves":
        """Read what `encode` wrote."""
        arrays = _arrays(data)
        curves = arrays["curves"].astype(np.float32)
        if curves.ndim != 2 or curves.shape[1] != arkit.CHANNEL_COUNT:
            raise TalkerError(f"the curves of the sample have shape {curves.shape}")
        confidence, mouth = (arrays[name].astype(np.float32) for name in ("confidence", "mouth"))
        return cls(curves, float(arrays["fps"]), arrays["valid"], confidence, mouth)


def encode_landmarks(track: LandmarkTrack) -> bytes:
    """A track without its sound as `.npz`; frame-to-frame differences compress to a third of positions."""
    width, height = track.frame_size
    scale = np.array([width, height, width]) / LANDMARK_STEPS
    units = np.clip(np.rint(track.landmarks / scale), -32768, 32767).astype(np.int16)
    return _npz(
        steps=np.diff(units, axis=0, prepend=np.zeros_like(units[:1])),  # Wraps around, and back when added up.
        index=track.index.astype(np.int16),
        found=track.found,
        face_count=track.face_count.astype(np.uint8),
        cuts=track.cuts,
        fps=np.array(track.fps),
        frame_size=np.array(track.frame_size),
    )


def decode_landmarks(data: bytes, name: str) -> LandmarkTrack:
    """Read what `encode_landmarks` wrote."""
    arrays = _arrays(data)
    width, height = (int(size) for size in arrays["frame_size"])
    scale = np.array([width, height, width], np.float32) / LANDMARK_STEPS
    found, fps = arrays["found"], float(arrays["fps"])
    return LandmarkTrack(
        name=name,
        fps=fps,
        frame_size=(width, height),
        landmarks=np.cumsum(arrays["steps"], axis=0, dtype=np.int16) * scale,
        index=arrays["index"].astype(np.int64),
        found=found,
        timestamps=np.arange(len(found)) / fps,
        face_count=arrays["face_count"].astype(np.int64),
        cuts=arrays["cuts"],
    )


def encode_json(data: Mapping[str, Any]) -> bytes:
    """One line, keys in the order given."""
    return (json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except ARCHIVE_ERRORS as error:
        raise TalkerError("an array of the sample cannot be decoded") from error
