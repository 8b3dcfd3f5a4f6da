"""Heads and bodies that bend at joints: linear blend skinning with shape, expression and pose correctives.

FLAME and SMPL-X are both of this kind. A model reads its arrays from the user's own file; nothing of it is shipped.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from talker.errors import TalkerError
from talker.rigs.model_file import read_model_arrays

_ARRAYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
_TINY = 1e-12  # Keeps the square root of a zero rotation differentiable.


@dataclass(frozen=True)
class ModelKind:
    """A family of model files and the joints of it that a face moves.

    Attributes:
        name: "flame" or "smplx".
        title: How people write it.
        vertex_count, joint_count: The sizes that tell a file's kind.
        components: Number of shape and of expression components, for each total that files come with.
        neck: Joints that share the turn of the head, from the lowest up.
        jaw, left_eye, right_eye: Joint numbers.
    """

    name: str
    title: str
    vertex_count: int
    joint_count: int
    components: dict[int, tuple[int, int]]
    neck: tuple[int, ...]
    jaw: int
    left_eye: int
    right_eye: int


@dataclass(frozen=True, eq=False)
class SkinnedModel:
    """A model file in memory, float32; coordinates are metres, y up, face towards +z, +x to the subject's left.

    Attributes:
        kind: What it is a model of.
        template: (V, 3) the mean shape at rest.
        faces: (F, 3) int64.
        shape_basis: (V, 3, S) what each identity component adds per standard deviation.
        expression_basis: (V, 3, E) the same for expression.
        pose_basis: (9 (J - 1), V, 3) what each entry of the joints' rotation matrices (less the identity) adds.
        joint_regressor: (J, V) joints as averages of the unposed vertices.
        weights: (V, J) how far each vertex follows each joint.
        parents: (J) parent joints; -1 for the first.
    """

    kind: ModelKind
    template: Tensor
    faces: Tensor
    shape_basis: Tensor
    expression_basis: Tensor
    pose_basis: Tensor
    joint_regressor: Tensor
    weights: Tensor
    parents: tuple[int, ...]

    def unposed(self, expression: Tensor | None = None, shape: Tensor | None = None) -> Tensor:
        """Vertices before any joint turns: (..., E) and (..., S) -> (..., V, 3). Shorter vectors leave the rest 0."""
        vertices = self.template
        for basis, amounts in ((self.expression_basis, expression), (self.shape_basis, shape)):
            if amounts is not None:
                count = amounts.shape[-1]
                vertices = vertices + (amounts @ basis[..., :count].flatten(0, 1).T).unflatten(-1, (-1, 3))
        return vertices

    def joints(self, unposed: Tensor) -> Tensor:
        """Joint positions of unposed vertices: (..., V, 3) -> (..., J, 3)."""
        return self.joint_regressor @ unposed

    def vertices(self, pose: Tensor, expression: Tensor | None = None, shape: Tensor | None = None) -> Tensor:
        """Pose the model: (..., J, 3) axis-angle radians, (..., E), (..., S) -> (..., V, 3); differentiable."""
        unposed = self.unposed(expression, shape)
        turns = rotation_from_axis_angle(pose)
        feature = (turns[..., 1:, :, :] - torch.eye(3).to(turns)).flatten(-3)
        corrected = unposed + (feature @ self.pose_basis.flatten(1)).unflatten(-1, (-1, 3))
        turn, shift = self._chain(turns, self.joints(unposed))
        # Per vertex, the weighted mean of the joints' affine maps.
        vertex_turn = (self.weights @ turn.flatten(-2)).unflatten(-1, (3, 3))
        return (vertex_turn @ corrected[..., None])[..., 0] + self.weights @ shift

    def _chain(self, turns: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Each joint's map x -> turn x + shift from rest to pose: (..., J, 3, 3) and (..., J, 3)."""
        joints = joints.expand(*turns.shape[:-2], 3)
        turn: list[Tensor] = []
        shift: list[Tensor] = []
        for joint, parent in enumerate(self.parents):
            own, centre = turns[..., joint, :, :], joints[..., joint, :]
            if parent >= 0:
                own = turn[parent] @ own
                moved = (turn[parent] @ centre[..., None])[..., 0] + shift[parent]
            else:
                moved = centre
            turn.append(own)
            shift.append(moved - (own @ centre[..., None])[..., 0])
        return torch.stack(turn, -3), torch.stack(shift, -2)


