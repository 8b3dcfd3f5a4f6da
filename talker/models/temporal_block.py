"""The residual block that all networks over face frames are built of."""

import torch
from torch import Tensor, nn


class TemporalBlock(nn.Module):
    """x + linear(GELU(convolution over time(norm(x)))), with frames that are not kept held at zero."""

    def __init__(self, width: int, kernel: int, dilation: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        padding = kernel // 2 * dilation
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv1d(width, width, kernel, padding=padding, dilation=dilation)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, keep: Tensor) -> Tensor:
        """(B, T, width), and (B, T, 1) that is 1 where a frame belongs to its item -> (B, T, width)."""
        mixed = self.mix((self.norm(hidden) * keep).transpose(1, 2)).transpose(1, 2)
        return hidden + keep * self.dropout(self.out(nn.functional.gelu(mixed)))


def kept(tensor: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, T, …) -> (B, T, 1) of its type: 1 for the first `lengths` frames of each item; for all of them when None."""
    keep = torch.ones((*tensor.shape[:2], 1)).to(tensor)
    if lengths is None:
        return keep
    return (torch.arange(tensor.shape[1]) < lengths.cpu()[:, None])[..., None].to(tensor)
