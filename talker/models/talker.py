"""Speech features and emotion in, face motion out, all frames at once."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.models.emotion_encoder import EmotionEncoder, EmotionEncoderConfig
from talker.models.motion_prior import FRAMES_PER_LATENT, MotionDecoder, MotionPriorConfig
from talker.models.motion_space import motion_space
from talker.models.temporal_block import TemporalBlock, kept


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
        emotion: How emotions and styles come in.
        space: The motion space that it speaks.
        prior: The motion prior whose decoder it speaks through; straight to the channels when None.
    """

    feature_width: int = 512
    width: int = 192
    dilations: tuple[int, ...] = (1, 2, 1)
    kernel: int = 5
    dropout: float = 0.2
    feature_dropout: float = 0.4
    emotion: EmotionEncoderConfig = field(default_factory=EmotionEncoderConfig)
    space: str = "arkit"
    prior: MotionPriorConfig | None = None

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise TalkerError(f"kernel must be odd, not {self.kernel}")
        channels = motion_space(self.space).count
        if self.prior is not None and self.prior.channels != channels:
            raise TalkerError(f"{self.space} has {channels} channels, but the motion prior has {self.prior.channels}")


class Talker(nn.Module):
    """A few residual temporal convolutions at 50 Hz, then a linear map or the decoder of a motion prior."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.config, self.space = config, motion_space(config.space)
        self.feature_mean: Tensor
        self.feature_scale: Tensor
        self.register_buffer("feature_mean", torch.zeros(config.feature_width))
        self.register_buffer("feature_scale", torch.ones(config.feature_width))
        self.feature_dropout = nn.Dropout1d(config.feature_dropout)
        self.input = nn.Linear(config.feature_width, config.width)
        self.emotion = EmotionEncoder(config.emotion, config.width)
        self.blocks = nn.ModuleList(
            TemporalBlock(config.width, config.kernel, dilation, config.dropout) for dilation in config.dilations
        )
        self.norm = nn.LayerNorm(config.width)
        self.decoder = None if config.prior is None else MotionDecoder(config.prior).requires_grad_(False)
        self.output: nn.Module
        if config.prior is None:
            self.output = nn.Linear(config.width, self.space.count)
            nn.init.zeros_(self.output.weight)  # A channel that no data moves stays at rest.
            nn.init.zeros_(self.output.bias)
        else:
            self.output = nn.Conv1d(config.width, config.prior.latent, FRAMES_PER_LATENT, stride=FRAMES_PER_LATENT)

    @property
    def reach(self) -> int:
        """Frames of context on either side that can change a frame."""
        own = self.config.kernel // 2 * sum(self.config.dilations) + self.emotion.reach
        return own if self.decoder is None else own + self.decoder.reach

    @property
    def grid(self) -> int:
        """Pieces of a recording must begin at multiples of this many frames."""
        return 1 if self.decoder is None else FRAMES_PER_LATENT

    def measure_features(self, features: Tensor) -> None:
        """Set what the features are standardised by from (N, feature_width) of them."""
        self.feature_mean.copy_(features.mean(0))
        self.feature_scale.copy_(1.0 / (features.std(0) + 1e-3))

    def forward(
        self,
        features: Tensor,
        strengths: Tensor | None = None,
        lengths: Tensor | None = None,
        style: Tensor | None = None,
    ) -> Tensor:
        """Motion before clamping, for losses: a clamped output would stop learning at its limits.

        Args:
            features: (B, T, feature_width) at 50 Hz.
            strengths: (B, T, 8) of the emotions; neutral when None.
            lengths: (B,) frames that belong to each item; all of them when None.
            style: (B,) indices of styles, -1 for the pivot; the pivot for all when None.

        Returns:
            (B, T, channels of the space).
        """
        return self.decode(self.latents(features, strengths, lengths, style), features.shape[1], lengths)

    def latents(
        self,
        features: Tensor,
        strengths: Tensor | None = None,
        lengths: Tensor | None = None,
        style: Tensor | None = None,
    ) -> Tensor:
        """What the prior's decoder makes motion of, (B, ceil(T / 8), latent); without a prior, motion less the rest."""
        keep = kept(features, lengths)
        if strengths is None:
            strengths = neutral_strengths(features)
        standard = (features - self.feature_mean) * self.feature_scale
        hidden = self.input(self.feature_dropout(standard.transpose(1, 2)).transpose(1, 2)) * keep
        hidden = hidden + self.emotion(strengths.to(hidden), keep, style)
        for block in self.blocks:
            hidden = block(hidden, keep)
        hidden = self.norm(hidden)
        if self.decoder is None:
            return self.output(hidden)
        hidden = nn.functional.pad(hidden * keep, (0, 0, 0, -hidden.shape[1] % FRAMES_PER_LATENT))
        return self.output(hidden.transpose(1, 2)).transpose(1, 2)

    def decode(self, latents: Tensor, frames: int, lengths: Tensor | None = None) -> Tensor:
        """What `latents` returned, as (B, frames, channels of the space)."""
        if self.decoder is not None:
            return self.decoder(latents, frames, lengths)
        return latents + torch.from_numpy(self.space.rest).to(latents)

    def motion(self, features: Tensor, strengths: Tensor | None = None, style: Tensor | None = None) -> Tensor:
        """(B, T, feature_width), (B, T, 8), (B,) -> (B, T, channels of the space), within its limits."""
        motion = self(features, strengths, style=style)
        low, high = (torch.from_numpy(limit).to(motion) for limit in (self.space.low, self.space.high))
        return motion.clamp(low, high)


def neutral_strengths(features: Tensor) -> Tensor:
    """(B, T, …) -> (B, T, 8) of somebody who feels nothing."""
    strengths = features.new_zeros(*features.shape[:2], len(EMOTIONS))
    strengths[..., 0] = 1
    return strengths
