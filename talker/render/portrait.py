"""`Portrait`: draws one head, posed any way, from the front or the side."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from talker.render import raster, shading
from talker.render.paint import Paint
from talker.render.refine import RefinedMesh
from talker.render.shading import SAMPLES
from talker.rigs.head_mesh import PARTS, HeadMesh

_MATERIAL = {
    "skin": raster.SKIN,
    "left_eye": raster.EYE,
    "right_eye": raster.EYE,
    "teeth_upper": raster.TEETH,
    "teeth_lower": raster.TEETH,
    "tongue": raster.TONGUE,
    "lashes": raster.LASHES,
}

_FILM = shading.film_curve()


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
        target = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2 + 0.05 * height, low[2]])
        return cls(target, 1.66 * height, 6.6 * height, yaw)

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
    """Everything about a head's looks that does not change from frame to frame.

    Attributes:
        head: The head it draws.
    """

    def __init__(self, head: HeadMesh) -> None:
        self.head = head
        self._mesh = RefinedMesh.of(head)
        material = _materials(head)[self._mesh.face_origin]
        lashes = material == raster.LASHES
        self._faces, self._material = self._mesh.faces[~lashes], material[~lashes]
        self._lashes = self._mesh.faces[lashes]
        self._paint = Paint.for_head(head, self._mesh)
        self._eyes = np.zeros((2, 4), np.float32)
        for row, name in enumerate(("left_eye", "right_eye")):
            centre = head.eye_centres[row]
            ball = head.neutral[head.parts[name]] - centre
            radius = float(ball.norm(dim=1).max()) if len(ball) else 1.0
            self._eyes[row] = [*centre.tolist(), max(head.iris_radius, 1e-6) / radius]

    def draw(self, vertices: torch.Tensor | np.ndarray, camera: Camera, size: int) -> np.ndarray:
        """Posed vertices (V, 3) -> (size, size, 3) uint8 sRGB. Releases the interpreter lock nearly all the time."""
        vertices = self._mesh.vertices(np.asarray(vertices))
        screen = camera.project(vertices, size * SAMPLES, size * SAMPLES)
        normals = raster.vertex_normals(vertices, self._faces) @ camera.rotation().T.astype(np.float32)
        attributes = np.concatenate([normals, self._paint.attributes], 1)
        nearest, depth = raster.visible_faces(screen, self._faces, size * SAMPLES, size * SAMPLES)
        colours = background(size * SAMPLES).copy()
        paint = self._paint
        scale = size * SAMPLES / camera.span
        shading.shade(
            *(nearest, screen, self._faces, attributes, self._material),
            *(paint.picture, paint.frame, self._eyes, scale, colours),
        )
        shading.draw_lashes(screen, self._lashes, paint.lashes, depth, colours)
        pixels = np.empty((size, size, 3), np.uint8)
        shading.to_pixels(colours, _FILM, pixels)
        return pixels

    def visible(self, vertices: np.ndarray, camera: Camera, size: int) -> np.ndarray:
        """(V,) whether each posed vertex (V, 3) is in front of everything, within 1 mm; lashes hide nothing."""
        screen = camera.project(self._mesh.vertices(vertices), size, size)
        _, depth = raster.visible_faces(screen, self._faces, size, size)
        own = screen[: len(vertices)]
        column, row = np.clip(own[:, :2].astype(int), 0, size - 1).T
        return own[:, 2] <= depth[row, column] + 0.001


def portrait_of(path: Path | None) -> Portrait:
    """The portrait of a user's head, or of the default one; kept for the next take that shows it."""
    return _portrait_of(path, None if path is None or not path.is_file() else path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _portrait_of(path: Path | None, _changed: int | None) -> Portrait:
    from talker.rigs.user_mesh import load_head

    return Portrait(load_head(path))


def _materials(head: HeadMesh) -> np.ndarray:
    """(F,) what each face is made of."""
    faces = head.faces.numpy()
    material = np.array([_MATERIAL[name] for name in PARTS], np.int8)[head.part_of_vertex.numpy()[faces[:, 0]]]
    if "mouth_inside" in head.regions:
        inside = np.isin(faces, head.regions["mouth_inside"].numpy()).any(1)
        material[inside] = raster.MOUTH
    return material


@lru_cache(maxsize=2)
def background(size: int) -> np.ndarray:
    """(size, size, 3) linear light: a calm blue grey, brighter behind the head."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    glow = np.exp(-((x - 0.5) ** 2 / 0.18 + (y - 0.42) ** 2 / 0.22))[..., None]
    return np.array([0.028, 0.034, 0.044], np.float32) + glow * np.array([0.085, 0.098, 0.115], np.float32)
