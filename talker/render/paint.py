"""What colour a head's skin is, and how much light reaches each vertex."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from talker.render import raster
from talker.render.canvas import Canvas
from talker.render.refine import RefinedMesh
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh

_MOUTH_LIGHT = {"teeth_upper": 0.68, "teeth_lower": 0.68, "tongue": 0.35}  # Shares of the light outside.
_HAIRS_PER_RADIAN = 20
_LOWER_LASHES = 0.6  # Where the sparser lower lashes begin, on the way from root to tip of the upper ones.


@dataclass(frozen=True)
class Paint:
    """The unchanging looks of a head.

    Attributes:
        picture: (1024, 1024, 3) uint8, gamma 2: the albedo of the face seen from the front; plain skin at its corner.
        frame: (4,) float32 left and top in metres, texels per metre across and down.
        attributes: (V', 5) float32 resting position, share of sky seen, share of the picture that applies.
        lashes: (V', 2) float32, 0 at the roots of the lashes to 1 at their tips; the number of the hair.
    """

    picture: np.ndarray
    frame: np.ndarray
    attributes: np.ndarray
    lashes: np.ndarray

    @classmethod
    def for_head(cls, head: HeadMesh, mesh: RefinedMesh) -> "Paint":
        """Paint a head by its landmarks, and measure its hollows."""
        neutral = mesh.vertices(head.neutral.numpy())
        depth = head.eye_centres[:, 2].mean().item() - neutral[:, 2]
        painted = np.clip(1 - depth / 0.05, 0, 1)  # Fades out towards the ears: seen from the front they are a line.
        light = np.maximum(sky_seen(head, mesh), mesh.matrix @ _least_light(head))
        attributes = np.concatenate([neutral, light[:, None], painted[:, None]], 1).astype(np.float32)
        canvas = Canvas(neutral)
        canvas.paint(head)
        return cls(canvas.picture(), canvas.frame, attributes, mesh.matrix @ lash_hairs(head))


def sky_seen(head: HeadMesh, mesh: RefinedMesh, directions: int = 64, size: int = 256) -> np.ndarray:
    """(V',) share of the sky each vertex sees, weighted by the cosine; the mouth's inside is measured with it open."""
    curves = np.zeros((2, arkit.CHANNEL_COUNT), np.float32)
    curves[1, arkit.INDEX["jawOpen"]] = 0.7
    import torch

    lashes = np.isin(mesh.face_origin, head.part_faces("lashes").numpy())
    poses = head.vertices(torch.from_numpy(curves)).numpy()
    shares = [_sky_share(mesh.vertices(pose), mesh.faces[~lashes], directions, size) for pose in poses]
    return np.maximum(*shares)


def _sky_share(vertices: np.ndarray, faces: np.ndarray, directions: int, size: int) -> np.ndarray:
    normals = raster.vertex_normals(vertices, faces)
    centre = (vertices.max(0) + vertices.min(0)) / 2
    radius = np.linalg.norm(vertices - centre, axis=1).max()
    seen, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-9)
    for index in range(directions):  # A spiral of evenly spread directions.
        up = 1 - (2 * index + 1) / directions
        turn = index * np.pi * (3 - np.sqrt(5))
        flat = np.sqrt(1 - up * up)
        toward = np.array([flat * np.cos(turn), up, flat * np.sin(turn)])
        side = np.cross([0.0, 1.0, 0.0], toward)
        side /= np.linalg.norm(side)
        basis = np.stack([side, np.cross(toward, side), toward])
        local = (vertices - centre) @ basis.T / radius
        screen = np.stack([(local[:, 0] + 1) * size / 2, (1 - local[:, 1]) * size / 2, -local[:, 2]], 1)
        _, depth = raster.visible_faces(screen.astype(np.float32), faces, size, size)
        column, row = np.clip(screen[:, :2].astype(int), 0, size - 1).T
        cosine = np.maximum(normals @ toward, 0)
        seen += cosine * (screen[:, 2] <= depth[row, column] + 0.03)
        total += cosine
    return seen / total


def _least_light(head: HeadMesh) -> np.ndarray:
    """(V,) float32 light that front teeth and the tip of the tongue get at least, so that they read."""
    least = np.zeros(head.vertex_count, np.float32)
    depth = head.neutral[:, 2].numpy()
    for part, light in _MOUTH_LIGHT.items():
        inside = head.parts[part].numpy()
        if len(inside):
            forward = (depth[inside] - depth[inside].min()) / max(np.ptp(depth[inside]), 1e-9)
            least[inside] = light * np.clip((forward - 0.7) / 0.25, 0.1, 1)
    return least


def lash_hairs(head: HeadMesh) -> np.ndarray:
    """(V, 2) float32: how far along a lash a vertex is, 0 at the lid to 1 at the tip, and on which hair it lies.

    Hairs are counted by the angle around the eye, which fans them out. Other vertices have zeros.
    """
    neutral, lashes = head.neutral.numpy(), head.parts["lashes"].numpy()
    hairs = np.zeros((len(neutral), 2), np.float32)
    if len(lashes):
        away, _ = cKDTree(neutral[head.parts["skin"].numpy()]).query(neutral[lashes])
        hairs[lashes, 0] = np.clip(away / max(np.percentile(away, 95), 1e-9), 0, 1)
        centres = head.eye_centres.numpy()
        offset = neutral[lashes] - centres[np.where(neutral[lashes, 0] > centres.mean(0)[0], 0, 1)]
        below = lashes[offset[:, 1] < 0]
        hairs[below, 0] = _LOWER_LASHES + (1 - _LOWER_LASHES) * hairs[below, 0]
        hairs[lashes, 1] = _HAIRS_PER_RADIAN * np.arctan2(offset[:, 0], offset[:, 2])
    return hairs
