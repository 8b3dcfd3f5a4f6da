"""The networks, loaded once and ready to run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.models.checkpoint import load_checkpoint
from talker.models.speech import PhoneHead
from talker.models.speech_encoder import FEATURE_FPS, SpeechEncoder, frame_count, in_pieces
from talker.models.talker import Talker
from talker.phones import PHONES

# Every recording is heard as if a second of silence lay around it: a mouth that starts and ends at rest.
_SILENCE_FRAMES = FEATURE_FPS


@dataclass(frozen=True)
class Model:
    """The networks, ready to run on one device."""

    encoder: SpeechEncoder
    talker: Talker
    device: torch.device
    phone_head: nn.Module | None = None
    """Tells `talker.phones.PHONES` from the encoder's features, where it has learnt to."""

    def curves(self, samples: np.ndarray, strengths: np.ndarray | None = None, style: str | None = None) -> np.ndarray:
        """What was said and felt as talker's channels.

        Args:
            samples: (N,) float32 at 16 kHz.
            strengths: (ceil(N / 320), 8) of the emotions at 50 Hz, every row summing to 1; neutral when None.
            style: The speaker whose manner to take on, of those that the model has learnt.

        Returns:
            (ceil(N / 320), 61) float32 at 50 Hz.
        """
        return self.speak(samples, (strengths,), style)[0][0]

    def speak(
        self, samples: np.ndarray, moods: Sequence[np.ndarray | None], style: str | None = None
    ) -> tuple[list[np.ndarray], np.ndarray | None]:
        """`curves` under several strengths at the cost of hearing once; and the phones that were heard.

        Returns:
            Curves of each mood, and (ceil(N / 320), phones) probabilities of `talker.phones.PHONES`, None where the
            speech encoder knows no phones.
        """
        space = self.talker.space
        if space.to_curves is None:
            raise TalkerError(f"this model speaks {space.name}, which takes your own model of it to become curves")
        motions, phones = self._run(samples, moods, style)
        return [space.to_curves(motion) for motion in motions], phones

    def motion(self, samples: np.ndarray, strengths: np.ndarray | None = None, style: str | None = None) -> np.ndarray:
        """The same as `curves` in the channels of the motion space that the talker speaks, (ceil(N / 320), C)."""
        return self._run(samples, (strengths,), style)[0][0]

    @torch.inference_mode()
    def _run(
        self, samples: np.ndarray, moods: Sequence[np.ndarray | None], style: str | None
    ) -> tuple[list[np.ndarray], np.ndarray | None]:
        """Motions and phones.

        An hour takes linear time and little memory: the sound is worked through in pieces that fit together.
        """
        frames = frame_count(len(samples))
        around = ((_SILENCE_FRAMES, _SILENCE_FRAMES), (0, 0))
        tracks = [
            np.pad(
                neutral(frames) if mood is None else _checked(mood, frames), around, "edge" if frames else "constant"
            )
            for mood in moods
        ]
        manner = torch.tensor([self.talker.emotion.style_index(style)], device=self.device)

        def moved(heard: torch.Tensor, first_frame: int, *feels: torch.Tensor) -> torch.Tensor:
            features = self.encoder(heard.to(self.device), first_frame=first_frame)
            out = [self.talker.motion(features, feel.to(self.device), manner) for feel in feels]
            return torch.cat(out if self.phone_head is None else [*out, self.phone_head(features).softmax(-1)], dim=-1)

        context = self.encoder.context + max(self.talker.reach, PhoneHead.reach)
        context += -context % self.talker.grid
        channels = self.talker.space.count
        motions = [np.empty((frames, channels), np.float32) for _ in moods]
        phones = None if self.phone_head is None else np.empty((frames, len(PHONES)), np.float32)
        told = [*motions] if phones is None else [*motions, phones]
        borders = np.cumsum([0, *(array.shape[1] for array in told)])
        for begin, piece in in_pieces(moved, samples, context, *tracks, silence=_SILENCE_FRAMES):
            at = begin - _SILENCE_FRAMES  # In the recording, without the silence around it.
            first, last = np.clip((at, at + len(piece)), 0, frames)
            rows = piece[first - at : last - at].cpu().numpy()
            for array, left, right in zip(told, borders, borders[1:], strict=False):
                array[first:last] = rows[:, left:right]
        return motions, phones


def load_model(name: str | Path = "default", device: str = "auto") -> Model:
    """The model shipped with talker ("default") or one that `talker train` wrote to a folder."""
    chosen = _device(device)
    speech, talker = load_checkpoint(name)
    speech.to(chosen)
    return Model(speech.encoder, talker.to(chosen), chosen, speech.phone_head if speech.phones == PHONES else None)


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
