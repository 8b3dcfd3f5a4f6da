"""The skin of a face as a picture seen from the front: lips, brows, blushes and the unevenness of skin."""

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from talker.render import raster
from talker.rigs.head_mesh import HeadMesh

TEXELS = 1024
_BROW_MARGIN = 0.006  # Metres around the landmarks that the hairs may reach.

# Albedo, linear light.
_SKIN = np.array([0.56, 0.345, 0.255], np.float32)
_LIPS = np.array([0.40, 0.130, 0.115], np.float32)
_HAIR = np.array([0.055, 0.034, 0.024], np.float32)
_FLUSH = np.array([0.55, 0.215, 0.165], np.float32)
_SHADE = np.array([0.40, 0.205, 0.165], np.float32)


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


class Canvas:
    """A picture of `TEXELS` x `TEXELS` that covers everything (V, 3), in metres.

    Attributes:
        frame: (4,) float32 left and top in metres, texels per metre across and down.
    """

    def __init__(self, vertices: np.ndarray) -> None:
        low, high = vertices.min(0)[:2], vertices.max(0)[:2]
        self.frame = np.array([low[0], high[1], *((TEXELS - 1) / (high - low))], np.float32)
        self._albedo = np.empty((TEXELS, TEXELS, 3), np.float32)
        self._albedo[:] = _SKIN

    def paint(self, head: HeadMesh) -> None:
        """Everything that a head's landmarks and regions place."""
        landmarks = head.landmarks_of(head.neutral).numpy()
        self._mottle()
        if np.ptp(landmarks[:, 0]) > 0:  # Not known yet while they are being looked for.
            for points, colour, radius, strength in _BLUSHES:
                for x, y, _ in landmarks[list(points)]:
                    self._blush(x, y, colour, radius, strength)
            for upper, lower in _BROWS:
                self._brow(landmarks[list(upper), :2], landmarks[list(lower), :2])
        if "lips" in head.regions:
            self._lips(head)

    def picture(self) -> np.ndarray:
        """(1024, 1024, 3) uint8 with a gamma of 2, plain skin at the corner."""
        picture = (np.sqrt(self._albedo.clip(0, 1)) * 255 + 0.5).astype(np.uint8)
        picture[0, 0] = np.sqrt(_SKIN) * 255 + 0.5
        return picture

    def _window(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A view of the picture between two corners in metres, with the x (w,) and y (h, 1) of its texels."""
        left, top, across, down = self.frame
        columns = np.clip([(low[0] - left) * across, (high[0] - left) * across + 1], 0, TEXELS).astype(int)
        rows = np.clip([(top - high[1]) * down, (top - low[1]) * down + 1], 0, TEXELS).astype(int)
        x = left + np.arange(*columns, dtype=np.float32) / across
        y = top - np.arange(*rows, dtype=np.float32)[:, None] / down
        return self._albedo[slice(*rows), slice(*columns)], x, y

    def _mottle(self) -> None:
        """Uneven skin, faintly, so that it does not look like plastic."""
        random = np.random.default_rng(0)
        fine = gaussian_filter(random.standard_normal((TEXELS, TEXELS), np.float32), 2)
        coarse = zoom(gaussian_filter(random.standard_normal((TEXELS // 4, TEXELS // 4), np.float32), 3), 4, order=1)
        for grain, strength in ((fine, 0.012), (coarse, 0.016)):
            grain *= strength / grain.std()
            self._albedo *= 1 + grain[..., None] * np.array([0.6, 1.0, 1.0], np.float32)

    def _blush(self, x: float, y: float, colour: np.ndarray, radius: float, strength: float) -> None:
        centre = np.array([x, y])
        view, across, up = self._window(centre - 2.5 * radius, centre + 2.5 * radius)
        _tint(view, colour, strength * np.exp(-((across - x) ** 2 + (up - y) ** 2) / radius**2))

    def _brow(self, upper: np.ndarray, lower: np.ndarray) -> None:
        """Hairs between the (5, 2) points of a brow's edges, from its outer to its inner end."""
        edges = np.concatenate([upper, lower])
        view, x, y = self._window(edges.min(0) - _BROW_MARGIN, edges.max(0) + _BROW_MARGIN)
        outer, inner = (upper[0] + lower[0]) / 2, (upper[-1] + lower[-1]) / 2
        along = (x - outer[0]) / (inner[0] - outer[0])
        top, bottom = (np.interp(x, *edge[np.argsort(edge[:, 0])].T) for edge in (upper, lower))
        middle, half = gaussian_filter((top + bottom) / 2, 12), gaussian_filter((top - bottom) / 2, 12)
        across = (y - middle) / np.maximum(half * (0.7 + 0.4 * np.clip(along, 0, 1)), 1e-4)
        ends = np.clip((along + 0.03) / 0.25, 0, 1) * np.clip((1.06 - along) / 0.3, 0, 1)
        lean = np.sign(inner[0] - outer[0])
        place = 1800 * (lean * x + y * (0.35 + 0.8 * np.clip(1 - along, 0, 1)))
        strands = np.random.default_rng(1).uniform(-1, 1, 4096)
        hairs = np.interp(place % 4096, np.arange(4096), strands)
        _tint(view, _HAIR, np.exp(-(across**2) * 1.3) * ends * np.clip(0.86 + 0.28 * hairs, 0, 0.97))

    def _lips(self, head: HeadMesh) -> None:
        """Colour the faces whose corners all belong to the lips."""
        member = np.zeros(head.vertex_count, bool)
        member[head.regions["lips"].numpy()] = True
        faces = head.faces.numpy()
        lips = np.ascontiguousarray(faces[member[faces].all(1)].astype(np.int32))
        neutral = head.neutral.numpy()
        left, top, across, down = self.frame
        place = np.stack([(neutral[:, 0] - left) * across, (top - neutral[:, 1]) * down, -neutral[:, 2]], 1)
        seen, _ = raster.visible_faces(place.astype(np.float32), lips, TEXELS, TEXELS)
        _tint(self._albedo, _LIPS, 0.72 * gaussian_filter((seen != raster.NOTHING).astype(np.float32), 2.0))


def _tint(view: np.ndarray, colour: np.ndarray, share: np.ndarray) -> None:
    view += (colour - view) * share[..., None]
