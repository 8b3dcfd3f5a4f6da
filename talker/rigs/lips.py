"""What curves do to the lips of the default head, as a matrix: measurements that gradients flow through."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from talker.rigs.head_mesh import HeadMesh
from talker.rigs.landmark_numbers import CHIN, GAP_LOWER, GAP_UPPER, MOUTH_CORNERS

_USUAL = (0.06, 0.05, 0.06)  # Deviation of each measure in lively speech.


@dataclass(frozen=True)
class Lips:
    """`rows` (52, 3): what each shape at 1 adds to gap, width and chin drop, in outer eye distances."""

    rows: Tensor

    @classmethod
    @lru_cache(maxsize=1)
    def of_default_head(cls) -> "Lips":
        """Those of the head that ships with talker."""
        rest, basis = HeadMesh.load().landmark_basis()
        gap = (basis[:, GAP_UPPER, 1] - basis[:, GAP_LOWER, 1]).mean(1)
        one, other = MOUTH_CORNERS
        width = (basis[:, other, 0] - basis[:, one, 0]) * np.sign(rest[other, 0] - rest[one, 0])
        rows = np.stack([gap, width, -basis[:, CHIN, 1]], axis=1)
        return cls(torch.from_numpy(rows).float())

    def to(self, device: torch.device) -> "Lips":
        """The same on another device."""
        return Lips(self.rows.to(device))

    def measures(self, shapes: Tensor) -> Tensor:
        """(..., 52) -> (..., 3) of `MOUTH_MEASURES`, 0 at rest."""
        return shapes @ self.rows

    def gap(self, shapes: Tensor) -> Tensor:
        """(..., 52) -> (...) how far the lips are apart."""
        return shapes @ self.rows[:, 0]

    def standardised(self, shapes: Tensor) -> Tensor:
        """(..., 52) -> (..., 3), each measure in units of its usual deviation."""
        return self.measures(shapes) / self.rows.new_tensor(_USUAL)
