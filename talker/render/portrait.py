"""`Portrait`: draws one head, posed any way, from the front or the side."""

from dataclasses import dataclass

import numpy as np
import torch

from talker.render import raster, shading
from talker.render.paint import Paint
from talker.rigs.head_mesh import PARTS, HeadMesh

_SAMPLES = 2  # Per pixel, across and down.
_MATERIAL = {
    "skin": raster.SKIN,
    "left_eye": raster.EYE,
    "right_eye": raster.EYE,
    "teeth_upper": raster.TEETH,
    "teeth_lower": raster.TEETH,
    "tongue": raster.TONGUE,
    "lashes": raster.LASHES,
}


@dataclass(frozen=True)
class Camera:
    """Looks at `target` (3,) metres from `distance` metres away; `span` metres fill the height of the picture.

    `yaw` radians moves it around the head: positive to the subject's left, so that the nose points to the left.
    """

    target: np.ndarray
    span: float
    distance: float = 1.1
    yaw: float = 0.0

    @classmethod
    def for_head(cls, head: HeadMesh, yaw: float = 0.0) -> "Camera":
        """Frame the resting face so that lips and eyes read and an open jaw stays in the picture."""
        points = head.landmarks_of(head.neutral).numpy()
        low, high = points.min(0), points.max(0)
        height = high[1] - low[1]
        target = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
        return cls(target, 1.6 * height, 6.6 * height, yaw)

    @classmethod
    def around(cls, vertices: np.ndarray) -> "Camera":
        """Frame everything (V, 3), for heads whose landmarks are not known yet."""
        low, high = vertices.min(0), vertices.max(0)
        return cls(
            np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[2] - 0.3 * (high[1] - low[1])]),
            1.15 * (high[1] - low[1]),
        )

    def rotation(self) -> np.ndarray:
        """(3, 3) from the head's axes to the camera's."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])

    def project(self, vertices: np.ndarray, height: int, width: int) -> np.ndarray:
        """(V, 3) metres -> (V, 3) x and y in samples from the top left, and the distance."""
        seen = (vertices - self.target) @ self.rotation().T
        away = self.distance - seen[:, 2]
        scale = height / self.span * self.distance / away
        return np.stack([width / 2 + seen[:, 0] * scale, height / 2 - seen[:, 1] * scale, away], 1).astype(np.float32)


class Portrait:
    """Everything about a head that does not change from frame to frame."""

    def __init__(self, head: HeadMesh) -> None:
        part = head.part_of_vertex.numpy()
        faces = head.faces.numpy().astype(np.int32)
        material = np.array([_MATERIAL[name] for name in PARTS], np.int8)[part[faces[:, 0]]]
        if "mouth_inside" in head.regions:
            inside = np.zeros(head.vertex_count, bool)
            inside[head.regions["mouth_inside"].numpy()] = True
            material[inside[faces].any(1)] = raster.MOUTH
        self._all_faces = faces
        self._faces = np.ascontiguousarray(faces[material != raster.LASHES])
        self._material = material[material != raster.LASHES]
        self._lashes = np.ascontiguousarray(faces[material == raster.LASHES])
        self._paint = Paint.for_head(head)
        self._eyes = np.zeros((2, 4), np.float32)
        for row, name in enumerate(("left_eye", "right_eye")):
            centre = head.eye_centres[row]
            ball = head.neutral[head.parts[name]] - centre
            radius = float(ball.norm(dim=1).max()) if len(ball) else 1.0
            self._eyes[row] = [*centre.tolist(), max(head.iris_radius, 1e-6) / radius]

    def draw(self, vertices: torch.Tensor | np.ndarray, camera: Camera, size: int) -> np.ndarray:
        """Posed vertices (V, 3) -> (size, size, 3) uint8 sRGB. Releases the interpreter lock nearly all the time."""
        vertices = np.ascontiguousarray(vertices, np.float32)
        screen = camera.project(vertices, size * _SAMPLES, size * _SAMPLES)
        normals = raster.vertex_normals(vertices, self._all_faces) @ camera.rotation().T.astype(np.float32)
        attributes = np.concatenate([normals, self._paint.attributes], 1)
        nearest, depth = raster.visible_faces(screen, self._faces, size * _SAMPLES, size * _SAMPLES)
        colours = background(size * _SAMPLES)
        paint = self._paint
        scale = size * _SAMPLES / camera.span
        shading.shade(
            *(nearest, screen, self._faces, attributes, self._material),
            *(paint.picture, paint.frame, self._eyes, scale, colours),
        )
        shading.draw_lashes(screen, self._lashes, paint.lash_fade, depth, colours)
        pixels = np.empty((size, size, 3), np.uint8)
        shading.to_pixels(colours, _SAMPLES, pixels)
        return pixels

    def visible(self, screen: np.ndarray, size: int) -> np.ndarray:
        """(V,) whether each projected vertex (V, 3) is in front of everything, within 1 mm; lashes hide nothing."""
        _, depth = raster.visible_faces(screen, self._faces, size, size)
        column, row = np.clip(screen[:, :2].astype(int), 0, size - 1).T
        return screen[:, 2] <= depth[row, column] + 0.001


def background(size: int) -> np.ndarray:
    """(size, size, 3) linear light: a calm blue grey, brighter behind the head."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    glow = np.exp(-((x - 0.5) ** 2 / 0.18 + (y - 0.42) ** 2 / 0.22))[..., None]
    return np.array([0.028, 0.034, 0.044], np.float32) + glow * np.array([0.085, 0.098, 0.115], np.float32)
