"""Where to paint lips, brows and shadows on a head: numbers per vertex that a shader turns into colour.

Heads come without textures. Where the lips and the brows are is known from MediaPipe's landmarks on the head; a
*distance* to their outlines, interpolated over the triangles, draws edges far finer than the mesh.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from talker.rigs import arkit
from talker.rigs.fitting.surface import vertex_normals
from talker.rigs.head_mesh import HeadMesh

LAYERS: tuple[str, ...] = ("shade", "lips", "brow_along", "brow_across", "detail", "around", "cover")
PER_MILLIMETRE = 8.0
"""Steps per millimetre of the distances, which are stored as 128 + steps; millimetres on a head of average size."""

# MediaPipe's landmark numbers. Brows run from the nose outwards, upper edge and lower edge.
LIPS_OUTLINE = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
BROWS = (
    ((107, 66, 105, 63, 70), (55, 65, 52, 53, 46)),
    ((336, 296, 334, 293, 300), (285, 295, 282, 283, 276)),
)
INNER_LIPS = (13, 14)  # The middles of the upper and the lower lip, where they meet.
CHEEKS, NOSE_TIP = (50, 280), 4

_EYE_DISTANCE = 0.062  # Metres between the eye centres of a head of average size.
_SHADE_DIRECTIONS = 96
_SHADE_CELL = 0.0022  # Metres: as fine as the surface samples are dense.
_SHADE_BIAS = 0.004
_LIP_REACH = 0.10  # Metres behind the corners of the lips where the mouth ends.
_PALATE_DEPTH, _PALATE_REACH = 0.018, 0.025
_FADE = 0.06
_HIDDEN = 0.30  # What sees less of the sky than this at rest begins to count as the inside of the mouth.


@dataclass(frozen=True)
class HeadPaint:
    """Attributes.

    layers: (7, V) uint8 in the order of `LAYERS`:
        shade: how much of the sky a vertex sees, 255 all of it.
        lips: distance inside (> 128) or outside the outline of the lips.
        brow_along: place along the nearer brow, 64 at its inner and 192 at its outer end.
        brow_across: distance above (> 128) or below its middle line.
        detail: skin: blood in cheeks and nose; lashes: 0 root to 255 tip; teeth: 0 gum to 255 edge.
        around: skin: 255 inside the mouth; lashes: angle about their eye.
        cover: 0 at the edge where the neck was cut, 255 from 6 cm above it.
    frame: `centre` (x, y, z) and `height` of the face from chin to forehead, for the camera, `lipsDepth`,
        the z of the lips (all in metres), and `innerLips`, the vertices in the middle of the upper and the lower lip.
    """

    layers: np.ndarray
    frame: dict[str, object]


@lru_cache(maxsize=2)
def paint_head(head: HeadMesh) -> HeadPaint:
    """Compute the paint of a head at rest."""
    neutral = head.neutral.cpu().numpy()
    landmarks = head.landmarks_of(head.neutral).cpu().numpy()
    unit = millimetre(head)
    layers = {name: np.zeros(len(neutral)) for name in LAYERS}
    at_rest, shown = sky_visibility(head)
    layers["shade"] = 255 * np.maximum(at_rest, shown)
    layers["cover"] = 255 * _distance_from_cut(head, neutral) / _FADE
    skin = head.parts["skin"].cpu().numpy()
    if np.ptp(landmarks[:, 0]) > 0:
        points = neutral[skin]
        lips = lip_distance(points, landmarks) / unit
        layers["lips"][skin] = 128 + PER_MILLIMETRE * lips
        hidden = np.clip(2 - 2 * at_rest[skin] / _HIDDEN, 0, 1)
        layers["around"][skin] = 255 * hidden * _inside_mouth(points, landmarks, lips)
        along, across = brow_coordinates(points, landmarks)
        layers["brow_along"][skin] = 64 + 128 * along
        layers["brow_across"][skin] = 128 + PER_MILLIMETRE * across / unit
        layers["detail"][skin] = 255 * blush(points, landmarks, unit)
    _paint_lashes(head, neutral, layers)
    _paint_teeth(head, neutral, layers)
    rows = np.stack([layers[name] for name in LAYERS])
    return HeadPaint(np.rint(np.clip(rows, 0, 255)).astype(np.uint8), _face_frame(neutral[skin], landmarks, head))


def sky_visibility(head: HeadMesh) -> np.ndarray:
    """(2, V) share of the directions above the surface that nothing of the head blocks, cosine-weighted, 0..1.

    First at rest, then in a pose that shows what folds away at rest: inner lips and upper lids.
    """
    poses = torch.zeros(2, arkit.CHANNEL_COUNT)
    for name, weight in (("jawOpen", 0.7), ("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0), ("browInnerUp", 0.6)):
        poses[1, arkit.INDEX[name]] = weight
    faces = head.faces.cpu().numpy()
    blockers = faces[head.part_faces("skin", "left_eye", "right_eye").cpu().numpy()]
    return np.stack([_visibility(pose.cpu().numpy(), faces, blockers) for pose in head.vertices(poses)])


def _visibility(vertices: np.ndarray, faces: np.ndarray, blockers: np.ndarray) -> np.ndarray:
    """Shadow maps from all around, each a grid of the nearest surface samples."""
    normals = vertex_normals(vertices, faces)
    samples = _surface_samples(vertices, blockers)
    seen, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-9)
    cell = _SHADE_CELL
    for direction in _sphere(_SHADE_DIRECTIONS):
        side = np.cross(direction, (0.0, 1.0, 0.0) if abs(direction[1]) < 0.9 else (1.0, 0.0, 0.0))
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(direction, side)], axis=1)
        low = (samples @ axes).min(axis=0)
        columns = int(np.ptp(samples @ axes[:, 1]) / cell) + 2

        def cells(points: np.ndarray, axes: np.ndarray = axes, low: np.ndarray = low, n: int = columns) -> np.ndarray:
            grid = np.maximum((points @ axes - low) / cell, 0).astype(int)
            return grid[:, 0] * n + np.minimum(grid[:, 1], n - 1)

        where, own = cells(samples), cells(vertices)
        nearest = np.full(max(where.max(), own.max()) + 1, -np.inf)
        np.maximum.at(nearest, where, samples @ direction)
        facing = np.maximum(normals @ direction, 0.0)
        seen += facing * (vertices @ direction > nearest[own] - _SHADE_BIAS)
        total += facing
    return seen / total


_FACE_SAMPLES = np.array(
    [[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4], [1, 1, 0], [0, 1, 1], [1, 0, 1]], float
) / np.array([[3], [6], [6], [6], [2], [2], [2]])


def _surface_samples(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(7 F, 3) points on the faces."""
    return np.concatenate([np.tensordot(vertices[faces], weights, axes=(1, 0)) for weights in _FACE_SAMPLES])


