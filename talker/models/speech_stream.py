"""Speech that is still being spoken: features a fraction of a second after the sound."""

import numpy as np
import torch
from torch import Tensor

from talker.audio import NETWORK_RATE
from talker.errors import TalkerError
from talker.models.local_attention import attention_bias, local_layer, spread
from talker.models.speech_encoder import (
    FEATURE_FPS,
    HOP_SAMPLES,
    SpeechEncoder,
    SpeechEncoderConfig,
    check_samples,
    frame_count,
)


class SpeechStream:
    """An encoder that is given a recording bit by bit.

    Frames come in blocks, once the sound up to `look_ahead_ms` after the block's first frame is there. They are what
    the encoder gives for the recording cut off at that very moment, as if the speaker had stopped: the same whatever
    the sizes of the bits, and up to 2e-5 the offline features of the cut recording. Encoders are trained on clips that
    end anywhere, so a missing future is nothing new to them. (A published network, which hears whole recordings, is
    given the last two seconds.)

    Args:
        encoder: The encoder; its device is used.
        look_ahead_ms: How long after its time a frame comes at the latest; the block's last frame waits for
            `block_ms` less. More is better and later.
        block_ms: Frames that come together; more costs less, as what the sound's end may still change is worked out
            again for every block.
    """

    def __init__(self, encoder: SpeechEncoder, look_ahead_ms: int = 200, block_ms: int = 100) -> None:
        frame_ms = 1000 // FEATURE_FPS
        if block_ms <= 0 or block_ms % frame_ms:
            raise TalkerError(f"block_ms must be a multiple of {frame_ms}, not {block_ms}")
        if look_ahead_ms < block_ms:
            raise TalkerError(f"look_ahead_ms must be at least block_ms, {block_ms}, not {look_ahead_ms}")
        self.encoder = encoder
        self.look_ahead = look_ahead_ms * NETWORK_RATE // 1000
        self.block = block_ms // frame_ms
        self._heard = np.empty(0, np.float32)  # From frame `_begin` on: what the next frames can depend on.
        self._begin = 0
        self._next = 0
        self._past = self._no_past()

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Hear (N,) more samples at 16 kHz; returns the (T, width) frames that they complete, perhaps none."""
        check_samples(samples)
        self._heard = np.concatenate([self._heard, samples.astype(np.float32)])
        blocks = [np.empty((0, self.encoder.width), np.float32)]
        while self._next * HOP_SAMPLES + self.look_ahead <= self._begin * HOP_SAMPLES + len(self._heard):
            blocks.append(self._frames(self._next * HOP_SAMPLES + self.look_ahead, self._next + self.block))
        return np.concatenate(blocks)

    def flush(self) -> np.ndarray:
        """The frames that are left once the sound has ended: exactly the offline ones. The stream then starts anew."""
        end = self._begin * HOP_SAMPLES + len(self._heard)
        total = frame_count(end)
        left = self._frames(end, total) if total > self._next else np.empty((0, self.encoder.width), np.float32)
        self._heard, self._begin, self._next = np.empty(0, np.float32), 0, 0
        self._past = self._no_past()
        return left

    @torch.inference_mode()
    def _no_past(self) -> "_Window | _Layers":
        config = self.encoder.config
        return _Window(self.encoder) if config is None else _Layers(self.encoder, config)

    @torch.inference_mode()
    def _frames(self, end: int, last: int) -> np.ndarray:
        """The features from `_next` up to `last` of the recording cut off at sample `end`."""
        begin, device = self._begin, next(self.encoder.parameters()).device
        window = torch.from_numpy(self._heard[: end - begin * HOP_SAMPLES])[None].to(device)
        found = self._past.frames(window, begin, self._next, last)[0].cpu().numpy()
        self._next = last
        self._begin = max(begin, self._past.needed_from)
        self._heard = self._heard[(self._begin - begin) * HOP_SAMPLES :]
        return found


class _Window:
    """A published network, which is given all of its context again for every block."""

    def __init__(self, encoder: SpeechEncoder) -> None:
        self.encoder = encoder
        self.needed_from = 0

    def frames(self, samples: Tensor, first_frame: int, begin: int, end: int) -> Tensor:
        """What `_Layers.frames` gives."""
        self.needed_from = end - self.encoder.context
        return self.encoder(samples, first_frame=first_frame)[:, begin - first_frame : end - first_frame]


class _Layers:
    """Our own encoder, which keeps what its layers made of the past, as far as no later sound can change that.

    The n-th state, from `_begins[n]` on, is what goes into layer n + 1. Every layer looks ahead, so the higher the
    state, the longer it stays open; what came out of the last layer is never asked for again.

    Attributes:
        needed_from: The frame from which on the sound will be needed again.
    """

    def __init__(self, encoder: SpeechEncoder, config: SpeechEncoderConfig) -> None:
        self.encoder, self.config = encoder, config
        self.needed_from = 0
        self._spreads = [spread(nearness, config.attention_reach) for nearness in encoder.nearness]
        self._begins = [0] * config.layers
        self._states = [encoder.nearness.new_zeros(1, 0, config.width)] * config.layers

    def frames(self, samples: Tensor, first_frame: int, begin: int, end: int) -> Tensor:
        """Frames from `begin`, where those asked for before ended, up to `end`, as if nothing followed the samples.

        Args:
            samples: (1, N) at 16 kHz.
            first_frame: Where they begin, at the latest `needed_from`.
            begin: Counted from the recording's start, as all frames here.
            end: At the latest where the samples end.

        Returns:
            (1, end - begin, width).
        """
        total = first_frame + frame_count(samples.shape[1])
        fresh = self.encoder.first_state(samples, self.config, first_frame)
        state = self._continued(0, fresh[:, self._ends(0) - first_frame :])
        states, reach = [state], self.config.attention_reach
        layers = self.encoder.network.encoder.layers
        for number, (layer, spreading) in enumerate(zip(layers, self._spreads, strict=True), start=1):
            last = number == len(layers)
            first = begin if last else self._ends(number)
            stop = min(end + (len(layers) - number) * reach, total)  # No layer above sees further.
            near_from = max(first - reach, self._begins[number - 1])
            near = state[:, near_from - self._begins[number - 1] :]
            asking = slice(first - near_from, stop - near_from)
            kept = torch.ones(near.shape[:2], dtype=torch.bool, device=near.device)
            state = local_layer(layer, near, attention_bias(kept, reach, asking) + spreading, asking)
            if not last:
                state = self._continued(number, state)
                states.append(state)
        self._keep(states, first_frame + samples.shape[1] // HOP_SAMPLES, end)
        return self.encoder.network.encoder.layer_norm(state)

    def _ends(self, number: int) -> int:
        return self._begins[number] + self._states[number].shape[1]

    def _continued(self, number: int, fresh: Tensor) -> Tensor:
        return torch.cat([self._states[number], fresh], dim=1)

    def _keep(self, states: list[Tensor], heard: int, asked: int) -> None:
        """Of each state, what the frames from `asked` on will need and what no sound after frame `heard` can change."""
        reach, stem = self.config.attention_reach, self.encoder.stem_reach
        for number, state in enumerate(states):
            begin = max(asked - (len(states) - number) * reach, 0)
            end = max(heard - stem - number * reach, begin)
            was = self._begins[number]
            self._begins[number], self._states[number] = begin, state[:, begin - was : end - was].clone()
        self.needed_from = self._ends(0) - stem
