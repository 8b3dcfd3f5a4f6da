"""`LipReader`: pictures of a talking mouth in, phones out; a judge of talkers, and a loss for them."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from talker.models.temporal_block import TemporalBlock, kept
from talker.phones import PHONES

LIP_FPS = 25


@dataclass(frozen=True)
class LipReaderConfig:
    """Sizes of the lip reader.

    Attributes:
        size: Pixels across its pictures, which are mouth crops halved.
        channels: Of the front end, which halves the picture with every entry.
        width: Features per frame.
        dilations: One temporal block per entry: the spacing of its taps in frames. Few, so that it reads lips instead
            of guessing words.
        kernel: Taps of each block (odd).
        dropout: Used in training only.
    """

    size: int = 48
    channels: tuple[int, ...] = (12, 24, 48, 96)
    width: int = 192
    dilations: tuple[int, ...] = (1, 1, 2)
    kernel: int = 5
    dropout: float = 0.2


class LipReader(nn.Module):
    """Convolutions over three frames and space, then over space, then over time; at 25 frames per second."""

    def __init__(self, config: LipReaderConfig) -> None:
        super().__init__()
        self.config = config
        self.motion = nn.Conv3d(1, config.channels[0], (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2))
        self.front = picture_layers(config.channels)
        side = picture_side(config.size // 2, len(config.channels) - 1)
        self.input = nn.Linear(config.channels[-1] * side * side, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            TemporalBlock(config.width, config.kernel, dilation, config.dropout) for dilation in config.dilations
        )
        self.norm = nn.LayerNorm(config.width)
        self.phone_head = nn.Linear(config.width, len(PHONES))
        self.order_head = nn.Linear(config.width, len(PHONES) + 1)  # The last is "nothing new".

    def features(self, pictures: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What it sees of the lips: (B, T, S, S) in [0, 1], of which `lengths` (B,) frames hold -> (B, T, width)."""
        keep = kept(pictures, lengths)
        seen = standardised(pictures, keep)[:, None]
        moving = nn.functional.relu(self.motion(seen).transpose(1, 2))  # (B, T, C, S/2, S/2)
        hidden = self.input(self.dropout(self.front(moving.flatten(0, 1)).flatten(1)))
        hidden = hidden.unflatten(0, pictures.shape[:2]) * keep
        for block in self.blocks:
            hidden = block(hidden, keep)
        return self.norm(hidden)

    def forward(self, pictures: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scores before the softmax: of each frame's phone (B, T, 49), and for CTC, whose blank is last (B, T, 50)."""
        features = self.features(pictures, lengths)
        return self.phone_head(features), self.order_head(features)

    @torch.no_grad()
    def phones(self, pictures: Tensor) -> list[str]:
        """The phones in order that it reads from a take, (T, S, S)."""
        best = self(pictures[None])[1][0].argmax(-1)
        said = best.unique_consecutive()
        return [PHONES[number] for number in said.tolist() if number < len(PHONES)]


def picture_layers(channels: tuple[int, ...]) -> nn.Sequential:
    """Convolutions that halve (N, C, S, S) pictures with every pair of neighbours in `channels`."""
    layers: list[nn.Module] = []
    for few, many in pairwise(channels):
        layers += [nn.Conv2d(few, many, 3, stride=2, padding=1), nn.GroupNorm(4, many), nn.ReLU()]
    return nn.Sequential(*layers)


def picture_side(size: int, halvings: int) -> int:
    """Pixels that are left of `size` after so many halvings, each rounded up."""
    for _ in range(halvings):
        size = (size + 1) // 2
    return size


def standardised(pictures: Tensor, keep: Tensor) -> Tensor:
    """(B, T, S, S) with the mean 0 and deviation 1 of each clip's kept frames: light and contrast tell nothing."""
    keep = keep[..., None]
    pixels = keep.sum(1, keepdim=True).clamp(min=1.0) * pictures[0, 0].numel()
    mean = (pictures * keep).sum((1, 2, 3), keepdim=True) / pixels
    centred = (pictures - mean) * keep
    return centred * torch.rsqrt(centred.square().sum((1, 2, 3), keepdim=True) / pixels + 1e-4)
