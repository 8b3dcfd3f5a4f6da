"""How wrong a face is: curves, how they move, and what the lips do with them."""

import numpy as np
import torch
from torch import Tensor

from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.lips import Lips

SHUT_GAP = 0.012
"""Eye distances within which lips count as nearly shut."""

_VELOCITY_WEIGHT, _LIPS_WEIGHT, _SHUT_WEIGHT = 2.0, 8.0, 3.0
_LEAST_DEVIATION = 0.03  # Of a channel: below it is the tracker's noise.

# What speech moves, and by how much it matters. Brows, cheeks and nose follow the voice loosely.
_IMPORTANCE = {"jaw": 1.0, "mouth": 1.0, "cheeks": 0.3, "nose": 0.3, "brows": 0.3}
_FELT = 0.3  # What only emotions move: eyelids, and all that goes sideways. Speech leaves it at rest.
_FELT_DEVIATION = 0.1
_SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")


def is_spoken() -> Tensor:
    """(52,) booleans: the channels that speech itself moves. Blinks, gaze and the tongue are not among them."""
    return torch.tensor([arkit.region(n) in _IMPORTANCE and n not in _SIDEWAYS for n in arkit.SHAPES])


def channel_scale(deviation: np.ndarray) -> Tensor:
    """(52,) usual deviation -> loss weight: the inverse variance, so that small but clear motion counts."""
    spoken = is_spoken().numpy()
    least = np.where(spoken, _LEAST_DEVIATION, _FELT_DEVIATION)
    importance = [_IMPORTANCE[arkit.region(n)] if s else _FELT for n, s in zip(arkit.SHAPES, spoken, strict=True)]
    return torch.from_numpy(np.array(importance) / np.maximum(deviation, least) ** 2 / spoken.sum()).float()


def vertex_factor(head: HeadMesh) -> Tensor:
    """(52, 52) `factor`: |error @ factor|^2 is the mean squared way of the skin's vertices in square millimetres.

    No vertex has to be computed for it: what shapes do to vertices is linear.
    """
    moved = 1000.0 * head.deltas[:, head.parts["skin"]].flatten(1).double()
    products = moved @ moved.T / (moved.shape[1] / 3)
    values, vectors = torch.linalg.eigh(products)
    return (vectors * values.clamp(min=0).sqrt()).float()


def curve_loss(
    predicted: Tensor, wanted: Tensor, weight: Tensor, scale: Tensor, lips: Lips, spoken: Tensor | None = None
) -> Tensor:
    """Squared error of curves, of their velocity, and of what the lips do with them; shut lips count most.

    Args:
        predicted: (B, T, 52).
        wanted: (B, T, 52).
        weight: (B, T) how much each frame is to be trusted.
        scale: (52,) weight of each channel.
        lips: What curves do to the lips.
        spoken: (B, T, 52) the same speech without emotion: where its lips are shut no emotion may part them.
    """
    error = (predicted - wanted) * weight[..., None]
    position = (error.square() * scale).sum()
    velocity = ((error[:, 1:] - error[:, :-1]).square() * scale).sum()
    measures, said = lips.standardised(wanted), lips.standardised(wanted if spoken is None else spoken)
    shut = torch.exp(-lips.gap(wanted if spoken is None else spoken).clamp(min=0) / SHUT_GAP)
    gap = torch.lerp(measures[..., 0], said[..., 0], shut)
    moved = (lips.standardised(predicted) - torch.cat([gap[..., None], measures[..., 1:]], -1)) * weight[..., None]
    mouth = (moved.square().mean(-1) * (1.0 + _SHUT_WEIGHT * shut)).sum()
    return (position + _VELOCITY_WEIGHT * velocity + _LIPS_WEIGHT * mouth) / weight.sum().clamp(min=1.0)
