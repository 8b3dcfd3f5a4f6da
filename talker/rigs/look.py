"""How a head looks where a format holds materials: colours, and pictures of the face and the eye."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from talker.rigs import head_paint
from talker.rigs.head_mesh import HeadMesh

Colour = tuple[float, float, float]

# Linear RGB.
SKIN: Colour = (0.60, 0.34, 0.25)
EYE_WHITE: Colour = (0.80, 0.79, 0.77)
_IRIS: Colour = (0.11, 0.17, 0.22)
_PUPIL: Colour = (0.004, 0.004, 0.004)
_TEETH: Colour = (0.75, 0.70, 0.60)
_TONGUE: Colour = (0.42, 0.13, 0.12)
_LASHES: Colour = (0.02, 0.014, 0.01)
_LIPS: Colour = (0.43, 0.135, 0.125)
_BROWS: Colour = (0.06, 0.037, 0.025)
_BLUSH: Colour = (0.56, 0.235, 0.18)

_PICTURE_SIZE = 512  # Pixels of the picture of the skin, both ways,
_PICTURE_WIDTH = 0.20  # and what it spans on a head of average size, in metres.
_BEHIND_EYES = 0.06  # Metres: skin farther back than this is plain.
_EYE_PICTURE_SIZE = 256  # The front half of the eyeball covers about 70 % of the width.


_DARKEST = 0.2  # Of the colour where no light from around reaches.
_PUPIL_SHARE = 0.42  # Of the iris's radius.


@dataclass(frozen=True)
class Surface:
    """Faces that share a material.

    Attributes:
        name: "face", "skin", "eyes", "teeth", "tongue" or "lashes".
        faces: (f, 3) vertex indices.
        colour: Linear RGB, where there is no picture.
        roughness: 0 a mirror, 1 chalk.
        two_sided: It is also seen from behind.
        picture: (H, W, 3) uint8 sRGB, or (H, W, 4) with how opaque it is.
        coordinates: (V, 2) places of the vertices in the picture, (0, 0) its top left.
    """

    name: str
    faces: np.ndarray
    colour: Colour
    roughness: float
    two_sided: bool = False
    picture: np.ndarray | None = None
    coordinates: np.ndarray | None = None

    def corner_colours(self, inset: float) -> np.ndarray:
        """(f, 3, 3) linear RGB at the corners of each face, read a share `inset` of the way to the face's middle."""
        if self.picture is None or self.coordinates is None:
            return np.broadcast_to(np.array(self.colour, np.float32), (*self.faces.shape, 3))
        corners = self.coordinates[self.faces]
        places = corners + inset * (corners.mean(axis=1, keepdims=True) - corners)
        size = np.array(self.picture.shape[1::-1])
        column, row = np.moveaxis(np.clip((places * size).astype(int), 0, size - 1), -1, 0)
        return _to_linear(self.picture[row, column, :3])

    def corner_opacity(self) -> np.ndarray:
        """(f, 3) how much is seen of each corner: the mean of its row of a see-through picture, else 1."""
        if self.picture is None or self.coordinates is None or self.picture.shape[2] < 4:
            return np.ones(self.faces.shape, np.float32)
        row = np.clip((self.coordinates[self.faces][..., 1] * len(self.picture)).astype(int), 0, len(self.picture) - 1)
        return self.picture[..., 3].mean(axis=1, dtype=np.float32)[row] / 255


@lru_cache(maxsize=2)
def surfaces(head: HeadMesh) -> tuple[Surface, ...]:
    """All faces of a head by material; a material without faces is left out."""
    faces = head.faces.cpu().numpy()

    def of(*parts: str) -> np.ndarray:
        return faces[head.part_faces(*parts).cpu().numpy()]

    skin, (picture, coordinates, pictured) = of("skin"), _skin_picture(head)
    front = pictured[skin].all(axis=1)
    found = (
        Surface("face", skin[front], SKIN, 0.5, True, picture, coordinates),
        Surface("skin", skin[~front], SKIN, 0.5, True),
        Surface(
            "eyes", of("left_eye", "right_eye"), EYE_WHITE, 0.15, False, _eye_picture(head), _eye_coordinates(head)
        ),
        Surface("teeth", of("teeth_upper", "teeth_lower"), _TEETH, 0.25),
        Surface("tongue", of("tongue"), _TONGUE, 0.4),
        Surface("lashes", of("lashes"), _LASHES, 0.7, True, _lash_picture(), _lash_coordinates(head)),
    )
    return tuple(surface for surface in found if len(surface.faces))


