"""Small grey pictures of a talking head for networks to look at: the mouth, or the face, differentiable in the curves.

Pictures are drawn straight ahead without perspective and only of the faces that can be seen in them, light is computed
at the vertices: half a millisecond a picture instead of a portrait's thirty.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from talker.render.rasterize import Rasteriser, rasterize
from talker.rigs import arkit
from talker.rigs.head_mesh import PARTS, HeadMesh, rotation

MOUTH_SIZE, FACE_SIZE = 96, 112

LIGHT = (0.40, 0.50, 0.77)
"""Direction to the light: x to the right, y up, z towards the viewer."""

_AMBIENT, _DIFFUSE, _WRAP = 0.35, 0.75, 0.25
_BACKGROUND = 0.25
_MARGIN = 0.25  # Of the crop's span: what may still move into the picture from outside.
_DEPTH = 0.075  # Metres behind the lips beyond which nothing is drawn.
_AWAY = 1.0  # Metres from the viewer to the lips.


@dataclass(frozen=True, eq=False)
class Crop:
    """What a part of a head looks like.

    Attributes:
        head: The head's vertices and faces that matter, and nothing else of it.
        grey: (V,) how bright each vertex is in full light.
        centre: (3,) what is in the middle of the picture.
        span: Metres across the picture.
        size: Pixels across the picture.
    """

    head: HeadMesh
    grey: Tensor
    centre: Tensor
    span: float
    size: int

    def to(self, device: torch.device | str) -> "Crop":
        """The same crop on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("head", "grey", "centre")}
        return replace(self, **moved)

    def render(self, curves: Tensor, light: Tensor | None = None, rasteriser: Rasteriser = rasterize) -> Tensor:
        """Pictures of (..., 61) curves: (..., S, S) in [0, 1]; `light` (..., 3) is the direction to it, or `LIGHT`."""
        frames = curves.reshape(-1, curves.shape[-1])
        vertices = self.head.vertices(frames)
        toward = vertices.new_tensor(LIGHT) if light is None else light
        toward = toward.expand(*curves.shape[:-1], 3).reshape(-1, 3).to(vertices)
        brightness = self.brightness(vertices, toward)
        seen = rasteriser(self.screen(vertices, frames[:, arkit.HEAD]), self.head.faces, self.size)
        pictures = seen.interpolate(self.head.faces, brightness, _BACKGROUND)
        return pictures.reshape(*curves.shape[:-1], self.size, self.size)

    def halved(self, curves: Tensor, light: Tensor | None = None, rasteriser: Rasteriser = rasterize) -> Tensor:
        """The same pictures with every four pixels averaged, so that edges are smooth: (..., S / 2, S / 2)."""
        pictures = self.render(curves, light, rasteriser)
        small = torch.nn.functional.avg_pool2d(pictures.reshape(-1, 1, self.size, self.size), 2)
        return small.reshape(*curves.shape[:-1], self.size // 2, self.size // 2)

    def screen(self, vertices: Tensor, turns: Tensor) -> Tensor:
        """(B, V, 3) metres -> (B, V, 3) pixels from the top left, and the distance.

        A head that turns by (B, 3) takes the middle of the picture with it: lips are looked at wherever they are.
        """
        scale = self.size / self.span
        arm = self.centre - self.head.head_pivot
        middle = self.head.head_pivot + (arm @ rotation(turns.to(vertices)).transpose(1, 2))[:, None]
        x, y, z = (vertices - middle).unbind(-1)
        return torch.stack([self.size / 2 + x * scale, self.size / 2 - y * scale, _AWAY - z], -1)

    def brightness(self, vertices: Tensor, light: Tensor) -> Tensor:
        """(B, V, 3) metres and (B, 3) directions -> (B, V) as displayed."""
        normals = vertex_normals(vertices, self.head.faces)
        facing = (normals @ torch.nn.functional.normalize(light, dim=-1)[..., None])[..., 0]
        lit = _AMBIENT + _DIFFUSE * ((facing + _WRAP) / (1.0 + _WRAP)).clamp(min=0.0)
        return (self.grey * lit).clamp(1e-4, 1.0).sqrt()


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(B, V, 3) -> (B, V, 3) unit normals: the faces around a vertex, weighted by their area."""
    a, b, c = (vertices[:, faces[:, corner]] for corner in range(3))
    of_faces = torch.linalg.cross(b - a, c - a)
    normals = torch.zeros_like(vertices)
    for corner in range(3):
        normals = normals.index_add(1, faces[:, corner], of_faces)
    return torch.nn.functional.normalize(normals, dim=-1, eps=1e-12)


@lru_cache(maxsize=1)
def mouth_crop(size: int = MOUTH_SIZE) -> Crop:
    """The mouth of the default head, from below the nose to the chin of an open jaw."""
    head = HeadMesh.load()
    lips = head.neutral[head.regions["lips"]]
    width = float(np.ptp(lips[:, 0].numpy()))
    centre = (lips.amax(0) + lips.amin(0)) / 2 - torch.tensor([0.0, 0.10 * width, 0.0])
    return _crop(head, centre, 1.5 * width, size)


@lru_cache(maxsize=1)
def face_crop(size: int = FACE_SIZE) -> Crop:
    """The face of the default head, from the forehead to the chin of an open jaw."""
    head = HeadMesh.load()
    points = head.landmarks_of(head.neutral)
    low, high = points.amin(0), points.amax(0)
    centre = (low + high) / 2
    centre[2] = high[2]
    return _crop(head, centre, 1.06 * float(high[1] - low[1]), size)


def _crop(head: HeadMesh, centre: Tensor, span: float, size: int) -> Crop:
    near = (head.neutral - centre)[:, :2].abs().amax(1) < span * (0.5 + _MARGIN)
    near &= head.neutral[:, 2] > head.neutral[head.regions["lips"], 2].amax() - _DEPTH
    drawn = near[head.faces].all(1)
    drawn[head.part_faces("lashes")] = False
    return Crop(_part(head, head.faces[drawn]), _greys(head)[head.faces[drawn].unique()], centre, span, size)


def _part(head: HeadMesh, faces: Tensor) -> HeadMesh:
    """The head reduced to some of its faces (F, 3); it has no landmarks and no regions."""
    kept, numbered = faces.unique(return_inverse=True)
    place = torch.full((head.vertex_count,), -1)
    place[kept] = torch.arange(len(kept))
    parts = {name: place[indices][place[indices] >= 0] for name, indices in head.parts.items()}
    return replace(
        head,
        neutral=head.neutral[kept],
        faces=numbered,
        deltas=head.deltas[:, kept].contiguous(),
        parts=parts,
        regions={},
        landmark_faces=head.landmark_faces[:0],
        landmark_weights=head.landmark_weights[:0],
        head_weight=head.head_weight[kept],
    )


def _greys(head: HeadMesh) -> Tensor:
    """(V,) how bright each vertex is: painted skin, white eyes with dark irises, a dark mouth with teeth in it."""
    from talker.render.paint import Paint
    from talker.render.refine import RefinedMesh

    mesh = RefinedMesh.of(head)
    paint = Paint.for_head(head, mesh)
    rest, light, painted = np.split(paint.attributes[: head.vertex_count], [3, 4], axis=1)
    skin = _skin_greys(paint.picture, paint.frame, rest, painted)
    grey = skin * light[:, 0] ** 2
    part = np.array(PARTS)[head.part_of_vertex.numpy()]
    for name, value in (("teeth_upper", 0.8), ("teeth_lower", 0.8), ("tongue", 0.22)):
        grey[part == name] = value * light[part == name, 0]
    neutral = head.neutral.numpy()
    for name, centre in zip(("left_eye", "right_eye"), head.eye_centres.numpy(), strict=True):
        ball = neutral[part == name] - centre
        off_axis = np.linalg.norm(ball[:, :2], axis=1)
        grey[part == name] = np.where((off_axis < 0.95 * head.iris_radius) & (ball[:, 2] > 0), 0.06, 0.8)
    if "mouth_inside" in head.regions:
        grey[head.regions["mouth_inside"].numpy()] *= 0.4
    return torch.from_numpy(grey.astype(np.float32))


def _skin_greys(picture: np.ndarray, frame: np.ndarray, rest: np.ndarray, painted: np.ndarray) -> np.ndarray:
    """(V,) the painted skin in grey at the resting positions (V, 3), blurred to what a small picture shows."""
    from scipy.ndimage import gaussian_filter

    albedo = np.square(picture[..., 1].astype(np.float32) / 255.0)  # Lips and brows are dark in green.
    plain = float(albedo[0, 0])
    blurred = gaussian_filter(albedo, 0.0012 * float(frame[2]))
    column = np.clip((rest[:, 0] - frame[0]) * frame[2], 0, picture.shape[1] - 1).astype(int)
    row = np.clip((frame[1] - rest[:, 1]) * frame[3], 0, picture.shape[0] - 1).astype(int)
    share = painted[:, 0]
    return 1.9 * (blurred[row, column] * share + plain * (1.0 - share))
