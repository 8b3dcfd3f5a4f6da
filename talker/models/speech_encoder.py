"""Speech in, features at 50 Hz out: a compact wav2vec 2.0, or any published checkpoint of that family."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from talker.audio import NETWORK_RATE
from talker.errors import TalkerError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FEATURE_FPS = 50
HOP_SAMPLES = NETWORK_RATE // FEATURE_FPS


@dataclass(frozen=True)
class SpeechEncoderConfig:
    """Sizes of our own encoder.

    Attributes:
        conv_width: Channels of the convolutions that turn samples into frames.
        conv_kernel: Their lengths. The first is a bank of 20 ms band-pass filters: started at the mel bands, it learns
            from minutes of speech what wav2vec's stack of seven short convolutions learns from days.
        conv_stride: Their strides; the product is `HOP_SAMPLES`.
        layers: Transformer layers.
        width: Features per frame.
        heads: Attention heads.
        feed_forward: Hidden width of each layer's feed-forward part.
        position_kernel: Frames seen by the convolution that tells positions apart (odd).
        attention_reach: Frames that a layer may look back and ahead. It bounds what any frame can depend on, so that
            long recordings can be cut into overlapping pieces without changing the result.
        dropout: Share of the transformer's inputs that is dropped in training.
    """

    conv_width: int = 192
    conv_kernel: tuple[int, ...] = (320, 3, 3)
    conv_stride: tuple[int, ...] = (80, 2, 2)
    layers: int = 4
    width: int = 256
    heads: int = 4
    feed_forward: int = 1024
    position_kernel: int = 31
    attention_reach: int = 25
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if math.prod(self.conv_stride) != HOP_SAMPLES:
            raise TalkerError(
                f"convolution strides {self.conv_stride} must multiply to {HOP_SAMPLES} samples per frame"
            )
        if self.position_kernel % 2 == 0:
            raise TalkerError(f"position_kernel must be odd, not {self.position_kernel}")


class SpeechEncoder(nn.Module):
    """16 kHz speech to features at 50 Hz; frame i is centred on i / 50 seconds."""

    def __init__(
        self, network: "PreTrainedModel", config: SpeechEncoderConfig | None = None, normalise: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config  # None for a published network: `network.config` says all there is to know.
        self.normalise = normalise  # Published checkpoints were trained on zero mean and unit variance.
        kernels, strides = network.config.conv_kernel, network.config.conv_stride
        if math.prod(strides) != HOP_SAMPLES:
            raise TalkerError(f"this encoder makes a frame every {math.prod(strides)} samples instead of {HOP_SAMPLES}")
        steps = [math.prod(strides[:i]) for i in range(len(strides))]
        self.window_samples = 1 + sum((kernel - 1) * step for kernel, step in zip(kernels, steps, strict=True))

    @classmethod
    def from_config(cls, config: SpeechEncoderConfig) -> "SpeechEncoder":
        """A new encoder with random weights and a mel filter bank in front."""
        from transformers.models.wav2vec2.configuration_wav2vec2 import Wav2Vec2Config
        from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2Model

        network = Wav2Vec2Model(
            Wav2Vec2Config(
                hidden_size=config.width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=config.feed_forward,
                feat_proj_dropout=config.dropout,
                hidden_dropout=0.0,
                activation_dropout=0.0,
                attention_dropout=0.0,
                layerdrop=0.0,
                # A norm over time would make every frame depend on the whole recording and on its padding.
                feat_extract_norm="layer",
                do_stable_layer_norm=True,
                conv_dim=(config.conv_width,) * len(config.conv_kernel),
                conv_kernel=config.conv_kernel,
                conv_stride=config.conv_stride,
                conv_bias=True,
                num_conv_pos_embeddings=config.position_kernel,
                apply_spec_augment=False,
                mask_time_prob=0.0,
                mask_feature_prob=0.0,
            )
        )
        with torch.no_grad():
            first = network.feature_extractor.conv_layers[0].conv
            first.weight.copy_(_mel_filters(config.conv_width, config.conv_kernel[0])[:, None])
        return cls(network, config)

    @classmethod
    def load(cls, name: str | Path = "default", download: bool = False) -> "SpeechEncoder":
        """Load a trained encoder.

        Args:
            name: "default" (or a folder written by talker) for our own; a folder in Hugging Face's format; or the name
                of a published checkpoint, such as `facebook/wav2vec2-base-960h`.
            download: Allow the network to be fetched by name; otherwise only what is on this machine is used.
        """
        from talker.models.checkpoint import is_talker_checkpoint, load_checkpoint

        if is_talker_checkpoint(name):
            return load_checkpoint(name)[0]
        from transformers import AutoFeatureExtractor, AutoModel

        try:
            network = AutoModel.from_pretrained(name, local_files_only=not download)
            extractor = AutoFeatureExtractor.from_pretrained(name, local_files_only=not download)
        except (OSError, ValueError) as error:
            remedy = "" if download else "; pass download=True to fetch it by name"
            raise TalkerError(f"no speech encoder '{name}' on this machine{remedy}") from error
        if not hasattr(network.config, "conv_stride"):
            raise TalkerError(f"'{name}' is a {network.config.model_type}, not a wav2vec 2.0, HuBERT or WavLM encoder")
        return cls(network, normalise=bool(getattr(extractor, "do_normalize", True)))

    @property
    def width(self) -> int:
        """Features per frame."""
        return self.network.config.hidden_size

    @property
    def reach(self) -> int | None:
        """Frames of context on either side that can change a frame; None when the whole recording can."""
        if self.config is None:
            return None
        window = math.ceil(self.window_samples / 2 / HOP_SAMPLES)
        return window + self.config.position_kernel // 2 + self.config.layers * self.config.attention_reach

    def forward(self, samples: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Features of a padded batch; what lies beyond an item's length never changes its features.

        Args:
            samples: (B, N) at 16 kHz.
            lengths: (B,) samples that belong to each item; all of them when None.

        Returns:
            (B, ceil(N / 320), width), zero beyond each item's own ceil(length / 320) frames.
        """
        hidden = self.hidden_states(samples, lengths)[-1]
        if not self.network.config.do_stable_layer_norm:
            return hidden  # Such a network has its norm in front of the layers.
        return self.network.encoder.layer_norm(hidden) * _kept_frames(samples, lengths)[..., None].to(hidden)

    def hidden_states(self, samples: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, ...]:
        """What goes into the first layer, then what comes out of each: `layers + 1` tensors like that of `forward`.

        The first is the projected convolutions plus the position convolution. The last is what `forward` passes
        through the final norm; no other norm is applied, so with pre-norm layers (as ours are) all but the result of
        `forward` are the running sum of the residual stream, whose size grows from layer to layer.
        """
        lengths = _all_lengths(samples) if lengths is None else lengths.cpu()
        if self.config is not None:
            return self._local_states(samples, lengths, self.config.attention_reach)
        # Published networks see the whole item at once, group norm included: one item at a time, without padding.
        items = [self._whole_states(item[:length]) for item, length in zip(samples, lengths.tolist(), strict=True)]
        total = frame_count(samples.shape[1])
        padded = [[nn.functional.pad(state, (0, 0, 0, total - len(state))) for state in states] for states in items]
        return tuple(torch.stack(states) for states in zip(*padded, strict=True))

    def _whole_states(self, samples: Tensor) -> list[Tensor]:
        """One item through a published network; hooks, because what it reports itself differs between versions."""
        if self.normalise:
            samples = (samples - samples.mean()) / (samples.var(unbiased=False) + 1e-7).sqrt()
        states: list[Tensor] = []
        layers = self.network.encoder.layers
        hooks = [layers[0].register_forward_pre_hook(lambda _, args: states.append(args[0][0]))]
        for layer in layers:
            hooks.append(layer.register_forward_hook(lambda _, __, out: states.append(_first(out)[0])))
        try:
            self.network(self._framed(samples[None]))
        finally:
            for hook in hooks:
                hook.remove()
        return states

    def _local_states(self, samples: Tensor, lengths: Tensor, attention_reach: int) -> tuple[Tensor, ...]:
        """What `Wav2Vec2Model.forward` does, with attention limited to a band around each frame."""
        network: Any = self.network
        inside = torch.arange(samples.shape[1]) < lengths[:, None]
        hidden = network.feature_extractor(self._framed(samples * inside.to(samples)))
        hidden, _ = network.feature_projection(hidden.transpose(1, 2))

        times = torch.arange(hidden.shape[1])
        valid = _kept_frames(samples, lengths)
        near = (times[:, None] - times[None, :]).abs() <= attention_reach
        # A padded frame may look at anything: its result is dropped, and a row without a key would be not-a-number.
        allowed = (near & valid[:, None, :]) | ~valid[:, :, None]
        bias = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[:, None].to(hidden)
        keep = valid[..., None].to(hidden)

        encoder = network.encoder
        hidden = hidden * keep
        states = [encoder.dropout(hidden + encoder.pos_conv_embed(hidden))]
        for layer in encoder.layers:
            states.append(_first(layer(states[-1], attention_mask=bias)))
        return tuple(state * keep for state in states)

    def _framed(self, samples: Tensor) -> Tensor:
        """Zeros around the samples, so that exactly one frame is centred on every 320th sample."""
        total = (frame_count(samples.shape[1]) - 1) * HOP_SAMPLES + self.window_samples
        left = self.window_samples // 2
        padded = nn.functional.pad(samples, (left, max(0, total - left - samples.shape[1])))
        return padded[:, :total]


