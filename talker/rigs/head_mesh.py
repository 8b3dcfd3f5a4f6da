"""`HeadMesh`: a head with the 52 ARKit shapes, eyeballs and a neck, moved by talker's 61 channels.

Coordinates are metres, y up, the face towards +z, +x to the subject's left.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.files import read_arrays
from talker.resources import rigs_dir
from talker.rigs import arkit
from talker.rigs.landmark_numbers import OUTER_EYE_CORNERS

PARTS: tuple[str, ...] = ("skin", "left_eye", "right_eye", "teeth_upper", "teeth_lower", "tongue", "lashes")
LANDMARK_COUNT = 478

_ARRAYS = (
    *("shapes", "neutral", "faces", "deltas", "part_of_vertex", "region_names", "region_masks"),
    *("landmark_faces", "landmark_weights", "eye_centres", "iris_radius", "head_pivot", "head_weight"),
)


@dataclass(frozen=True, eq=False)
class HeadMesh:
    """A head that can be posed.

    Attributes:
        neutral: (V, 3) the resting face.
        faces: (F, 3) int64 vertex indices, counter-clockwise seen from outside.
        deltas: (52, V, 3) what each shape of `arkit.SHAPES` adds at weight 1. Eyeballs have none: the eye angles
            turn them, and the eyeLook shapes move the lids.
        parts: Vertex indices of each of `PARTS`; every vertex is in exactly one.
        regions: Vertex indices of parts of the face ("lips", "brows", ...), which may overlap.
        landmark_faces: (478,) the face each MediaPipe landmark lies on.
        landmark_weights: (478, 3) its barycentric weights there.
        eye_centres: (2, 3) left and right, about which the eyeballs turn.
        iris_radius: Radius of the iris on the eyeball; 0 for a head without eyeballs.
        head_pivot: (3,) about which the head turns.
        head_weight: (V,) how far a vertex follows the head: 1 on the head, falling to 0 down the neck.
    """

    neutral: Tensor
    faces: Tensor
    deltas: Tensor
    parts: dict[str, Tensor]
    regions: dict[str, Tensor]
    landmark_faces: Tensor
    landmark_weights: Tensor
    eye_centres: Tensor
    iris_radius: float
    head_pivot: Tensor
    head_weight: Tensor

    @classmethod
    def load(cls, path: Path | None = None) -> "HeadMesh":
        """Read a head in talker's own `.npz` format; the default head when no path is given."""
        path = rigs_dir() / "arkit" / "head.npz" if path is None else Path(path)
        arrays = read_arrays(path, required=_ARRAYS)
        try:
            return _from_arrays(arrays)
        except (IndexError, TypeError, ValueError) as error:
            raise TalkerError(f"{path}: not a talker head ({error}); build it again") from error

    def save(self, path: Path) -> None:
        """Write the file `load` reads: deltas in half precision (0.02 mm), everything else in full."""
        parts = np.empty(self.vertex_count, np.uint8)
        for label, name in enumerate(PARTS):
            parts[self.parts[name].cpu().numpy()] = label
        masks = np.zeros((len(self.regions), self.vertex_count), bool)
        for row, indices in enumerate(self.regions.values()):
            masks[row, indices.cpu().numpy()] = True
        with Path(path).open("wb") as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                shapes=np.array(arkit.SHAPES),
                neutral=_array(self.neutral, np.float32),
                faces=_array(self.faces, np.int32),
                deltas=_array(self.deltas, np.float16),
                part_of_vertex=parts,
                region_names=np.array(list(self.regions)),
                region_masks=masks,
                landmark_faces=_array(self.landmark_faces, np.int32),
                landmark_weights=_array(self.landmark_weights, np.float32),
                eye_centres=_array(self.eye_centres, np.float32),
                iris_radius=np.float32(self.iris_radius),
                head_pivot=_array(self.head_pivot, np.float32),
                head_weight=_array(self.head_weight, np.float32),
            )

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.neutral)

    @property
    def part_of_vertex(self) -> Tensor:
        """(V,) index into `PARTS`."""
        label = torch.zeros(self.vertex_count, dtype=torch.int64, device=self.neutral.device)
        for index, name in enumerate(PARTS):
            label[self.parts[name]] = index
        return label

    def part_faces(self, *names: str) -> Tensor:
        """(f,) indices of the faces that belong to the named parts."""
        wanted = torch.tensor([PARTS.index(name) for name in names], device=self.faces.device)
        return torch.isin(self.part_of_vertex[self.faces[:, 0]], wanted).nonzero()[:, 0]

    def to(self, device: torch.device | str) -> "HeadMesh":
        """The same head with its tensors on another device."""
        moved: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                moved[field.name] = value.to(device)
            elif isinstance(value, dict):
                moved[field.name] = {name: tensor.to(device) for name, tensor in value.items()}
        return replace(self, **moved)

    def vertices(self, curves: FaceAnimation | Tensor) -> Tensor:
        """Pose the head: (..., 61) curves -> (..., V, 3) metres, differentiable in the curves.

        In this order: the weighted deltas are added to the resting face; each eyeball turns about its centre by its
        eye angles; then everything turns about the head's pivot, each vertex as far as `head_weight` says (a linear
        blend, which is what a glTF or USD skin with one joint computes).
        """
        curves = self._as_tensor(curves)
        frames = curves.reshape(-1, arkit.CHANNEL_COUNT)
        weights = frames[:, : arkit.SHAPE_COUNT]
        vertices = torch.addmm(self.neutral.flatten(), weights, self.deltas.flatten(1)).reshape(len(frames), -1, 3)
        for part, angles, centre in zip(
            ("left_eye", "right_eye"), (arkit.LEFT_EYE, arkit.RIGHT_EYE), self.eye_centres, strict=True
        ):
            indices = self.parts[part]
            turn = rotation(frames[:, angles]).transpose(1, 2)
            vertices.index_copy_(1, indices, (vertices[:, indices] - centre) @ turn + centre)
        turn = (rotation(frames[:, arkit.HEAD]) - torch.eye(3).to(frames)).transpose(1, 2)
        offset = torch.baddbmm(-self.head_pivot @ turn[:, None], vertices, turn)
        vertices = torch.addcmul(vertices, self.head_weight[:, None], offset)
        return vertices.reshape(*curves.shape[:-1], -1, 3)

    def landmarks(self, curves: FaceAnimation | Tensor) -> Tensor:
        """MediaPipe's landmarks on the posed head: (..., 61) curves -> (..., 478, 3) metres."""
        return self.landmarks_of(self.vertices(curves))

    def landmarks_of(self, vertices: Tensor) -> Tensor:
        """MediaPipe's landmarks on posed vertices: (..., V, 3) -> (..., 478, 3)."""
        corners = vertices[..., self.faces[self.landmark_faces], :]
        return (corners * self.landmark_weights[:, :, None]).sum(-2)

    def landmark_basis(self) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks of the resting head (478, 3) and what each shape adds to them (52, 478, 3), in eye distances.

        The origin is the middle between the outer corners of the eyes.
        """
        rest = self.landmarks_of(self.neutral).double()
        moves = torch.stack([self.landmarks_of(delta) for delta in self.deltas]).double()
        corners = rest[list(OUTER_EYE_CORNERS)]
        unit = (corners[0] - corners[1]).norm()
        return ((rest - corners.mean(0)) / unit).numpy(), (moves / unit).numpy()

    def _as_tensor(self, curves: FaceAnimation | Tensor) -> Tensor:
        if isinstance(curves, FaceAnimation):
            curves = torch.tensor(curves.curves)
        if curves.shape[-1] != arkit.CHANNEL_COUNT:
            raise ValueError(f"curves must have shape (..., {arkit.CHANNEL_COUNT}), not {tuple(curves.shape)}")
        return curves.to(self.neutral)


def rotation(angles: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of (yaw, pitch, roll) in radians, talker's signs: roll first, then pitch, then yaw.

    Yaw > 0 turns to the subject's right (-x), pitch > 0 looks down, roll > 0 tips to the subject's right shoulder.
    """
    yaw, pitch, roll = angles.unbind(-1)
    cy, sy, cp, sp, cr, sr = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin(), roll.cos(), roll.sin()
    rows = (
        (cy * cr - sy * sp * sr, -cy * sr - sy * sp * cr, -sy * cp),
        (cp * sr, cp * cr, -sp),
        (sy * cr + cy * sp * sr, -sy * sr + cy * sp * cr, cy * cp),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _array(tensor: Tensor, dtype: type) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(dtype)


def _from_arrays(arrays: dict[str, np.ndarray]) -> HeadMesh:
    """Build a head from the arrays of a file, checking that they fit together."""
    count, face_count = len(arrays["neutral"]), len(arrays["faces"])
    expected = {
        "neutral": (count, 3),
        "faces": (face_count, 3),
        "deltas": (len(arrays["shapes"]), count, 3),
        "part_of_vertex": (count,),
        "region_masks": (len(arrays["region_names"]), count),
        "landmark_faces": (LANDMARK_COUNT,),
        "landmark_weights": (LANDMARK_COUNT, 3),
        "eye_centres": (2, 3),
        "head_pivot": (3,),
        "head_weight": (count,),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, not {shape}")
    for name, end in (("faces", count), ("landmark_faces", face_count), ("part_of_vertex", len(PARTS))):
        if arrays[name].size and not (arrays[name].min() >= 0 and arrays[name].max() < end):
            raise ValueError(f"{name} points outside 0..{end - 1}")
    names = [str(name) for name in arrays["shapes"]]
    deltas = torch.from_numpy(arrays["deltas"].astype(np.float32))
    floats = {
        name: torch.from_numpy(arrays[name].astype(np.float32))
        for name in ("neutral", "landmark_weights", "eye_centres", "head_pivot", "head_weight")
    }
    if not all(torch.isfinite(values).all() for values in (deltas, *floats.values())):
        raise ValueError("it holds numbers that are not finite")
    return HeadMesh(
        faces=torch.from_numpy(arrays["faces"].astype(np.int64)),
        deltas=deltas[[names.index(name) for name in arkit.SHAPES]].contiguous(),
        parts={name: _indices(arrays["part_of_vertex"] == label) for label, name in enumerate(PARTS)},
        regions={
            str(name): _indices(mask) for name, mask in zip(arrays["region_names"], arrays["region_masks"], strict=True)
        },
        landmark_faces=torch.from_numpy(arrays["landmark_faces"].astype(np.int64)),
        iris_radius=float(arrays["iris_radius"]),
        **floats,
    )


def _indices(mask: np.ndarray) -> Tensor:
    return torch.from_numpy(np.flatnonzero(mask))
