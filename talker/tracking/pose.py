"""Where the head is: rotation, scale and place of a rigid set of landmarks in every frame, all frames at once."""

from dataclasses import dataclass

import numpy as np

_STEPS = 8
_DEPTH_WEIGHT = 0.05  # Of squared error: the landmarker's depth is a guess, but a whole face of guesses tells pitch.
_LARGEST_STEP = 0.4  # Radians.


@dataclass(frozen=True)
class Pose:
    """Weak perspective: a point p of the head is seen at `scale * rotation @ p + place`.

    Attributes:
        rotation: (T, 3, 3) from the head's axes to the picture's (x right, y up, z towards the viewer).
        scale: (T,) pixels per eye distance.
        place: (T, 3) pixels.
    """

    rotation: np.ndarray
    scale: np.ndarray
    place: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) or (T, N, 3) eye distances -> (T, N, 3) pixels."""
        return self.scale[:, None, None] * (points @ self.rotation.transpose(0, 2, 1)) + self.place[:, None]

    def residual(self, seen: np.ndarray, points: np.ndarray, depth_share: float) -> np.ndarray:
        """(T, N, 3) what is seen minus what is expected, in the head's axes and eye distances.

        Depth errors count `depth_share` of their size.
        """
        error = (seen - self.project(points)) / self.scale[:, None, None]
        error[..., 2] *= depth_share
        return error @ self.rotation


def solve_pose(seen: np.ndarray, points: np.ndarray, weights: np.ndarray, start: Pose | None = None) -> Pose:
    """Fit every frame: seen (T, N, 3) pixels, points (N, 3) or (T, N, 3) eye distances, weights (N,)."""
    points = np.broadcast_to(points, seen.shape)
    share = (weights / weights.sum())[None, :, None]
    seen_centre, centre = (seen * share).sum(1), (points * share).sum(1)
    seen, points = seen - seen_centre[:, None], points - centre[:, None]
    rotation, scale = _start(seen, points, share) if start is None else (start.rotation.copy(), start.scale.copy())
    root = np.sqrt(share) * np.sqrt([1.0, 1.0, _DEPTH_WEIGHT])
    for _ in range(_STEPS if start is None else _STEPS // 2):
        turned = points @ rotation.transpose(0, 2, 1)
        error = (seen / scale[:, None, None] - turned) * root
        x, y, z = turned[..., 0], turned[..., 1], turned[..., 2]
        zero = np.zeros_like(x)
        slopes = np.stack(  # (T, N, 3, 4): rotation vector, relative scale
            [np.stack(c, -1) for c in ((zero, -z, y), (z, zero, -x), (-y, x, zero), (x, y, z))], -1
        )
        slopes = (slopes * root[..., None]).reshape(len(seen), -1, 4)
        normal = slopes.transpose(0, 2, 1) @ slopes
        step = np.linalg.solve(normal + 1e-9 * np.eye(4), slopes.transpose(0, 2, 1) @ error.reshape(len(seen), -1, 1))
        step = np.clip(step[..., 0], -_LARGEST_STEP, _LARGEST_STEP)
        rotation = _rotation_of(step[:, :3]) @ rotation
        scale = scale * np.exp(step[:, 3])
    place = seen_centre - scale[:, None] * (rotation @ centre[..., None])[..., 0]
    return Pose(rotation, scale, place)


def head_angles(rotation: np.ndarray) -> np.ndarray:
    """(T, 3, 3) -> (T, 3) yaw, pitch, roll in talker's signs (the inverse of `head_mesh.rotation`)."""
    pitch = np.arcsin(np.clip(-rotation[:, 1, 2], -1, 1))
    yaw = np.arctan2(-rotation[:, 0, 2], rotation[:, 2, 2])
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return np.stack([yaw, pitch, roll], 1)


def _start(seen: np.ndarray, points: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and roll that fit best in the picture, facing the viewer."""
    a, b = (v[..., 0] + 1j * v[..., 1] for v in (points, seen))
    factor = (share[..., 0] * a.conj() * b).sum(1) / (share[..., 0] * np.abs(a) ** 2).sum(1)
    turn = factor / np.abs(factor)
    rotation = np.zeros((len(seen), 3, 3))
    rotation[:, 0, 0] = rotation[:, 1, 1] = turn.real
    rotation[:, 1, 0], rotation[:, 0, 1] = turn.imag, -turn.imag
    rotation[:, 2, 2] = 1
    return rotation, np.abs(factor)


def _rotation_of(vector: np.ndarray) -> np.ndarray:
    """(T, 3) rotation vectors -> (T, 3, 3), Rodrigues' formula."""
    angle = np.linalg.norm(vector, axis=1)[:, None, None]
    x, y, z = vector.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    small = np.maximum(angle, 1e-12)
    return np.eye(3) + np.sin(small) / small * cross + (1 - np.cos(small)) / small**2 * cross @ cross
