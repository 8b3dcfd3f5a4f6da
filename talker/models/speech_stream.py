"""Speech that is still being spoken: features a fraction of a second after the sound."""

import numpy as np
import torch

from talker.audio import NETWORK_RATE
from talker.errors import TalkerError
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES, SpeechEncoder, check_samples, frame_count


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
        block_ms: Frames that come together; more costs less, as every block is heard with all its past context.
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
        return left

    @torch.inference_mode()
    def _frames(self, end: int, last: int) -> np.ndarray:
        """The features from `_next` up to `last` of the recording cut off at sample `end`."""
        window = torch.from_numpy(self._heard[: end - self._begin * HOP_SAMPLES])[None]
        device, begin = next(self.encoder.parameters()).device, self._begin
        features = self.encoder.between(window.to(device), self._next - begin, last - begin, first_frame=begin)
        found = features[0].cpu().numpy()
        self._next = last
        begin = max(self._begin, last - self.encoder.context)
        self._heard = self._heard[(begin - self._begin) * HOP_SAMPLES :]
        self._begin = begin
        return found
