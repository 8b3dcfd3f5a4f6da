"""Crops heard as if they had been cut out of anywhere: an encoder tells places apart, but none may matter."""

import torch
from torch import Tensor

from talker.models.speech_encoder import SpeechEncoder


def hear(encoder: SpeechEncoder, samples: Tensor, lengths: Tensor) -> Tensor:
    """(B, N) at 16 kHz, (B,) samples of each -> features, every item heard at a place drawn at random."""
    places = encoder.config.places if encoder.config else 0
    return encoder(samples, lengths, torch.randint(max(places, 1), (len(samples),)))
