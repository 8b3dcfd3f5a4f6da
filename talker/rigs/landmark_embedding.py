"""Find MediaPipe's 478 landmarks on any head by looking at it: draw it in many poses and run the face landmarker.

Each landmark becomes a point of the surface, the one whose pictures lie nearest to where the landmarker sees it over
all poses at once. Among them are an open mouth, or both lips would land on one point; turned heads, which tell depth;
and moved brows, lids and lips, which tell what a landmark is attached to.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from talker.errors import TalkerError
from talker.render.portrait import Camera, Portrait
from talker.rigs import arkit
from talker.rigs.head_mesh import LANDMARK_COUNT, HeadMesh
from talker.rigs.landmark_numbers import INNER_LIPS_LOWER, INNER_LIPS_UPPER

POSES: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.25},
    {"jawOpen": 0.6},
    {"headYaw": 0.35, "jawOpen": 0.1},
    {"headYaw": -0.35, "jawOpen": 0.1},
    {"headPitch": 0.2},
    {"headPitch": -0.2},
    {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "jawOpen": 0.2},
    {"mouthPucker": 0.6},
    {"mouthFunnel": 0.6, "jawOpen": 0.2},
    {"mouthUpperUpLeft": 0.7, "mouthUpperUpRight": 0.7, "mouthLowerDownLeft": 0.7, "mouthLowerDownRight": 0.7},
    {"browInnerUp": 0.8, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8, "eyeWideLeft": 0.5, "eyeWideRight": 0.5},
    {"browDownLeft": 0.8, "browDownRight": 0.8},
    {"eyeBlinkLeft": 0.6, "eyeBlinkRight": 0.6},
)

_PIXELS = 1024
_FAR = 6.0  # Pixels beyond which a sighting is probably a mistake of the landmarker and counts less.
_SEEN = 0.2  # Share of the views in which a vertex must be visible to carry a landmark.
_LIP_SLACK = 0.0005  # Metres between touching lips that weigh as much as one pixel in every view.
_SYMMETRIC = 1e-4  # Metres by which the halves of a symmetric head may differ.
_GRID = 8  # Steps along an edge of the triangles searched in the end.
_IRIS_RINGS = {"right_eye": range(468, 473), "left_eye": range(473, 478)}  # Centre, then four points of its edge.

Landmarker = Callable[[np.ndarray], np.ndarray]
"""(height, width, 3) uint8 -> (478, 2) pixels."""


@dataclass(frozen=True)
class _Views:
    """P pictures: where every vertex and every landmark appears, in pixels."""

    vertices: np.ndarray
    """(P, V, 2)."""
    visible: np.ndarray
    """(P, V) bool."""
    landmarks: np.ndarray
    """(P, 478, 2)."""


def embed_landmarks(head: HeadMesh, landmarker: Landmarker, camera: Camera | None = None) -> HeadMesh:
    """The same head with `landmark_faces` and `landmark_weights` found by looking at it."""
    views = _look(head, landmarker, camera or Camera.around(head.neutral.numpy()))
    mirror = _mirror_vertices(head)
    if mirror is not None:
        views = _with_mirror_images(views, mirror)
    landmark_faces, landmark_weights = _Surface(head, views).nearest()
    for part, landmarks in _IRIS_RINGS.items():
        if len(head.parts[part]) == 0:
            continue  # Without eyeballs the irises stay on the lids.
        centre = head.eye_centres[("left_eye", "right_eye").index(part)].numpy()
        for landmark, point in zip(landmarks, _iris_points(head, part, centre, views, landmarks), strict=True):
            landmark_faces[landmark], landmark_weights[landmark] = _towards(head, part, centre, point)
    return replace(
        head,
        landmark_faces=torch.from_numpy(landmark_faces),
        landmark_weights=torch.from_numpy(landmark_weights).to(head.neutral),
    )


@contextmanager
def mediapipe_landmarker(task: Path) -> Iterator[Landmarker]:
    """MediaPipe's face landmarker on single pictures, from the `face_landmarker.task` file."""
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise TalkerError('finding landmarks needs mediapipe: pip install "talker[tracking]"') from error
    if not task.is_file():
        raise TalkerError(f"no such file: {task}; give the path of MediaPipe's face_landmarker.task")
    options = vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(task)))

    def detect(picture: np.ndarray) -> np.ndarray:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        found = detector.detect(image).face_landmarks
        if not found:
            raise TalkerError("the face landmarker sees no face in a picture of this head")
        return np.array([(p.x, p.y) for p in found[0]]) * [picture.shape[1], picture.shape[0]]

    with vision.FaceLandmarker.create_from_options(options) as detector:
        yield detect