def _sphere(count: int) -> np.ndarray:
    """(count, 3) directions spread evenly (Fibonacci's spiral)."""
    height = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (3 - 5**0.5) * np.arange(count)
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(angle), height, ring * np.sin(angle)], axis=1)


def lip_distance(points: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(N,) signed distance in metres, seen from the front, to the outline of the lips; positive inside."""
    outline, outline_depth = landmarks[list(LIPS_OUTLINE), :2], landmarks[list(LIPS_OUTLINE), 2].min()
    flat = points[:, :2]
    distance, _, _ = _nearest_on_polyline(flat, np.concatenate([outline, outline[:1]]))
    start, end = outline, np.roll(outline, -1, axis=0)
    crosses = (start[None, :, 1] > flat[:, None, 1]) != (end[None, :, 1] > flat[:, None, 1])
    slope = (end - start)[:, 0] / np.where(end[:, 1] == start[:, 1], 1e-12, end[:, 1] - start[:, 1])
    right = flat[:, None, 0] < start[None, :, 0] + slope * (flat[:, None, 1] - start[None, :, 1])
    inside = (crosses & right).sum(axis=1) % 2 == 1
    behind = points[:, 2] < outline_depth - _LIP_REACH
    return np.where(behind, -1.0, np.where(inside, distance, -distance))


def _inside_mouth(points: np.ndarray, landmarks: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """(N,) whether a hidden point is in the mouth: behind the lips, or deeper and not far from there (the palate)."""
    deep = points[:, 2] < landmarks[list(LIPS_OUTLINE), 2].max() - _PALATE_DEPTH
    return (lips > 0) | (deep & (lips > -_PALATE_REACH))


def brow_coordinates(points: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place along the nearer brow (0 inner end .. 1 outer end) and metres above its middle line, both (N,).

    The middle line is a parabola through the landmarks, which jitter; it goes on beyond both ends of the brow.
    """
    best = np.full(len(points), np.inf)
    along, across = np.zeros(len(points)), np.zeros(len(points))
    for upper, lower in BROWS:
        middle = (landmarks[list(upper), :2] + landmarks[list(lower), :2]) / 2
        parabola = np.polyfit(middle[:, 0], middle[:, 1], 2)
        x = middle[0, 0] + np.linspace(-0.5, 1.5, 41) * (middle[-1, 0] - middle[0, 0])
        distance, place, height = _nearest_on_polyline(points[:, :2], np.stack([x, np.polyval(parabola, x)], axis=1))
        nearer = distance < best
        best = np.where(nearer, distance, best)
        along, across = np.where(nearer, 2 * place - 0.5, along), np.where(nearer, height, across)
    behind = points[:, 2] < landmarks[:, 2].min()
    return np.where(behind, 1.5, along), across


def _nearest_on_polyline(points: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each point in the plane: distance to the line, place along it by length (0..1), signed height above it."""
    start, step = line[:-1], np.diff(line, axis=0)
    length = np.maximum(np.linalg.norm(step, axis=1), 1e-9)
    away = points[:, None] - start
    place = np.clip((away * step).sum(axis=2) / length**2, 0, 1)
    offset = away - place[..., None] * step
    distance = np.linalg.norm(offset, axis=2)
    nearest = distance.argmin(axis=1)
    row = np.arange(len(points))
    so_far = np.concatenate([[0.0], np.cumsum(length)])
    along = (so_far[nearest] + place[row, nearest] * length[nearest]) / so_far[-1]
    return distance[row, nearest], along, np.copysign(distance[row, nearest], offset[row, nearest, 1])


def blush(points: np.ndarray, landmarks: np.ndarray, unit: float) -> np.ndarray:
    """(N,) 0..1: cheeks and the tip of the nose are redder."""
    centres = landmarks[[*CHEEKS, NOSE_TIP]]
    radii = np.array([20.0, 20.0, 13.0]) * unit
    distance = np.linalg.norm(points[:, None] - centres, axis=2)
    return np.exp(-((distance / radii) ** 2)).max(axis=1)


def _paint_lashes(head: HeadMesh, neutral: np.ndarray, layers: dict[str, np.ndarray]) -> None:
    """A lash begins where it leaves the lid, not where its mesh does: inside the lid."""
    lashes = head.parts["lashes"].cpu().numpy()
    skin = head.faces[head.part_faces("skin")].cpu().numpy()
    for centre, outward in zip(head.eye_centres.cpu().numpy(), (1.0, -1.0), strict=True):
        own = lashes[neutral[lashes, 0] * outward > 0]
        if not len(own):
            continue
        away = neutral[own] - centre
        near = np.linalg.norm(neutral[skin[:, 0]] - centre, axis=1) < 2 * np.linalg.norm(away, axis=1).max()
        lids = _surface_samples(neutral, skin[near])
        length = np.array([np.linalg.norm(lids - point, axis=1).min() for point in neutral[own]])
        layers["detail"][own] = 255 * length / max(float(np.percentile(length, 95)), 1e-9)
        layers["around"][own] = 255 * (np.arctan2(away[:, 1], away[:, 0] * outward) / (2 * np.pi) + 0.5)


def _paint_teeth(head: HeadMesh, neutral: np.ndarray, layers: dict[str, np.ndarray]) -> None:
    for name, gum_is_up in (("teeth_upper", True), ("teeth_lower", False)):
        teeth = head.parts[name].cpu().numpy()
        if len(teeth):
            height = neutral[teeth, 1]
            share = (height - height.min()) / max(np.ptp(height), 1e-9)
            layers["detail"][teeth] = 255 * (1 - share if gum_is_up else share)


def millimetre(head: HeadMesh) -> float:
    """Metres that stand for one millimetre of an average head on this one."""
    left, right = head.eye_centres
    distance = float(torch.linalg.norm(left - right))
    return 0.001 * (distance / _EYE_DISTANCE if distance > 0 else 1.0)


def _face_frame(skin: np.ndarray, landmarks: np.ndarray, head: HeadMesh) -> dict[str, object]:
    low, high = skin.min(axis=0), skin.max(axis=0)
    middle = (low[2] + high[2]) / 2
    if np.ptp(landmarks[:, 0]) > 0:
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    centre = [*((low + high) / 2)[:2], middle]  # The camera turns about the middle of the head.
    inner_lips = [int(corner) for corner in _nearest_vertices(head)[list(INNER_LIPS)]]
    return {
        "centre": [float(coordinate) for coordinate in centre],
        "height": float(high[1] - low[1]),
        "lipsDepth": float(landmarks[list(LIPS_OUTLINE), 2].max()),
        "innerLips": inner_lips,
    }


def _distance_from_cut(head: HeadMesh, neutral: np.ndarray) -> np.ndarray:
    """(V,) metres to the open edge in the lowest quarter of the head; far away on a head without one."""
    faces = head.faces[head.part_faces("skin")].cpu().numpy()
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, uses = np.unique(edges, axis=0, return_counts=True)
    rim = np.unique(unique[uses == 1])
    rim = rim[neutral[rim, 1] < neutral[:, 1].min() + np.ptp(neutral[:, 1]) / 4]
    distance = np.full(len(neutral), np.inf)
    for vertex in rim:
        distance = np.minimum(distance, np.linalg.norm(neutral - neutral[vertex], axis=1))
    return distance


def _nearest_vertices(head: HeadMesh) -> np.ndarray:
    """(478,) the vertex that weighs most in each landmark."""
    corners = head.faces[head.landmark_faces]
    return corners.gather(1, head.landmark_weights.argmax(dim=1, keepdim=True))[:, 0].cpu().numpy()
