"""How a head looks where a format holds materials: colours of its parts, tints of the skin, a picture of the eye."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from talker.rigs.head_mesh import HeadMesh

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """A surface: the parts that have it, its linear RGB colour, its roughness, whether both sides show."""

    name: str
    parts: tuple[str, ...]
    colour: Colour
    roughness: float
    double_sided: bool = False


MATERIALS: tuple[Material, ...] = (
    Material("skin", ("skin",), (0.60, 0.34, 0.25), 0.5, double_sided=True),
    Material("eyes", ("left_eye", "right_eye"), (0.80, 0.79, 0.77), 0.15),
    Material("teeth", ("teeth_upper", "teeth_lower"), (0.75, 0.70, 0.60), 0.25),
    Material("tongue", ("tongue",), (0.42, 0.13, 0.12), 0.4),
    Material("lashes", ("lashes",), (0.02, 0.014, 0.01), 0.7, double_sided=True),
)

IRIS: Colour = (0.11, 0.17, 0.22)
PUPIL: Colour = (0.004, 0.004, 0.004)
PUPIL_SHARE = 0.42  # Of the iris's radius.

_TINTS: dict[str, Colour] = {"lips": (0.80, 0.50, 0.55), "brows": (0.45, 0.42, 0.40)}
_PICTURE_SIZE = 256  # Pixels; the front half of the eyeball covers about 70 % of the width.


def skin_tint(head: HeadMesh) -> np.ndarray:
    """(V, 3) factors 0..1 of the skin's colour: redder lips, darker brows."""
    tint = np.ones((head.vertex_count, 3))
    for region, colour in _TINTS.items():
        if region in head.regions:
            tint[head.regions[region].cpu().numpy()] = colour
    return tint


def eye_coordinates(head: HeadMesh) -> np.ndarray:
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


def iris_angle(head: HeadMesh) -> float:
    """Angle in radians between the eye's axis and the rim of its iris."""
    left = head.neutral[head.parts["left_eye"]] - head.eye_centres[0]
    radius = float(left.norm(dim=1).median()) if len(left) else 0.0
    return float(np.arcsin(min(head.iris_radius / radius, 1.0))) if radius > 0 else 0.0


def eye_picture(angle: float) -> bytes:
    """A PNG for `eye_coordinates`: white, a limbal ring, fibres in the iris, a pupil. `angle`: see `iris_angle`."""
    grid = (np.arange(_PICTURE_SIZE) + 0.5) / _PICTURE_SIZE * 2 - 1
    x, y = np.meshgrid(grid, -grid)
    theta = 2 * np.arcsin(np.minimum(np.hypot(x, y), 1.0))
    outward = theta / angle  # 0 in the middle of the pupil, 1 at the rim of the iris.
    around = np.arctan2(y, x)
    softness = 2 * 2 / _PICTURE_SIZE / angle  # Edges two pixels wide do not flicker.

    fibres = 1 + 0.18 * np.sin(around * 37 + 3 * np.sin(around * 11)) + 0.12 * np.sin(around * 71 + 5 * outward)
    ring = 1 - 0.65 * _step(outward, 0.86, 0.10)
    glow = 0.75 + 0.7 * (1 - outward)
    colour = np.array(MATERIALS[1].colour) * (1 - 0.06 * np.clip(outward - 1, 0, 3))[..., None] * (1.0, 0.97, 0.96)
    iris = np.array(IRIS) * (fibres * ring * glow)[..., None]
    colour = _mix(colour, iris, 1 - _step(outward, 1.0, softness))
    colour = _mix(colour, np.broadcast_to(PUPIL, colour.shape), 1 - _step(outward, PUPIL_SHARE, softness))
    return _png(np.rint(255 * _to_srgb(np.clip(colour, 0, 1))).astype(np.uint8))


def _step(values: np.ndarray, edge: float, width: float) -> np.ndarray:
    """0 below the edge, 1 above it, smooth over `width`."""
    share = np.clip((values - edge) / width + 0.5, 0, 1)
    return share * share * (3 - 2 * share)


def _mix(below: np.ndarray, above: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return below + (above - below) * cover[..., None]


def _to_srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def _png(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as a PNG file."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)  # Filter 0: none.
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        out += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return out