def pose_curves(poses: tuple[dict[str, float], ...]) -> torch.Tensor:
    """(P, 61) curves of named poses."""
    curves = torch.zeros(len(poses), arkit.CHANNEL_COUNT)
    for row, pose in zip(curves, poses, strict=True):
        for name, value in pose.items():
            row[arkit.INDEX[name]] = value
    return curves


def _look(head: HeadMesh, landmarker: Landmarker, camera: Camera) -> _Views:
    portrait = Portrait(head)
    seen, visible, landmarks = [], [], []
    for posed in head.vertices(pose_curves(POSES)).numpy():
        landmarks.append(landmarker(portrait.draw(posed, camera, _PIXELS)))
        seen.append(camera.project(posed, _PIXELS, _PIXELS)[:, :2])
        visible.append(portrait.visible(posed, camera, _PIXELS))
    return _Views(np.stack(seen), np.stack(visible), np.stack(landmarks))


def _mirror_vertices(head: HeadMesh) -> np.ndarray | None:
    """(V,) the vertex on the other side of each, or None when the two sides of the head differ."""
    neutral = head.neutral.numpy()
    away, mirror = cKDTree(neutral).query(neutral * [-1, 1, 1])
    return mirror if away.max() < _SYMMETRIC else None


def _with_mirror_images(views: _Views, mirror: np.ndarray) -> _Views:
    """Every view and its mirror image: both halves of a symmetric head then get the same landmarks."""
    flip, offset = np.array([-1.0, 1.0]), np.array([_PIXELS, 0.0])
    straight = views.landmarks[["headYaw" not in pose for pose in POSES]]  # Open mouths tell upper from lower lip.
    squared = ((straight[:, :, None] - (offset + flip * straight)[:, None]) ** 2).sum((0, -1))
    _, partner = linear_sum_assignment(squared)
    return _Views(
        np.concatenate([views.vertices, offset + flip * views.vertices[:, mirror]]),
        np.concatenate([views.visible, views.visible[:, mirror]]),
        np.concatenate([views.landmarks, offset + flip * views.landmarks[:, partner]]),
    )