def rotation_from_axis_angle(vector: Tensor) -> Tensor:
    """Rotation matrices of axis-angle vectors, radians: (..., 3) -> (..., 3, 3) (Rodrigues' formula)."""
    angle = (vector.square().sum(-1) + _TINY).sqrt()[..., None, None]
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    # sin(a)/a and (1 - cos(a))/a^2, the latter as a half-angle sine so that small angles lose no digits.
    half = 2 * (angle / 2).sin().square() / angle.square()
    return torch.eye(3).to(vector) + (angle.sin() / angle) * cross + half * (cross @ cross)


def axis_angle_from_rotation(matrix: Tensor) -> Tensor:
    """The inverse of `rotation_from_axis_angle` for turns of less than half a circle: (..., 3, 3) -> (..., 3)."""
    skew = matrix - matrix.transpose(-1, -2)
    axis = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1) / 2
    sine = axis.norm(dim=-1, keepdim=True)
    cosine = (matrix.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True) - 1) / 2
    angle = torch.atan2(sine, cosine)
    return axis * torch.where(sine > 1e-6, angle / sine.clamp_min(1e-6), torch.ones_like(angle))


def load_model(path: Path, kind: ModelKind) -> SkinnedModel:
    """Read the user's own model file (.pkl or .npz) and check that it is of the kind expected."""
    arrays = read_model_arrays(path, _ARRAYS)
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise TalkerError(f"{path}: no {kind.title} model: the array '{missing[0]}' is missing")
    _check_shapes(path, kind, arrays)
    shape_count, expression_count = kind.components[arrays["shapedirs"].shape[2]]
    tensors = {name: torch.from_numpy(values.astype(np.float32)) for name, values in arrays.items() if name != "f"}
    return SkinnedModel(
        kind=kind,
        template=tensors["v_template"],
        faces=torch.from_numpy(arrays["f"]),
        shape_basis=tensors["shapedirs"][:, :, :shape_count].contiguous(),
        expression_basis=tensors["shapedirs"][:, :, shape_count : shape_count + expression_count].contiguous(),
        pose_basis=tensors["posedirs"].permute(2, 0, 1).contiguous(),
        joint_regressor=tensors["J_regressor"],
        weights=tensors["weights"],
        parents=_parents(path, arrays["kintree_table"]),
    )


def _check_shapes(path: Path, kind: ModelKind, arrays: dict[str, np.ndarray]) -> None:
    vertices, joints = kind.vertex_count, kind.joint_count
    found = arrays["v_template"].shape
    if found != (vertices, 3):
        raise TalkerError(
            f"{path}: v_template has shape {found}, but {kind.title} has ({vertices}, 3); "
            f"give a {kind.title} model file{_guess(found, kind)}"
        )
    components = arrays["shapedirs"].shape[-1] if arrays["shapedirs"].ndim == 3 else 0
    if components not in kind.components:
        known = " or ".join(str(count) for count in kind.components)
        raise TalkerError(
            f"{path}: shapedirs has {components} components where {kind.title} has {known}; "
            "get a version with expression components"
        )
    expected = {
        "shapedirs": (vertices, 3, components),
        "posedirs": (vertices, 3, 9 * (joints - 1)),
        "J_regressor": (joints, vertices),
        "weights": (vertices, joints),
        "kintree_table": (2, joints),
        "f": (*arrays["f"].shape[:1], 3),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise TalkerError(f"{path}: {name} has shape {arrays[name].shape}, but {kind.title} has {shape}")
    faces = arrays["f"]
    if faces.dtype.kind != "i" or not (faces.size and faces.min() >= 0 and faces.max() < vertices):
        raise TalkerError(f"{path}: the faces in 'f' point outside the {vertices} vertices")


def _parents(path: Path, table: np.ndarray) -> tuple[int, ...]:
    """Parents from `kintree_table`, whose first entry is -1 in one of several integer types."""
    parents = [-1, *(int(parent) for parent in table[0, 1:])]
    for joint, parent in enumerate(parents[1:], start=1):
        if not 0 <= parent < joint:
            raise TalkerError(f"{path}: kintree_table says that joint {joint} hangs on joint {parent}")
    return tuple(parents)


def _guess(found: tuple[int, ...], kind: ModelKind) -> str:
    known: dict[tuple[int, ...], str] = {
        (5023, 3): "FLAME",
        (10475, 3): "SMPL-X",
        (6890, 3): "SMPL or SMPL+H",
        (778, 3): "MANO",
    }
    title = known.get(found)
    return f" (this one looks like {title})" if title and title != kind.title else ""