def _all_lengths(samples: Tensor) -> Tensor:
    return torch.full((len(samples),), samples.shape[1])


def _kept_frames(samples: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, T) booleans: the frames that belong to an item."""
    lengths = _all_lengths(samples) if lengths is None else lengths.cpu()
    return torch.arange(frame_count(samples.shape[1])) < torch.ceil(lengths / HOP_SAMPLES)[:, None]


def _first(result: Any) -> Tensor:
    """A layer's features: its result, or the first of its results, depending on the version of transformers."""
    return result[0] if isinstance(result, tuple) else result


def frame_count(sample_count: int) -> int:
    """Frames that cover `sample_count` samples, at least one."""
    return max(1, -(-sample_count // HOP_SAMPLES))


def _mel_filters(count: int, length: int, phases: int = 3) -> Tensor:
    """(count, length) windowed cosines at mel-spaced frequencies, each in several phases so that their rectified
    sum follows the loudness of the band whatever the phase of the sound.
    """  # noqa: D205
    bands = count // phases
    mel = torch.linspace(_mel(80.0), _mel(7600.0), bands)
    frequency = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    seconds = (torch.arange(length) - (length - 1) / 2) / NETWORK_RATE
    # Higher bands are wider, hence their filters shorter; speech is weaker there, hence their gain higher.
    spread = torch.clamp(1.5 / frequency, min=0.0012, max=length / NETWORK_RATE / 4)
    window = torch.exp(-0.5 * (seconds / spread[:, None]) ** 2)
    gain = (frequency / 500.0).clamp(min=1.0) / window.norm(dim=1)
    shift = torch.arange(phases) * (2 * math.pi / phases)
    wave = torch.cos(2 * math.pi * frequency[:, None, None] * seconds + shift[None, :, None])
    filters = (wave * (window * gain[:, None])[:, None]).reshape(bands * phases, length)
    rest = torch.randn(count - len(filters), length) * length**-0.5
    return torch.cat([filters, rest])


def _mel(frequency: float) -> float:
    return 2595.0 * math.log10(1.0 + frequency / 700.0)
