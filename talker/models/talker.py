"""Speech features in, face curves out, all frames at once."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from talker.errors import TalkerError
from talker.rigs import arkit


@dataclass(frozen=True)
class TalkerConfig:
    """Sizes of the talker.

    Attributes:
        feature_width: Features per frame that the speech encoder delivers.
        width: Channels of the temporal convolutions.
        dilations: One residual block per entry: the spacing of its taps in frames.
        kernel: Taps of each block (odd).
        dropout: Used in training only.
        feature_dropout: Share of the features that is kept from it, each for a whole clip, in training: what a few
            speakers do with all of them together is quickly learnt by heart.
    """

    feature_width: int = 512
    width: int = 192
    dilations: tuple[int, ...] = (1, 2, 1)
    kernel: int = 5
    dropout: float = 0.2
    feature_dropout: float = 0.4

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise TalkerError(f"kernel must be odd, not {self.kernel}")


class Talker(nn.Module):
    """A few residual temporal convolutions at 50 Hz."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_mean: Tensor
        self.feature_scale: Tensor
        self.register_buffer("feature_mean", torch.zeros(config.feature_width))
        self.register_buffer("feature_scale", torch.ones(config.feature_width))
        self.feature_dropout = nn.Dropout1d(config.feature_dropout)
        self.input = nn.Linear(config.feature_width, config.width)
        self.blocks = nn.ModuleList(_Block(config, dilation) for dilation in config.dilations)
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, arkit.SHAPE_COUNT)
        nn.init.zeros_(self.output.weight)  # A channel that no data moves stays at rest.
        nn.init.zeros_(self.output.bias)

    @property
    def reach(self) -> int:
        """Frames of context on either side that can change a frame."""
        return self.config.kernel // 2 * sum(self.config.dilations)

    def measure_features(self, features: Tensor) -> None:
        """Set what the features are standardised by from (N, feature_width) of them."""
        self.feature_mean.copy_(features.mean(0))
        self.feature_scale.copy_(1.0 / (features.std(0) + 1e-3))

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Shape weights before clamping, for losses: a clamped output would stop learning at its limits.

        Args:
            features: (B, T, feature_width) at 50 Hz.
            lengths: (B,) frames that belong to each item; all of them when None.

        Returns:
            (B, T, 52).
        """
        keep = torch.ones((*features.shape[:2], 1)).to(features)
        if lengths is not None:
            keep = (torch.arange(features.shape[1]) < lengths.cpu()[:, None])[..., None].to(features)
        standard = (features - self.feature_mean) * self.feature_scale
        hidden = self.input(self.feature_dropout(standard.transpose(1, 2)).transpose(1, 2)) * keep
        for block in self.blocks:
            hidden = block(hidden, keep)
        return self.output(self.norm(hidden))

    def curves(self, features: Tensor) -> Tensor:
        """(B, T, feature_width) -> (B, T, 61): weights in [0, 1], then the angles at rest."""
        shapes = self(features).clamp(0.0, 1.0)
        return nn.functional.pad(shapes, (0, arkit.CHANNEL_COUNT - arkit.SHAPE_COUNT))


class _Block(nn.Module):
    """x + linear(GELU(convolution over time(norm(x)))), with frames that are not kept held at zero."""

    def __init__(self, config: TalkerConfig, dilation: int) -> None:
        super().__init__()
        padding = config.kernel // 2 * dilation
        self.norm = nn.LayerNorm(config.width)
        self.mix = nn.Conv1d(config.width, config.width, config.kernel, padding=padding, dilation=dilation)
        self.out = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor, keep: Tensor) -> Tensor:
        mixed = self.mix((self.norm(hidden) * keep).transpose(1, 2)).transpose(1, 2)
        return hidden + keep * self.dropout(self.out(nn.functional.gelu(mixed)))