class _Surface:
    """Points all over the skin, as candidates for landmarks."""

    def __init__(self, head: HeadMesh, views: _Views) -> None:
        self._views = views
        self._faces = head.faces.numpy()
        self._candidates = head.part_faces("skin").numpy()
        self._neutral = head.neutral.numpy()
        seen = views.visible.mean(0) > _SEEN
        self._candidates = self._candidates[seen[self._faces[self._candidates]].all(1)]
        self._vertices = np.unique(self._faces[self._candidates])
        steps = [(i, j, _GRID - i - j) for i in range(_GRID + 1) for j in range(_GRID + 1 - i)]
        self._grid = np.array(steps) / _GRID

    def around(self, landmark: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Candidates for one landmark: (N,) faces, (N, 3) weights, (N,) costs."""
        wanted = self._views.landmarks[:, landmark]
        start = self._vertices[np.argmin(_cost(self._views.vertices[:, self._vertices], wanted))]
        corners = self._faces[self._candidates]
        ring = np.unique(corners[(corners == start).any(1)])
        near = self._candidates[np.isin(corners, ring).any(1)]
        points = np.einsum("gc,pfcd->pfgd", self._grid, self._views.vertices[:, self._faces[near]])
        cost = _cost(points.reshape(len(wanted), -1, 2), wanted)
        return np.repeat(near, len(self._grid)), np.tile(self._grid, (len(near), 1)), cost

    def resting(self, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(N, 3) metres in the resting pose."""
        return np.einsum("nc,ncd->nd", weights, self._neutral[self._faces[faces]])

    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """For every landmark the face and the weights that explain all views best: (478,) and (478, 3)."""
        best_faces = np.zeros(LANDMARK_COUNT, int)
        best_weights = np.zeros((LANDMARK_COUNT, 3))
        for landmark in range(LANDMARK_COUNT):
            faces, weights, cost = self.around(landmark)
            best = np.argmin(cost)
            best_faces[landmark], best_weights[landmark] = faces[best], weights[best]
        for upper, lower in zip(INNER_LIPS_UPPER, INNER_LIPS_LOWER, strict=True):
            chosen = self._touching(upper, lower)
            for landmark, (face, weight) in zip((upper, lower), chosen, strict=True):
                best_faces[landmark], best_weights[landmark] = face, weight
        return best_faces, best_weights

    def _touching(self, upper: int, lower: int) -> list[tuple[int, np.ndarray]]:
        """The pair of points that explains two landmarks and lies close together at rest."""
        candidates = [self.around(landmark) for landmark in (upper, lower)]
        (a, b) = (self.resting(faces, weights) for faces, weights, _ in candidates)
        gap = np.linalg.norm(a[:, None] - b[None], axis=-1)
        total = (
            candidates[0][2][:, None] + candidates[1][2][None] + len(self._views.landmarks) * (gap / _LIP_SLACK) ** 2
        )
        best = np.unravel_index(np.argmin(total), total.shape)
        return [(faces[k], weights[k]) for (faces, weights, _), k in zip(candidates, best, strict=True)]


def _cost(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(P, N, 2) candidates, (P, 2) sightings -> (N,) Huber's cost in pixels: squared near, linear far away."""
    error = np.linalg.norm(points - wanted[:, None], axis=-1)
    return np.where(error < _FAR, error**2, _FAR * (2 * error - _FAR)).sum(0)


def _iris_points(head: HeadMesh, part: str, centre: np.ndarray, views: _Views, landmarks: range) -> np.ndarray:
    """(5, 3) the pupil and four points of the iris' edge in the resting pose, at the angles of the first view."""
    radius = float(np.linalg.norm(head.neutral[head.parts[part]].numpy() - centre, axis=1).max())
    offset = views.landmarks[0, landmarks[1:]] - views.landmarks[0, landmarks[0]]
    quarter = np.pi / 2 * np.rint(np.arctan2(-offset[:, 1], offset[:, 0]) / (np.pi / 2))
    depth = np.sqrt(radius**2 - head.iris_radius**2)
    edge = np.stack([head.iris_radius * np.cos(quarter), head.iris_radius * np.sin(quarter), np.full(4, depth)], 1)
    return centre + np.concatenate([[[0, 0, radius]], edge])


def _towards(head: HeadMesh, part: str, centre: np.ndarray, point: np.ndarray) -> tuple[int, np.ndarray]:
    """The face and weights where a ray from an eyeball's centre through a point meets the eyeball at rest."""
    candidates = head.part_faces(part).numpy()
    corners = head.neutral[head.faces[candidates]].numpy().astype(float) - centre
    weights = np.linalg.solve(corners.transpose(0, 2, 1), np.broadcast_to(point - centre, (len(corners), 3))[..., None])
    best = int(np.argmax(weights[..., 0].min(1)))  # Inside a triangle no weight is negative.
    chosen = weights[best, :, 0].clip(0)
    return int(candidates[best]), chosen / chosen.sum()