@lru_cache(maxsize=2)
def vertex_light(head: HeadMesh) -> np.ndarray:
    """(V,) factors of the colours: less in creases and in the mouth; 1 on the eyeballs, which turn in their sockets."""
    light = _DARKEST + (1 - _DARKEST) * np.max(head_paint.sky_visibility(head), axis=0)
    for part in ("left_eye", "right_eye"):
        light[head.parts[part].cpu().numpy()] = 1
    light.setflags(write=False)  # It is shared with whoever asks next.
    return light


def _skin_picture(head: HeadMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The face from the front with lips, brows and cheeks; where vertices are in it; (V,) whether they belong there."""
    neutral = head.neutral.cpu().numpy().astype(float)
    landmarks = head.landmarks_of(head.neutral).cpu().numpy().astype(float)
    unit = head_paint.millimetre(head) * 1000
    middle = (landmarks.max(axis=0) + landmarks.min(axis=0))[:2] / 2
    width = _PICTURE_WIDTH * unit
    offset = (neutral[:, :2] - middle) / width * (1, -1)
    in_front = neutral[:, 2] > float(head.eye_centres[:, 2].mean()) - _BEHIND_EYES * unit
    colour = np.broadcast_to(SKIN, (_PICTURE_SIZE, _PICTURE_SIZE, 3)).copy()
    grid = (np.arange(_PICTURE_SIZE) + 0.5) / _PICTURE_SIZE - 0.5
    x, y = middle[0] + grid * width, middle[1] - grid * width
    for paint in (_paint_blush, _paint_lips, _paint_brows):
        paint(colour, x, y, landmarks, unit)
    return _to_bytes(colour), offset + 0.5, in_front & (np.abs(offset).max(axis=1) < 0.5)


def _window(x: np.ndarray, y: np.ndarray, points: np.ndarray, margin: float) -> tuple[tuple[slice, slice], np.ndarray]:
    """The pixels about some points: their place in the picture and (N, 3) positions in front of the face."""
    (left, bottom), (right, top) = points[:, :2].min(axis=0) - margin, points[:, :2].max(axis=0) + margin
    columns, rows = np.flatnonzero((x > left) & (x < right)), np.flatnonzero((y > bottom) & (y < top))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    across, up = np.meshgrid(x[window[1]], y[window[0]])
    return window, np.column_stack([across.ravel(), up.ravel(), np.full(across.size, points[:, 2].max())])


def _paint_blush(colour: np.ndarray, x: np.ndarray, y: np.ndarray, landmarks: np.ndarray, unit: float) -> None:
    places = [*head_paint.CHEEKS, head_paint.NOSE_TIP]
    for place in landmarks[places]:
        distance = np.hypot(*np.meshgrid(x - place[0], y - place[1])) / (0.02 * unit)
        colour[:] = _mix(colour, np.array(_BLUSH), 0.4 * np.exp(-(distance**2)))


def _paint_lips(colour: np.ndarray, x: np.ndarray, y: np.ndarray, landmarks: np.ndarray, unit: float) -> None:
    window, points = _window(x, y, landmarks[list(head_paint.LIPS_OUTLINE)], 0.004 * unit)
    inside = head_paint.lip_distance(points, landmarks).reshape(colour[window].shape[:2]) / (0.001 * unit)
    colour[window] = _mix(colour[window], np.array(_LIPS), 0.8 * _step(inside, 0.1, 2.0))


def _paint_brows(colour: np.ndarray, x: np.ndarray, y: np.ndarray, landmarks: np.ndarray, unit: float) -> None:
    for upper, lower in head_paint.BROWS:
        window, points = _window(x, y, landmarks[[*upper, *lower]], 0.008 * unit)
        along, above = head_paint.brow_coordinates(points, landmarks)
        reach = (3.4 - 2.1 * _step(along, 0.55, 0.85)) * _step(along, 0.02, 0.16) * (1 - _step(along, 0.96, 0.20))
        strands = 0.8 + 0.2 * np.sin(2 * np.pi * (along * 30 - above / (0.003 * unit)))
        cover = (1 - _step(np.abs(above) / (0.001 * unit), 0.8 * reach + 0.1, 0.7 * reach + 0.4)) * (reach > 0.05)
        colour[window] = _mix(
            colour[window], np.array(_BROWS), (0.85 * cover * strands).reshape(colour[window].shape[:2])
        )


def _eye_coordinates(head: HeadMesh) -> np.ndarray:
    """(V, 2) places in the eye picture, (0, 0) its top left; meaningful for eyeball vertices only.

    The picture is the eyeball seen along +z in an equal-area projection: every point has one place, and round the
    iris straight lines on the mesh are straight in the picture.
    """
    places = np.full((head.vertex_count, 2), 0.5)
    for part, centre in zip(("left_eye", "right_eye"), head.eye_centres.cpu().numpy(), strict=True):
        indices = head.parts[part].cpu().numpy()
        out = head.neutral[indices].cpu().numpy().astype(float) - centre
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
        reach = np.sqrt(np.maximum((1 - out[:, 2]) / 2, 0.0))  # sin(angle from +z / 2)
        across = out[:, :2] / np.maximum(np.linalg.norm(out[:, :2], axis=1, keepdims=True), 1e-9)
        places[indices] = 0.5 + 0.5 * reach[:, None] * across * (1, -1)
    return places


def _iris_angle(head: HeadMesh) -> float:
    """Angle in radians between the eye's axis and the rim of its iris; a third of a radian for a head without eyes."""
    radii = (head.neutral[head.parts["left_eye"]] - head.eye_centres[0]).norm(dim=1)
    share = head.iris_radius / float(radii.median()) if len(radii) else 0.0
    return float(np.arcsin(min(share, 1.0))) or 0.33


def _eye_picture(head: HeadMesh) -> np.ndarray:
    """The picture for `_eye_coordinates`: white, a limbal ring, fibres in the iris, a pupil."""
    angle = _iris_angle(head)
    grid = (np.arange(_EYE_PICTURE_SIZE) + 0.5) / _EYE_PICTURE_SIZE * 2 - 1
    x, y = np.meshgrid(grid, -grid)
    theta = 2 * np.arcsin(np.minimum(np.hypot(x, y), 1.0))
    outward = theta / angle  # 0 in the middle of the pupil, 1 at the rim of the iris.
    around = np.arctan2(y, x)
    softness = 2 * 2 / _EYE_PICTURE_SIZE / angle  # Edges two pixels wide do not flicker.

    fibres = 1 + 0.18 * np.sin(around * 37 + 3 * np.sin(around * 11)) + 0.12 * np.sin(around * 71 + 5 * outward)
    ring = 1 - 0.65 * _step(outward, 0.86, 0.10)
    glow = 0.75 + 0.7 * (1 - outward)
    colour = np.array(EYE_WHITE) * (1 - 0.06 * np.clip(outward - 1, 0, 3))[..., None] * (1.0, 0.97, 0.96)
    iris = np.array(_IRIS) * (fibres * ring * glow)[..., None]
    colour = _mix(colour, iris, 1 - _step(outward, 1.0, softness))
    colour = _mix(colour, np.broadcast_to(_PUPIL, colour.shape), 1 - _step(outward, _PUPIL_SHARE, softness))
    return _to_bytes(colour)


def _lash_coordinates(head: HeadMesh) -> np.ndarray:
    """(V, 2) places in the picture of the lashes: across it around the eye, up it from the lid to the tips."""
    places = np.zeros((head.vertex_count, 2))
    lashes, neutral = head.parts["lashes"].cpu().numpy(), head.neutral.cpu().numpy().astype(float)
    for centre, outward in zip(head.eye_centres.cpu().numpy(), (1.0, -1.0), strict=True):
        own = lashes[(neutral[lashes, 0] > 0) == (outward > 0)]
        if len(own):
            away = neutral[own] - centre
            reach = np.linalg.norm(away, axis=1)
            places[own, 0] = 0.5 + np.arctan2(away[:, 1], away[:, 0] * outward) / (2 * np.pi)
            places[own, 1] = 1 - (reach - reach.min()) / max(np.ptp(reach), 1e-9)
    return places


def _lash_picture() -> np.ndarray:
    """Hairs that lean outwards and taper towards the top of the picture."""
    across, up = np.meshgrid((np.arange(1024) + 0.5) / 1024, 1 - (np.arange(64) + 0.5) / 64)
    cover = np.zeros_like(across)
    for count, length, lean in ((90, 1.0, 0.5), (127, 0.7, 0.9)):
        hair = np.abs(((across * count + lean * up) % 1) - 0.5) * 2  # 0 in the middle of a hair, 1 between two.
        cover = np.maximum(cover, 1 - _step(hair, 0.62 * (1 - up / length).clip(0, 1), 0.35))
    picture = np.broadcast_to(np.array(_LASHES), (*cover.shape, 3))
    return np.concatenate([_to_bytes(picture), np.rint(255 * cover[..., None]).astype(np.uint8)], axis=2)


def _step(values: np.ndarray, edge: float | np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """0 below the edge, 1 above it, smooth over `width`."""
    share = np.clip((values - edge) / width + 0.5, 0, 1)
    return share * share * (3 - 2 * share)


def _mix(below: np.ndarray, above: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return below + (above - below) * cover[..., None]


def _to_linear(srgb: np.ndarray) -> np.ndarray:
    """Linear 0..1 of sRGB 0..255."""
    share = srgb.astype(np.float32) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _to_bytes(linear: np.ndarray) -> np.ndarray:
    """Linear 0..1 as sRGB 0..255."""
    linear = np.clip(linear, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
    return np.rint(255 * srgb).astype(np.uint8)
