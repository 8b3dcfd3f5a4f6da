"""What hears: the speech encoder, and the phones it has learned to tell apart."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from talker.errors import TalkerError
from talker.models.speech_encoder import SpeechEncoder, frame_count, in_pieces


class PhoneHead(nn.Module):
    """Names the phone of a frame by the features around it."""

    reach = 3
    """Frames on either side that it looks at."""

    def __init__(self, width: int, phones: int, hidden: int = 256) -> None:
        super().__init__()
        self.around = nn.Conv1d(width, hidden, 2 * self.reach + 1, padding=self.reach)
        self.dropout = nn.Dropout(0.2)
        self.name = nn.Linear(hidden, phones)

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, width), zero beyond an item's end -> (B, T, phones), scores before the softmax."""
        hidden = nn.functional.gelu(self.around(features.transpose(1, 2)).transpose(1, 2))
        return self.name(self.dropout(hidden))


class Speech(nn.Module):
    """A speech encoder and, where it has learned phones, the head that names them.

    Args:
        encoder: Shared, not copied.
        phones: Names of the head's outputs; none for an encoder without a head.
        phone_head: The head; a new one when None.
    """

    def __init__(
        self, encoder: SpeechEncoder, phones: Sequence[str] = (), phone_head: "PhoneHead | None" = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.phones = tuple(phones)
        self.phone_head = (phone_head or PhoneHead(encoder.width, len(phones))) if phones else None

    def forward(self, samples: Tensor, lengths: Tensor | None = None, first_frame: int | Tensor = 0) -> Tensor:
        """Scores before the softmax, (B, ceil(N / 320), phones), of (B, N) samples at 16 kHz."""
        if self.phone_head is None:
            raise TalkerError("this speech encoder has not learned phones; take one that `talker train speech` made")
        return self.phone_head(self.encoder(samples, lengths, first_frame))

    @torch.inference_mode()
    def phone_probabilities(self, samples: np.ndarray) -> np.ndarray:
        """A recording of any length, (N,) at 16 kHz -> (ceil(N / 320), phones) at 50 Hz; every frame sums to 1."""
        out = np.empty((frame_count(len(samples)), len(self.phones)), np.float32)
        device = next(self.parameters()).device

        def scores(piece: Tensor, first_frame: int) -> Tensor:
            return self(piece.to(device), first_frame=first_frame)

        for first, piece in in_pieces(scores, samples, self.encoder.context + PhoneHead.reach):
            out[first : first + len(piece)] = piece.softmax(-1).cpu().numpy()
        return out
