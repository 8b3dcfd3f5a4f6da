"""The few points of a skinned model that a fit watches, posed by expression and jaw: exact, and fast for an hour."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from talker.rigs.fitting.surface import SurfacePoints
from talker.rigs.skinning import SkinnedModel, rotation_from_axis_angle

_TURN_ENTRIES = 9  # A rotation matrix, entry by entry, drives the pose correctives.


@dataclass(frozen=True, eq=False)
class FacePoints:
    """N points of a model as functions of E expression components and the jaw's axis-angle, all else at rest.

    A point on a face is a weighted mean of skinned vertices. Split by what follows the jaw and what does not, it is
    `fixed + R moving + share (joint - R joint)`, where R is the jaw's rotation and `fixed`, `moving` and `joint` are
    linear in (1, expression, R - identity).

    Attributes:
        fixed, moving: (3 N, 1 + E + 9).
        share: (N,) how far each point follows the jaw.
        joint: (3, 1 + E) the jaw's joint.
    """

    fixed: Tensor
    moving: Tensor
    share: Tensor
    joint: Tensor

    @classmethod
    def of(cls, model: SkinnedModel, points: SurfacePoints) -> "FacePoints":
        """The given points of a model's mean person."""
        jaw = model.kind.jaw
        corners = model.faces[torch.from_numpy(points.faces)]
        weights = torch.from_numpy(points.weights)
        correctives = model.pose_basis[_TURN_ENTRIES * (jaw - 1) : _TURN_ENTRIES * jaw].permute(1, 2, 0)
        basis = torch.cat([model.template[..., None], model.expression_basis, correctives], -1).double()
        follow = model.weights[:, jaw].double()[corners]
        joint = model.joint_regressor[jaw].double() @ basis[:, :, :-_TURN_ENTRIES].flatten(1)
        return cls(
            fixed=torch.einsum("nk,nkcf->ncf", weights * (1 - follow), basis[corners]).flatten(0, 1).float(),
            moving=torch.einsum("nk,nkcf->ncf", weights * follow, basis[corners]).flatten(0, 1).float(),
            share=(weights * follow).sum(1).float(),
            joint=joint.unflatten(0, (3, -1)).float(),
        )

    @property
    def expression_count(self) -> int:
        """E."""
        return self.joint.shape[1] - 1

    @property
    def rest(self) -> Tensor:
        """(N, 3) the points of the resting face."""
        return self(torch.zeros(self.expression_count), torch.zeros(3))

    def at(self, indices: tuple[int, ...]) -> "FacePoints":
        """Only some of the points."""
        chosen = torch.tensor(indices)
        rows = (3 * chosen[:, None] + torch.arange(3)).flatten()
        return FacePoints(self.fixed[rows], self.moving[rows], self.share[chosen], self.joint)

    def __call__(self, expression: Tensor, jaw: Tensor) -> Tensor:
        """Pose the points: (..., E), (..., 3) -> (..., N, 3) metres."""
        turn = rotation_from_axis_angle(jaw)
        less = (turn - torch.eye(3)).flatten(-2)
        plain = torch.cat([torch.ones_like(less[..., :1]), expression], -1)
        amounts = torch.cat([plain, less], -1)
        fixed, moving = ((amounts @ basis.T).unflatten(-1, (-1, 3)) for basis in (self.fixed, self.moving))
        joint = plain @ self.joint.T
        shift = joint - (turn @ joint[..., None])[..., 0]
        return fixed + moving @ turn.transpose(-1, -2) + self.share[:, None] * shift[..., None, :]

    def expression_slope(self, jaw: Tensor) -> np.ndarray:
        """(3 N, E) what each expression component adds while the jaw is held at (3,) axis-angle; float64."""
        turn = rotation_from_axis_angle(jaw)
        fixed, moving = (basis[:, 1:-_TURN_ENTRIES].unflatten(0, (-1, 3)) for basis in (self.fixed, self.moving))
        shift = (torch.eye(3) - turn) @ self.joint[:, 1:]
        return (fixed + turn @ moving + self.share[:, None, None] * shift).flatten(0, 1).double().numpy()

    def jaw_slope(self, jaw: Tensor) -> np.ndarray:
        """(3 N, 3) what each entry of the jaw's axis-angle adds, about (3,) the given one; float64."""
        at_rest = torch.zeros(self.expression_count)
        slope = torch.autograd.functional.jacobian(lambda pose: self(at_rest, pose), jaw)
        return slope.flatten(0, 1).double().numpy()
