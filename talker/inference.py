"""The networks, loaded once and ready to run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.models.checkpoint import load_checkpoint
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES, SpeechEncoder, frame_count, in_pieces
from talker.models.talker import Talker

# Every recording is heard as if a second of silence lay around it: a mouth that starts and ends at rest.
_SILENCE_FRAMES = FEATURE_FPS


@dataclass(frozen=True)
class Model:
    """The networks, ready to run on one device."""

    encoder: SpeechEncoder
    talker: Talker
    device: torch.device

    def curves(self, samples: np.ndarray, strengths: np.ndarray | None = None, style: str | None = None) -> np.ndarray:
        """What was said and felt as talker's channels.

        Args:
            samples: (N,) float32 at 16 kHz.
            strengths: (ceil(N / 320), 8) of the emotions at 50 Hz, every row summing to 1; neutral when None.
            style: The speaker whose manner to take on, of those that the model has learnt.

        Returns:
            (ceil(N / 320), 61) float32 at 50 Hz.
        """
        space = self.talker.space
        if space.to_curves is None:
            raise TalkerError(f"this model speaks {space.name}, which takes your own model of it to become curves")
        return space.to_curves(self.motion(samples, strengths, style))

    @torch.inference_mode()
    def motion(self, samples: np.ndarray, strengths: np.ndarray | None = None, style: str | None = None) -> np.ndarray:
        """The same in the channels of the motion space that the talker speaks, (ceil(N / 320), C).

        An hour takes linear time and little memory: the sound is worked through in pieces that fit together.
        """
        frames = frame_count(len(samples))
        felt = neutral(frames) if strengths is None else _checked(strengths, frames)
        felt = np.pad(felt, ((_SILENCE_FRAMES, _SILENCE_FRAMES), (0, 0)), "edge" if frames else "constant")
        manner = torch.tensor([self.talker.emotion.style_index(style)], device=self.device)

        def moved(heard: torch.Tensor, first_frame: int, feels: torch.Tensor) -> torch.Tensor:
            features = self.encoder(heard.to(self.device), first_frame=first_frame)
            return self.talker.motion(features, feels.to(self.device), manner)

        heard = np.pad(samples, _SILENCE_FRAMES * HOP_SAMPLES)
        context = self.encoder.context + self.talker.reach
        context += -context % self.talker.grid
        out = np.empty((len(felt), self.talker.space.count), np.float32)
        for first, piece in in_pieces(moved, heard, context, felt):
            out[first : first + len(piece)] = piece.cpu().numpy()
        return out[_SILENCE_FRAMES : _SILENCE_FRAMES + frames]


def load_model(name: str | Path = "default", device: str = "auto") -> Model:
    """The model shipped with talker ("default") or one that `talker train` wrote to a folder."""
    chosen = _device(device)
    speech, talker = load_checkpoint(name)
    return Model(speech.encoder.to(chosen), talker.to(chosen), chosen)


def neutral(frames: int) -> np.ndarray:
    """(frames, 8) strengths of somebody who feels nothing."""
    return np.eye(1, len(EMOTIONS), dtype=np.float32).repeat(frames, 0)


def _checked(strengths: np.ndarray, frames: int) -> np.ndarray:
    given = np.asarray(strengths, np.float32)
    if given.shape != (frames, len(EMOTIONS)):
        raise TalkerError(f"strengths must be ({frames}, {len(EMOTIONS)}) at {FEATURE_FPS} Hz, not {given.shape}")
    if not np.isfinite(given).all() or given.min(initial=0) < 0 or np.abs(given.sum(1) - 1).max(initial=0) > 1e-3:
        raise TalkerError("strengths must be 0 or more and sum to 1 in every frame")
    return given


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TalkerError(f"no such device '{name}' on this machine; choose cpu, cuda or auto") from error
    return device
