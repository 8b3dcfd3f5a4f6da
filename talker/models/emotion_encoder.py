"""How a line is to be played, frame by frame: emotions and a speaker's style become a track that steers the talker."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from talker.emotion import EMOTIONS
from talker.errors import TalkerError


@dataclass(frozen=True)
class EmotionEncoderConfig:
    """Sizes of the emotion encoder.

    Attributes:
        width: Hidden channels.
        smoothing: Frames of the windows (odd) that strengths are averaged under: no face changes its mood at once.
        styles: Speakers whose manner was learnt, by name. Everybody else gets the pivot, which is no style at all.
    """

    width: int = 64
    smoothing: int = 51
    styles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.smoothing % 2 == 0:
            raise TalkerError(f"smoothing must be odd, not {self.smoothing}")


class EmotionEncoder(nn.Module):
    """(B, T, 8) strengths -> (B, T, width); a neutral face in the pivot style is exactly zero."""

    def __init__(self, config: EmotionEncoderConfig, width: int) -> None:
        super().__init__()
        self.config = config
        emotions = len(EMOTIONS) - 1
        # Some emotions take longer to show than others: every one learns a window, of positive weights that sum to 1.
        window = torch.hann_window(config.smoothing + 2, periodic=False)[1:-1]
        self.window = nn.Parameter(window.log().repeat(emotions, 1))
        # Without biases and without the neutral column, nothing comes of nothing.
        self.input = nn.Linear(emotions, config.width, bias=False)
        self.output = nn.Linear(config.width, width, bias=False)
        self.styles = nn.Embedding(len(config.styles), width) if config.styles else None
        nn.init.normal_(self.input.weight, std=3.0)  # What starts faint is learnt last.
        nn.init.zeros_(self.output.weight)
        if self.styles is not None:
            nn.init.zeros_(self.styles.weight)

    @property
    def reach(self) -> int:
        """Frames of strengths on either side that can change a frame."""
        return self.config.smoothing // 2

    def style_index(self, name: str | None) -> int:
        """The number of a style for `forward`; -1, the pivot, for None."""
        if name is None:
            return -1
        if name not in self.config.styles:
            known = ", ".join(self.config.styles) or "none"
            raise TalkerError(f"this model knows no style '{name}'; it knows {known}")
        return self.config.styles.index(name)

    def forward(self, strengths: Tensor, keep: Tensor, style: Tensor | None = None) -> Tensor:
        """Encode a padded batch.

        Args:
            strengths: (B, T, 8), every frame summing to 1; columns as in `talker.emotion.EMOTIONS`.
            keep: (B, T, 1), 1 where a frame belongs to its item.
            style: (B,) indices of styles, -1 for the pivot; the pivot for all when None.

        Returns:
            (B, T, width).
        """
        inside = self._smooth(keep.expand(-1, -1, len(self.window))).clamp(min=1e-6)
        felt = self._smooth(strengths[..., 1:] * keep) / inside
        out = self.output(nn.functional.gelu(self.input(felt)))
        if self.styles is not None and style is not None:
            known = (style >= 0)[:, None].to(out)
            out = out + (self.styles(style.clamp(min=0)) * known)[:, None]
        return out * keep

    def _smooth(self, track: Tensor) -> Tensor:
        """(B, T, emotions) averaged over time."""
        windows = self.window.softmax(-1)[:, None]
        lines = track.transpose(1, 2)
        return nn.functional.conv1d(lines, windows.to(lines), padding=self.reach, groups=len(windows)).transpose(1, 2)
