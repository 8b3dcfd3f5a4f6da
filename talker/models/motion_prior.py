"""What faces do: a temporal VAE of face motion, one Gaussian latent for every 8 frames.

Whatever is decoded from its latents looks like the motion that it learnt from, however odd the latents are: what a
talker or a loss asks for passes through it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from talker.errors import TalkerError
from talker.models.temporal_block import TemporalBlock, kept

FRAMES_PER_LATENT = 8
"""At 50 frames per second, 6.25 latents per second."""

_NEVER = -1e4  # Added to a score that must not count: as good as minus infinity, without its not-a-numbers.


@dataclass(frozen=True)
class MotionPriorConfig:
    """Sizes of the motion prior.

    Attributes:
        channels: Channels of the motion.
        width: Channels inside.
        latent: Size of a latent.
        layers: Attention layers of the decoder, at the rate of the latents.
        heads: Attention heads.
        attention_reach: Latents that a layer may look back and ahead: what bounds the reach of a frame.
        dilations: One residual block of the decoder per entry, at the rate of the frames.
        kernel: Taps of each convolution over frames (odd).
    """

    channels: int = 52
    width: int = 128
    latent: int = 64
    layers: int = 1
    heads: int = 4
    attention_reach: int = 4
    dilations: tuple[int, ...] = (1, 2)
    kernel: int = 5

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise TalkerError(f"kernel must be odd, not {self.kernel}")
        if self.width % self.heads:
            raise TalkerError(f"a width of {self.width} cannot be shared by {self.heads} heads")


class MotionPrior(nn.Module):
    """Motion to latents and back."""

    def __init__(self, config: MotionPriorConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = MotionEncoder(config), MotionDecoder(config)

    def measure(self, motion: Tensor) -> None:
        """Set what motion is standardised by from (N, channels) of it; a channel that never moves stays where it is."""
        for part in (self.encoder, self.decoder):
            part.mean.copy_(motion.mean(0))
            part.deviation.copy_(motion.std(0))

    def forward(self, motion: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, channels) -> the same through drawn latents (in training; else their means), means, log variances."""
        mean, log_variance = self.encoder(motion, lengths)
        latents = mean
        if self.training:
            latents = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(latents, motion.shape[1], lengths), mean, log_variance

    @torch.no_grad()
    def sample(self, frames: int, seed: int) -> Tensor:
        """(frames, channels) of motion that nobody asked for, always the same under a seed."""
        count = -(-frames // FRAMES_PER_LATENT)
        latents = torch.randn(1, count, self.config.latent, generator=torch.Generator().manual_seed(seed))
        device = self.decoder.mean.device
        return self.decoder(latents.to(device), frames)[0]


class MotionEncoder(nn.Module):
    """Motion -> mean and log variance of each latent, by strided convolutions."""

    def __init__(self, config: MotionPriorConfig) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(config.channels))
        self.register_buffer("deviation", torch.ones(config.channels))
        self.input = nn.Linear(config.channels, config.width)
        self.blocks = nn.ModuleList(TemporalBlock(config.width, config.kernel) for _ in range(2))
        halvings = FRAMES_PER_LATENT.bit_length() - 1
        self.halve = nn.ModuleList(nn.Conv1d(config.width, config.width, 2, stride=2) for _ in range(halvings))
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, 2 * config.latent)

    def forward(self, motion: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, channels) -> two of (B, ceil(T / 8), latent)."""
        motion, keep = _whole_latents(motion, lengths)
        hidden = self.input((motion - self.mean) / (self.deviation + 1e-2)) * keep
        for block in self.blocks:
            hidden = block(hidden, keep)
        hidden = hidden.transpose(1, 2)
        for halve in self.halve:
            hidden = nn.functional.gelu(halve(hidden))
        mean, log_variance = self.output(self.norm(hidden.transpose(1, 2))).chunk(2, -1)
        return mean, log_variance.clamp(-12.0, 6.0)


class MotionDecoder(nn.Module):
    """Latents -> motion."""

    def __init__(self, config: MotionPriorConfig) -> None:
        super().__init__()
        self.config = config
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(config.channels))
        self.register_buffer("deviation", torch.ones(config.channels))
        self.input = nn.Linear(config.latent, config.width)
        self.layers = nn.ModuleList(_LocalLayer(config) for _ in range(config.layers))
        self.spread = nn.Linear(config.width, FRAMES_PER_LATENT * config.width)
        self.blocks = nn.ModuleList(TemporalBlock(config.width, config.kernel, d) for d in config.dilations)
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, config.channels)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    @property
    def reach(self) -> int:
        """Frames on either side of a frame whose latents can change it."""
        config = self.config
        latents = config.layers * config.attention_reach + 1
        return FRAMES_PER_LATENT * latents + config.kernel // 2 * sum(config.dilations)

    def forward(self, latents: Tensor, frames: int, lengths: Tensor | None = None) -> Tensor:
        """Decode a padded batch.

        Args:
            latents: (B, ceil(frames / 8), latent).
            frames: How many frames come out.
            lengths: (B,) frames that belong to each item; all of them when None.

        Returns:
            (B, frames, channels), not clamped to any limits.
        """
        keep = kept(latents.new_empty(len(latents), frames, 1), lengths)
        keep_latents = kept(latents, None if lengths is None else -(-lengths // FRAMES_PER_LATENT))
        hidden = self.input(latents) * keep_latents
        for layer in self.layers:
            hidden = layer(hidden, keep_latents)
        hidden = self.spread(hidden).unflatten(-1, (FRAMES_PER_LATENT, -1)).flatten(1, 2)[:, :frames] * keep
        for block in self.blocks:
            hidden = block(hidden, keep)
        return self.output(self.norm(hidden)) * self.deviation + self.mean


class _LocalLayer(nn.Module):
    """A transformer layer whose attention is a band around each latent, biased by distance."""

    def __init__(self, config: MotionPriorConfig) -> None:
        super().__init__()
        self.heads, self.reach = config.heads, config.attention_reach
        self.norm, self.after = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.project = nn.Linear(config.width, 3 * config.width)
        self.merge = nn.Linear(config.width, config.width)
        self.nearness = nn.Parameter(torch.zeros(config.heads, 2 * config.attention_reach + 1))
        self.feed = nn.Sequential(
            nn.Linear(config.width, 2 * config.width), nn.GELU(), nn.Linear(2 * config.width, config.width)
        )

    def forward(self, hidden: Tensor, keep: Tensor) -> Tensor:
        query, key, value = self.project(self.norm(hidden)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self._bias(hidden.shape[1]).to(hidden) + (1 - keep)[:, None, None, :, 0] * _NEVER
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query))
        hidden = hidden + self.merge(mixed.transpose(1, 2).flatten(2)) * keep
        return hidden + self.feed(self.after(hidden)) * keep

    def _bias(self, count: int) -> Tensor:
        """(heads, count, count): the learnt nearness inside the band, hopeless outside."""
        place = torch.arange(count, device=self.nearness.device)
        distance = place - place[:, None] + self.reach
        outside = (distance < 0) | (distance > 2 * self.reach)
        return self.nearness[:, distance.clamp(0, 2 * self.reach)].masked_fill(outside, _NEVER)


def _whole_latents(motion: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Padded to whole latents, and what is to be kept of it."""
    keep = kept(motion, lengths)
    padding = (0, 0, 0, -motion.shape[1] % FRAMES_PER_LATENT)
    return nn.functional.pad(motion, padding), nn.functional.pad(keep, padding)
