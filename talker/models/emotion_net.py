"""`EmotionNet`: pictures of a moving face in, the emotion it shows out; a judge of talkers, and a loss for them."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from talker.emotion import EMOTIONS
from talker.models.lip_reader import picture_layers, picture_side, standardised
from talker.models.temporal_block import TemporalBlock, kept

FACE_FPS = 12.5


@dataclass(frozen=True)
class EmotionNetConfig:
    """Sizes of the emotion network.

    Attributes:
        size: Pixels across its pictures, which are face crops halved.
        channels: Of the front end, which halves the picture with every entry.
        width: Features per sequence.
        dilations: One temporal block per entry: the spacing of its taps in frames.
        kernel: Taps of each block (odd).
        dropout: Used in training only.
    """

    size: int = 56
    channels: tuple[int, ...] = (12, 24, 48, 96)
    width: int = 128
    dilations: tuple[int, ...] = (1, 2)
    kernel: int = 3
    dropout: float = 0.3


class SeenEmotion(NamedTuple):
    """What a batch of sequences shows.

    Attributes:
        scores: (B, 8) of `EMOTIONS` before the softmax.
        intensity: (B,) before the sigmoid.
        features: (B, width) of the whole sequence.
    """

    scores: Tensor
    intensity: Tensor
    features: Tensor


class EmotionNet(nn.Module):
    """Convolutions over each picture, then over time, then an average weighted by attention."""

    def __init__(self, config: EmotionNetConfig) -> None:
        super().__init__()
        self.config = config
        first = nn.Conv2d(1, config.channels[0], 5, stride=2, padding=2)
        self.front = nn.Sequential(first, nn.ReLU(), *picture_layers(config.channels))
        side = picture_side(config.size // 2, len(config.channels) - 1)
        self.input = nn.Linear(config.channels[-1] * side * side, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            TemporalBlock(config.width, config.kernel, dilation, config.dropout) for dilation in config.dilations
        )
        self.norm = nn.LayerNorm(config.width)
        self.attention = nn.Linear(config.width, 1)
        self.emotion_head = nn.Linear(config.width, len(EMOTIONS))
        self.intensity_head = nn.Linear(config.width, 1)

    def forward(self, pictures: Tensor, lengths: Tensor | None = None) -> SeenEmotion:
        """(B, T, S, S) in [0, 1] at 12.5 frames per second, of which `lengths` (B,) frames hold."""
        keep = kept(pictures, lengths)
        seen = standardised(pictures, keep).flatten(0, 1)[:, None]
        hidden = self.input(self.dropout(self.front(seen).flatten(1)))
        hidden = hidden.unflatten(0, pictures.shape[:2]) * keep
        for block in self.blocks:
            hidden = block(hidden, keep)
        hidden = self.norm(hidden)
        share = self.attention(hidden).masked_fill(keep == 0, -1e4).softmax(1)
        features = (hidden * share).sum(1)
        told = self.dropout(features)
        return SeenEmotion(self.emotion_head(told), self.intensity_head(told)[:, 0], features)

    @torch.no_grad()
    def shares(self, pictures: Tensor) -> Tensor:
        """(T, S, S) -> (8,) how sure it is of each of `EMOTIONS`."""
        return self(pictures[None]).scores[0].softmax(-1)
