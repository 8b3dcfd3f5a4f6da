"""What colour a head's skin is, and how much light reaches each vertex."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from talker.render import raster
from talker.render.refine import RefinedMesh
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh

_TEXELS = 1024

# Albedo, linear light.
_SKIN = np.array([0.56, 0.345, 0.255])
_LIPS = np.array([0.40, 0.130, 0.115])
_HAIR = np.array([0.055, 0.034, 0.024])
_FLUSH = np.array([0.55, 0.215, 0.165])
_SHADE = np.array([0.40, 0.205, 0.165])

_HAIRS_PER_RADIAN = 20
_LOWER_LASHES = 0.6  # Where the sparser lower lashes begin, on the way from root to tip of the upper ones.

# Landmarks, colour, radius in metres, strength: cheeks, the tip of the nose, chin, and the hollows around the eyes.
_BLUSHES = (
    ((50, 280), _FLUSH, 0.020, 0.38),
    ((4,), _FLUSH, 0.011, 0.30),
    ((48, 278), _FLUSH, 0.008, 0.25),
    ((199,), _FLUSH, 0.012, 0.15),
    ((133, 362), _SHADE, 0.009, 0.28),
    ((145, 374, 159, 386), _SHADE, 0.012, 0.22),
)

# Upper and lower edges of the brows, from the outer end inwards.
_BROWS = (
    ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)),
    ((300, 293, 334, 296, 336), (276, 283, 282, 295, 285)),
)


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
        low, high = neutral.min(0), neutral.max(0)
        frame = np.array([low[0], high[1], *((_TEXELS - 1) / (high - low)[:2])], np.float32)
        depth = head.eye_centres[:, 2].mean().item() - neutral[:, 2]
        painted = np.clip(1 - depth / 0.05, 0, 1)  # Fades out towards the ears: seen from the front they are a line.
        attributes = np.concatenate([neutral, sky_seen(head, mesh)[:, None], painted[:, None]], 1).astype(np.float32)
        return cls(_Canvas(frame).painted(head), frame, attributes, mesh.matrix @ lash_hairs(head))


class _Canvas:
    """The face seen from the front, in metres."""

    def __init__(self, frame: np.ndarray) -> None:
        left, top, across, down = frame.astype(float)
        self._frame = (left, top, across, down)
        self._x = left + np.arange(_TEXELS) / across
        self._y = top - np.arange(_TEXELS)[:, None] / down
        self._albedo = np.broadcast_to(_SKIN, (_TEXELS, _TEXELS, 3)).copy()

    def painted(self, head: HeadMesh) -> np.ndarray:
        """(1024, 1024, 3) uint8 with a gamma of 2."""
        landmarks = head.landmarks_of(head.neutral).numpy().astype(float)
        self._mottle()
        if np.ptp(landmarks[:, 0]) > 0:  # Not known yet while they are being looked for.
            self._make_up(landmarks)
        if "lips" in head.regions:
            self._lips(head)
        self._albedo[0, 0] = _SKIN
        return (np.sqrt(self._albedo.clip(0, 1)) * 255 + 0.5).astype(np.uint8)

    def _make_up(self, landmarks: np.ndarray) -> None:
        for points, colour, radius, strength in _BLUSHES:
            for x, y, _ in landmarks[list(points)]:
                glow = np.exp(-((self._x - x) ** 2 + (self._y - y) ** 2) / radius**2)
                self._tint(colour, strength * glow)
        for upper, lower in _BROWS:
            self._brow(landmarks[list(upper), :2], landmarks[list(lower), :2])

    def _tint(self, colour: np.ndarray, share: np.ndarray) -> None:
        self._albedo += (colour - self._albedo) * share[..., None]

    def _mottle(self) -> None:
        """Uneven skin, faintly, so that it does not look like plastic."""
        noise = np.random.default_rng(0).standard_normal((_TEXELS, _TEXELS))
        for blur, strength in ((2, 0.012), (11, 0.016)):
            grain = gaussian_filter(noise, blur)
            self._albedo *= 1 + strength * (grain / grain.std())[..., None] * np.array([0.6, 1.0, 1.0])

    def _brow(self, upper: np.ndarray, lower: np.ndarray) -> None:
        """Hairs between the (5, 2) points of a brow's edges, from its outer to its inner end."""
        order = np.argsort(upper[:, 0]), np.argsort(lower[:, 0])
        outer, inner = (upper[0] + lower[0]) / 2, (upper[-1] + lower[-1]) / 2
        along = (self._x - outer[0]) / (inner[0] - outer[0])
        top = np.interp(self._x, *upper[order[0]].T)
        bottom = np.interp(self._x, *lower[order[1]].T)
        middle, half = gaussian_filter((top + bottom) / 2, 12), gaussian_filter((top - bottom) / 2, 12)
        across = (self._y - middle) / np.maximum(half * (0.7 + 0.4 * np.clip(along, 0, 1)), 1e-4)
        ends = np.clip((along + 0.03) / 0.25, 0, 1) * np.clip((1.06 - along) / 0.3, 0, 1)
        lean = np.sign(inner[0] - outer[0])
        place = 1800 * (lean * self._x + self._y * (0.35 + 0.8 * np.clip(1 - along, 0, 1)))
        strands = np.random.default_rng(1).uniform(-1, 1, 4096)
        hairs = np.interp(place % 4096, np.arange(4096), strands)
        self._tint(_HAIR, np.exp(-(across**2) * 1.3) * ends * np.clip(0.86 + 0.28 * hairs, 0, 0.97))

    def _lips(self, head: HeadMesh) -> None:
        """Colour the faces whose corners all belong to the lips."""
        member = np.zeros(head.vertex_count, bool)
        member[head.regions["lips"].numpy()] = True
        faces = head.faces.numpy()
        lips = np.ascontiguousarray(faces[member[faces].all(1)].astype(np.int32))
        neutral = head.neutral.numpy()
        left, top, across, down = self._frame
        place = np.stack([(neutral[:, 0] - left) * across, (top - neutral[:, 1]) * down, -neutral[:, 2]], 1)
        seen, _ = raster.visible_faces(place.astype(np.float32), lips, _TEXELS, _TEXELS)
        mask = gaussian_filter((seen != raster.NOTHING).astype(float), 2.0)
        self._tint(_LIPS, 0.72 * mask)


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
