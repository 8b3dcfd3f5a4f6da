"""Samples in, one vector per 20 ms out: Whisper's log-mel spectrogram and its two convolutions, heard locally."""

import torch
from torch import Tensor, nn

from talker.audio import NETWORK_RATE

BANDS = 80

_WINDOW, _STEP = 400, 160  # Samples of a spectrum and between spectra: 25 ms every 10 ms.
_FLOOR = -7.0  # Decadic logarithm of the power below which nothing is told apart: a quiet room's.


class LogMelStem(nn.Module):
    """What stands where wav2vec 2.0 has its stack of convolutions on samples.

    Whisper sets its floor by the loudest sound of 30 seconds; a fixed one lets a frame depend on its surroundings only.

    Args:
        width: Features per frame.
    """

    window_samples = 4 * _STEP + _WINDOW
    """Samples that a frame depends on: both convolutions see three of what comes before them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        from transformers.audio_utils import mel_filter_bank

        self.filters: Tensor
        self.window: Tensor
        filters = mel_filter_bank(_WINDOW // 2 + 1, BANDS, 0.0, NETWORK_RATE / 2, NETWORK_RATE, "slaney", "slaney")
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(_WINDOW), persistent=False)
        self.conv1 = nn.Conv1d(BANDS, width, 3)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2)
        self.place = nn.Parameter(torch.zeros(width))

    def forward(self, samples: Tensor) -> Tensor:
        """(B, window_samples + (T - 1) * 320) at 16 kHz -> (B, width, T)."""
        hidden = nn.functional.gelu(self.conv1(self.log_mel(samples)))
        return nn.functional.gelu(self.conv2(hidden)) + self.place[:, None]

    def log_mel(self, samples: Tensor) -> Tensor:
        """(B, N) -> (B, 80, 1 + (N - 400) / 160), around 0; no gradient, and never in half precision."""
        with torch.no_grad(), torch.autocast(samples.device.type, enabled=False):
            frames = samples.float().unfold(1, _WINDOW, _STEP) * self.window
            power = torch.fft.rfft(frames).abs().square()
            level = (power @ self.filters).clamp(min=10.0**_FLOOR).log10()
            return ((level + 4.0) / 4.0).transpose(1, 2)


class AsTheyAre(nn.Module):
    """Stands where wav2vec 2.0 projects its convolutions' result to the width of its layers: ours has that width."""

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """What goes into the layers, twice."""
        return hidden, hidden
