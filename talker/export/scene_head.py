"""What every scene format needs of a head: a skeleton, skin weights, and normals that move with the shapes.

Joints: "neck" > "head" > "left_eye", "right_eye". The skin blends neck and head by `HeadMesh.head_weight`, which is
what `HeadMesh.vertices` computes, so the neck bends instead of tearing; the eyeballs turn rigidly.
"""

from functools import lru_cache

import numpy as np

from talker.rigs.head_mesh import HeadMesh

JOINTS = ("neck", "head", "left_eye", "right_eye")
PARENTS = {"neck": "", "head": "neck", "left_eye": "head", "right_eye": "head"}

_SMALLEST_TURN = 1e-3  # A normal that turns by less than this many radians is stored as unchanged.


def joint_places(head: HeadMesh) -> dict[str, np.ndarray]:
    """Where the joints are: the neck's, which never moves, stands at the bottom of the mesh below the head's pivot."""
    pivot, eyes = head.head_pivot.cpu().numpy(), head.eye_centres.cpu().numpy()
    bottom = np.array([pivot[0], float(head.neutral[:, 1].min()), pivot[2]], np.float32)
    return dict(zip(JOINTS, (bottom, pivot, eyes[0], eyes[1]), strict=True))


def skin_weights(head: HeadMesh) -> tuple[np.ndarray, np.ndarray]:
    """(V, 4) joints, as indices into `JOINTS`, and (V, 4) their weights, which add up to 1."""
    follow = head.head_weight.cpu().numpy().astype(np.float32)
    weights = np.zeros((len(follow), 4), np.float32)
    weights[:, 0], weights[:, 1] = follow, 1 - follow
    joints = np.zeros((len(follow), 4), int)
    joints[:, 0] = JOINTS.index("head")
    for name in ("left_eye", "right_eye"):
        joints[head.parts[name].cpu().numpy(), 0] = JOINTS.index(name)
    joints[weights == 0] = 0
    return joints, weights


@lru_cache(maxsize=2)
def head_normals(head: HeadMesh) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) unit normals at rest and (52, V, 3) what each shape adds to them."""
    neutral, faces = head.neutral.cpu().numpy(), head.faces.cpu().numpy()
    normals = vertex_normals(neutral, faces)
    changes = np.stack([vertex_normals(neutral + delta, faces) for delta in head.deltas.cpu().numpy()]) - normals
    changes[np.abs(changes).max(axis=2) < _SMALLEST_TURN] = 0
    return normals.astype(np.float32), changes.astype(np.float32)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, each the mean of its faces' weighted by their area."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.stack([np.bincount(faces.ravel(), np.repeat(across[:, axis], 3), len(vertices)) for axis in range(3)], 1)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(length > 1e-20, sums / np.maximum(length, 1e-20), (0.0, 0.0, 1.0))
