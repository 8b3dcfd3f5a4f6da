"""Head and eye angles as quaternions and back, in numpy.

Angles are (yaw, pitch, roll) with talker's signs (`talker.rigs.arkit`): roll first, then pitch, then yaw. Quaternions
are (x, y, z, w), as in glTF.
"""

import numpy as np


def quaternions(angles: np.ndarray) -> np.ndarray:
    """Unit quaternions of a sequence of angles, each in the hemisphere of the one before. (T, 3) -> (T, 4) float64.

    q and -q are one rotation; a jump between the two would send an interpolating player the long way round.
    """
    half = np.asarray(angles, float) / 2
    yaw, pitch, roll = half[:, 0] * -1, half[:, 1], half[:, 2]
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turned = np.stack(
        [
            cy * sp * cr + sy * cp * sr,
            sy * cp * cr - cy * sp * sr,
            cy * cp * sr - sy * sp * cr,
            cy * cp * cr + sy * sp * sr,
        ],
        axis=1,
    )
    return continuous(turned)


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """The same rotations as unit quaternions, each in the hemisphere of the one before. (T, 4) -> (T, 4) float64."""
    quaternions = np.asarray(quaternions, float)
    quaternions = quaternions / np.maximum(np.linalg.norm(quaternions, axis=1, keepdims=True), 1e-30)
    turned_away = np.einsum("tc,tc->t", quaternions[1:], quaternions[:-1]) < 0
    return quaternions * np.cumprod(np.r_[1, np.where(turned_away, -1, 1)])[:, None]


def matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices of quaternions of any length; of a zero quaternion, the identity. (..., 4) -> (..., 3, 3)."""
    quaternions = np.asarray(quaternions, float)
    length = np.linalg.norm(quaternions, axis=-1, keepdims=True)
    identity = np.array([0.0, 0.0, 0.0, 1.0])
    x, y, z, w = np.moveaxis(np.where(length > 1e-12, quaternions / np.maximum(length, 1e-12), identity), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def angles(matrices: np.ndarray) -> np.ndarray:
    """The angles of rotation matrices, pitch within a quarter turn of level. (..., 3, 3) -> (..., 3)."""
    yaw = np.arctan2(-matrices[..., 0, 2], matrices[..., 2, 2])
    pitch = np.arctan2(-matrices[..., 1, 2], np.hypot(matrices[..., 1, 0], matrices[..., 1, 1]))
    roll = np.arctan2(matrices[..., 1, 0], matrices[..., 1, 1])
    return np.stack([yaw, pitch, roll], axis=-1)


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to the upper left 3 x 3 of a transform, without its scale and shear. (3, 3)."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
