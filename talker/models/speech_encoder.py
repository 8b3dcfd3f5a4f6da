"""Speech in, features at 50 Hz out: a compact wav2vec 2.0, or any published checkpoint of that family."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from talker.audio import NETWORK_RATE, stretch
from talker.errors import TalkerError
from talker.models.local_attention import attention_bias, local_layer, spread
from talker.models.log_mel import AsTheyAre, LogMelStem

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FEATURE_FPS = 50
HOP_SAMPLES = NETWORK_RATE // FEATURE_FPS

_PIECE_FRAMES = 40 * FEATURE_FPS  # Each is heard with 5 s on either side: longer ones are faster, and take memory.
_PUBLISHED_CONTEXT = 2 * FEATURE_FPS


@dataclass(frozen=True)
class SpeechEncoderConfig:
    """Sizes of our own encoder.

    Attributes:
        layers: Transformer layers.
        width: Features per frame.
        heads: Attention heads.
        feed_forward: Hidden width of each layer's feed-forward part.
        position_kernel: Frames seen by the convolution that tells positions apart (odd).
        attention_reach: Frames that a layer may look back and ahead. It bounds what any frame can depend on, so that
            long recordings can be cut into overlapping pieces without changing the result.
        places: Frames after which the waves that tell places apart begin anew; 0 for none. Whisper's layers ask for
            "a little earlier" through them.
    """

    layers: int = 3
    width: int = 512
    heads: int = 8
    feed_forward: int = 2048
    position_kernel: int = 31
    attention_reach: int = 64
    places: int = 1500

    def __post_init__(self) -> None:
        if self.position_kernel % 2 == 0:
            raise TalkerError(f"position_kernel must be odd, not {self.position_kernel}")


class SpeechEncoder(nn.Module):
    """16 kHz speech to features at 50 Hz; frame i is centred on i / 50 seconds."""

    def __init__(
        self, network: "PreTrainedModel", config: SpeechEncoderConfig | None = None, normalise: bool = False
    ) -> None:
        super().__init__()
        self.network: Any = network
        self.config = config  # None for a published network: `network.config` says all there is to know.
        if config is not None:
            # wav2vec 2.0 tells places apart by a convolution alone; what attends to "the frame before" needs more.
            self.nearness = nn.Parameter(torch.zeros(config.layers, config.heads, 2 * config.attention_reach + 1))
            self.places: Tensor
            self.register_buffer("places", _sinusoids(config.places, config.width), persistent=False)
        self.normalise = normalise  # Published checkpoints were trained on zero mean and unit variance.
        if config is not None:
            self.window_samples = LogMelStem.window_samples
            return
        kernels, strides = network.config.conv_kernel, network.config.conv_stride
        if math.prod(strides) != HOP_SAMPLES:
            raise TalkerError(f"this encoder makes a frame every {math.prod(strides)} samples instead of {HOP_SAMPLES}")
        steps = [math.prod(strides[:i]) for i in range(len(strides))]
        self.window_samples = 1 + sum((kernel - 1) * step for kernel, step in zip(kernels, steps, strict=True))

    @classmethod
    def from_config(cls, config: SpeechEncoderConfig) -> "SpeechEncoder":
        """A new encoder with random weights: a `Wav2Vec2Model` that hears through a log-mel spectrogram.

        wav2vec's own stack of convolutions costs more than three of its layers, and needs days of speech to find what
        the spectrogram knows.
        """
        from transformers.models.wav2vec2.configuration_wav2vec2 import Wav2Vec2Config
        from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2Model

        network: Any = Wav2Vec2Model(
            Wav2Vec2Config(
                hidden_size=config.width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=config.feed_forward,
                hidden_dropout=0.0,
                activation_dropout=0.0,
                attention_dropout=0.0,
                layerdrop=0.0,
                do_stable_layer_norm=True,
                conv_dim=(1,),
                conv_kernel=(1,),
                conv_stride=(1,),
                num_conv_pos_embeddings=config.position_kernel,
                apply_spec_augment=False,
                mask_time_prob=0.0,
                mask_feature_prob=0.0,
            )
        )
        network.feature_extractor, network.feature_projection = LogMelStem(config.width), AsTheyAre()
        return cls(network, config)

    @classmethod
    def load(cls, name: str | Path = "default", download: bool = False) -> "SpeechEncoder":
        """Load a trained encoder.

        Args:
            name: "default" (or a folder written by `talker train`) for our own; a folder in Hugging Face's format; or
                the name of a published checkpoint, such as `facebook/wav2vec2-base-960h`.
            download: Allow the network to be fetched by name; otherwise only what is on this machine is used.

        Returns:
            The encoder on the CPU in float32, ready for inference; to train it, ask for gradients again.
        """
        from talker.models.checkpoint import load_speech

        return load_speech(name, download).encoder

    @property
    def width(self) -> int:
        """Features per frame."""
        return self.network.config.hidden_size

    @property
    def reach(self) -> int | None:
        """Frames on either side that can change a frame; None for a published network, where all can."""
        if self.config is None:
            return None
        return self.stem_reach + self.config.layers * self.config.attention_reach

    @property
    def stem_reach(self) -> int:
        """Frames on either side that can change what goes into the first layer of our own encoder."""
        window = math.ceil(self.window_samples / 2 / HOP_SAMPLES)
        return window + (0 if self.config is None else self.config.position_kernel // 2)

    @property
    def context(self) -> int:
        """Frames on either side that a piece of a recording must be heard with; two seconds for a published network."""
        return _PUBLISHED_CONTEXT if self.reach is None else self.reach

    @torch.inference_mode()
    def features(self, samples: np.ndarray) -> np.ndarray:
        """A recording of any length, in linear time: (N,) at 16 kHz -> (ceil(N / 320), width), both float32.

        Our own encoder gives what it would give at once, to 2e-5 of values around 1. Published networks hear
        recordings above 40 s in pieces of their own, each with two seconds of what surrounds it.
        """
        out = np.empty((frame_count(len(samples)), self.width), np.float32)
        device = next(self.parameters()).device

        def heard(piece: Tensor, first_frame: int) -> Tensor:
            return self(piece.to(device), first_frame=first_frame)

        for first, piece in in_pieces(heard, samples, self.context):
            out[first : first + len(piece)] = piece.cpu().numpy()
        return out

    def forward(self, samples: Tensor, lengths: Tensor | None = None, first_frame: int | Tensor = 0) -> Tensor:
        """Features of a padded batch; what lies beyond an item's length never changes its features.

        Args:
            samples: (B, N) at 16 kHz.
            lengths: (B,) samples that belong to each item; all of them when None.
            first_frame: Where in their recordings the samples begin, for all or (B,) for each: a piece that is told
                its place gives what the whole recording gives there.

        Returns:
            (B, ceil(N / 320), width), zero beyond each item's own ceil(length / 320) frames.
        """
        hidden = self.hidden_states(samples, lengths, first_frame)[-1]
        if not self.network.config.do_stable_layer_norm:
            return hidden  # Such a network has its norm in front of the layers.
        return self.network.encoder.layer_norm(hidden) * _kept_frames(samples, lengths)[..., None].to(hidden)

    def hidden_states(
        self, samples: Tensor, lengths: Tensor | None = None, first_frame: int | Tensor = 0
    ) -> tuple[Tensor, ...]:
        """What goes into the first layer, then what comes out of each: `layers + 1` tensors like that of `forward`.

        The first is the convolutions' result plus the position convolution. The last is what `forward` passes
        through the final norm. No other norm is applied: our layers, and those of published networks with
        `do_stable_layer_norm`, add to a running sum whose size grows from state to state.
        """
        if samples.shape[1] == 0:
            count = self.network.config.num_hidden_layers + 1
            return (samples.new_zeros(len(samples), 0, self.width),) * count
        if self.config is not None:
            return self._local_states(samples, lengths, self.config, first_frame)
        # Published networks see the whole item at once, group norm included: one item at a time, without padding.
        sizes = [samples.shape[1]] * len(samples) if lengths is None else lengths.tolist()
        items = [self._whole_states(item[:size]) for item, size in zip(samples, sizes, strict=True)]
        total = frame_count(samples.shape[1])
        padded = [[nn.functional.pad(state, (0, 0, 0, total - len(state))) for state in states] for states in items]
        return tuple(torch.stack(states) for states in zip(*padded, strict=True))

    def _whole_states(self, samples: Tensor) -> list[Tensor]:
        """One item through a published network; hooks, because what it reports itself differs between versions."""
        if len(samples) == 0:
            return [state[0] for state in self.hidden_states(samples[None])]
        if self.normalise:
            samples = (samples - samples.mean()) / (samples.var(unbiased=False) + 1e-7).sqrt()
        states: list[Tensor] = []
        layers = self.network.encoder.layers
        hooks = [layers[0].register_forward_pre_hook(lambda _, given: states.append(given[0][0]))]
        hooks += [layer.register_forward_hook(lambda _, __, result: states.append(result[0])) for layer in layers]
        try:
            self.network(self._framed(samples[None]))
        finally:
            for hook in hooks:
                hook.remove()
        # Depending on network and version, a layer returns its (1, T, width) or a tuple of them and more.
        return [state[0] if state.ndim == 3 else state for state in states]

    def _local_states(
        self, samples: Tensor, lengths: Tensor | None, config: SpeechEncoderConfig, first_frame: int | Tensor
    ) -> tuple[Tensor, ...]:
        """What `Wav2Vec2Model` does, with attention limited to a band around each frame and biased by distance."""
        if lengths is not None:  # Whatever the padding holds, be it not-a-number.
            inside = torch.arange(samples.shape[1], device=samples.device) < lengths.to(samples.device)[:, None]
            samples = samples.where(inside, 0.0)
        kept = _kept_frames(samples, lengths)
        keep, everywhere = kept[..., None].to(samples), slice(0, kept.shape[1])
        hidden = self.first_state(samples, config, first_frame, keep)
        bias = attention_bias(kept, config.attention_reach, everywhere)
        states = [hidden * keep]
        for layer, nearness in zip(self.network.encoder.layers, self.nearness, strict=True):
            hidden = local_layer(layer, hidden, bias + spread(nearness, config.attention_reach), everywhere)
            states.append(hidden * keep)
        return tuple(states)

    def first_state(
        self, samples: Tensor, config: SpeechEncoderConfig, first_frame: int | Tensor, keep: Tensor | float = 1.0
    ) -> Tensor:
        """(B, T, width): what goes into the first layer of our own network."""
        network = self.network
        projected, _ = network.feature_projection(network.feature_extractor(self._framed(samples)).transpose(1, 2))
        if config.places:
            first = torch.as_tensor(first_frame, device=samples.device).reshape(-1, 1)
            times = first + torch.arange(projected.shape[1], device=samples.device)
            projected = projected + self.places[times % config.places]
        hidden = projected * keep
        return hidden + network.encoder.pos_conv_embed(hidden)

    def _framed(self, samples: Tensor) -> Tensor:
        """Zeros around the samples, so that exactly one frame is centred on every 320th sample."""
        total = (frame_count(samples.shape[1]) - 1) * HOP_SAMPLES + self.window_samples
        left = self.window_samples // 2
        padded = nn.functional.pad(samples, (left, max(0, total - left - samples.shape[1])))
        return padded[:, :total]


def _sinusoids(count: int, width: int) -> Tensor:
    """(count, width): Whisper's way of telling frames apart, waves from fast to slow."""
    rates = torch.exp(torch.arange(width // 2) * (-math.log(10000.0) / (width // 2 - 1)))
    phases = torch.arange(count)[:, None] * rates
    return torch.cat([phases.sin(), phases.cos()], dim=1)


def in_pieces(
    network: Callable[..., Tensor], samples: np.ndarray, context: int, *tracks: np.ndarray, silence: int = 0
) -> Iterator[tuple[int, Tensor]]:
    """Run a network over a recording of any length, 40 s at a time: linear time, little memory.

    Args:
        network: (1, N) at 16 kHz, the frame that they begin at, and (1, T, …) of every track -> (1, T, C), where T is
            ceil(N / 320).
        samples: (N,) at 16 kHz.
        tracks: (ceil(N / 320) + 2 * silence, …) at 50 Hz that the network takes along.
        context: Frames on either side that can change a frame; each piece is heard with them, so that pieces fit.
        silence: Frames of silence that are put around the sound, and counted as its own.

    Yields:
        The first frame of each piece, and its (T, C).
    """
    check_samples(samples)
    frames = frame_count(len(samples)) + 2 * silence
    for first in range(0, frames, _PIECE_FRAMES):
        last = min(first + _PIECE_FRAMES, frames)
        begin = max(0, first - context)
        end = min((last + context - silence) * HOP_SAMPLES, len(samples) + silence * HOP_SAMPLES)
        heard = torch.from_numpy(stretch(samples, (begin - silence) * HOP_SAMPLES, end))
        beside = (torch.tensor(track[begin : last + context])[None] for track in tracks)
        yield first, network(heard[None], begin, *beside)[0, first - begin : last - begin]


def check_samples(samples: np.ndarray) -> None:
    """One line for what no network should be given."""
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        raise TalkerError(f"speech must be (N,) floating-point samples, not {samples.shape} {samples.dtype}")
    # A not-a-number is the least and the greatest of all: no array of booleans is needed for an hour of good sound.
    if samples.size and not (np.isfinite(samples.min()) and np.isfinite(samples.max())):
        first = int(np.argmin(np.isfinite(samples)))
        raise TalkerError(
            f"speech sample {first} (at {first / NETWORK_RATE:.3f} s) is {samples[first]}; record or export it again"
        )


def _kept_frames(samples: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, T) booleans: the frames that belong to an item."""
    times = torch.arange(frame_count(samples.shape[1]), device=samples.device)
    if lengths is None:
        return torch.ones((len(samples), len(times)), dtype=torch.bool, device=samples.device)
    return times * HOP_SAMPLES < lengths.to(samples.device)[:, None]


def frame_count(sample_count: int) -> int:
    """Frames that cover `sample_count` samples."""
    return -(-sample_count // HOP_SAMPLES)
