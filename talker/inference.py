"""From sound to a face: load a model once, animate anything."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from talker.animation import MAX_FRAMES, FaceAnimation
from talker.audio import NETWORK_RATE, Audio, read_audio
from talker.errors import TalkerError
from talker.models.checkpoint import load_checkpoint
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES, SpeechEncoder, frame_count, in_pieces
from talker.models.talker import Talker
from talker.rigs import arkit

# Every recording is heard as if a second of silence lay around it: a mouth that starts and ends at rest.
_SILENCE_FRAMES = FEATURE_FPS


@dataclass(frozen=True)
class Model:
    """The networks, ready to run on one device."""

    encoder: SpeechEncoder
    talker: Talker
    device: torch.device

    @torch.inference_mode()
    def curves(self, samples: np.ndarray) -> np.ndarray:
        """(N,) float32 at 16 kHz -> (ceil(N / 320), 61) float32 at 50 Hz.

        An hour takes linear time and little memory: the sound is worked through in pieces that fit together.
        """
        heard = np.pad(samples, _SILENCE_FRAMES * HOP_SAMPLES)
        context = self.encoder.context + self.talker.reach
        out = np.empty((frame_count(len(heard)), arkit.CHANNEL_COUNT), np.float32)
        for first, piece in in_pieces(self._curves, heard, context):
            out[first : first + len(piece)] = piece.cpu().numpy()
        return out[_SILENCE_FRAMES : _SILENCE_FRAMES + frame_count(len(samples))]

    def _curves(self, samples: torch.Tensor) -> torch.Tensor:
        return self.talker.curves(self.encoder(samples.to(self.device)))


def load_model(name: str | Path = "default", device: str = "auto") -> Model:
    """The model shipped with talker ("default") or one that `talker train` wrote to a folder."""
    chosen = _device(device)
    speech, talker = load_checkpoint(name)
    return Model(speech.encoder.to(chosen), talker.to(chosen), chosen)


def animate(
    source: Path | str | Audio | np.ndarray,
    sample_rate: int | None = None,
    *,
    fps: float = 60.0,
    model: Model | str | Path = "default",
    device: str = "auto",
) -> FaceAnimation:
    """Animate a face from speech.

    Args:
        source: A sound or video file, an `Audio`, or samples (N,) or (N, channels): floats in [-1, 1] or integers.
        sample_rate: Of the samples, in Hz; files know their own.
        fps: Frames per second of the result.
        model: A loaded model (load it once for many files), "default", or a folder written by `talker train`.
        device: "cpu", "cuda" or "auto", for a model that is not loaded yet.

    Returns:
        The take, with the sound attached.
    """
    audio, meta = _audio_of(source, sample_rate)
    if len(audio.samples) == 0:
        raise TalkerError(f"{meta.get('source', 'the sound')} is empty: there is nothing to animate")
    if audio.duration * max(fps, FEATURE_FPS) > MAX_FRAMES:
        raise TalkerError(f"{audio.duration / 3600:.1f} hours at {fps:g} fps is too long for one take: cut the sound")
    if not isinstance(model, Model):
        model = load_model(model, device)
    curves = arkit.eye_angles_from_looks(model.curves(audio.resample(NETWORK_RATE).samples))
    take = FaceAnimation(curves, FEATURE_FPS, audio, meta).resample(fps)
    frames = max(1, math.ceil(audio.duration * fps - 1e-6))  # The last 50th of a second may outlast the sound.
    return replace(take, curves=take.curves[:frames])


def _audio_of(source: Path | str | Audio | np.ndarray, sample_rate: int | None) -> tuple[Audio, dict[str, str]]:
    if isinstance(source, str | Path):
        return read_audio(source), {"source": Path(source).name}
    if isinstance(source, Audio):
        return source, {}
    if sample_rate is None:
        raise TalkerError("animate(samples) needs their rate: animate(samples, sample_rate=16000)")
    samples = np.asarray(source)
    if np.issubdtype(samples.dtype, np.signedinteger):
        samples = samples / -float(np.iinfo(samples.dtype).min)
    return Audio(samples, sample_rate), {}


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TalkerError(f"no such device '{name}' on this machine; choose cpu, cuda or auto") from error
    return device
