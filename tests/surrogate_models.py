"""Stand-ins for FLAME and SMPL-X with their keys and sizes, made from the default head (which is CC0).

They are heads that can really be fitted: another triangulation of the default head, bent into another person's shape,
with a jaw that turns about a hinge, eyeballs, and an expression basis that mixes the ARKit motions.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import sparse
from scipy.spatial import cKDTree

from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh

FLAME_VERTICES, SMPLX_VERTICES = 5023, 10475
EXPRESSIONS, IDENTITIES = 100, 300
JAW_HINGE = np.array([0.0, 0.700, 0.045])
JAW_OPEN_ANGLE = 0.36  # Radians at jawOpen 1, near what the default head's lower teeth do.
ROOT = 2**32 - 1  # How the real files write "no parent".


@dataclass(frozen=True)
class Surrogate:
    """A model file's arrays, and the truth about them.

    Attributes:
        arrays: What the file holds.
        resample: (V, head vertices) each vertex as a mixture of the default head's.
        jaw_pose: (52, 3) and expression: (52, E): the exact pose of each ARKit shape.
    """

    arrays: dict[str, np.ndarray]
    resample: sparse.csr_matrix
    jaw_pose: np.ndarray
    expression: np.ndarray


def write_pickle(surrogate: Surrogate, path: Path) -> Path:
    """As FLAME comes: a pickle with a sparse joint regressor."""
    arrays = {**surrogate.arrays, "J_regressor": sparse.csc_matrix(surrogate.arrays["J_regressor"])}
    path.write_bytes(pickle.dumps({**arrays, "bs_style": "lbs", "bs_type": "lrotmin"}, protocol=2))
    return path


def flame_surrogate(head: HeadMesh, seed: int = 0, bend: float = 1.0) -> Surrogate:
    """A head with FLAME's sizes; `bend` 0 keeps the default head's own shape, 1 is clearly another person."""
    face = _Face(head, FLAME_VERTICES, np.random.default_rng(seed), bend)
    joints = np.stack([face.neck - [0, 0.08, 0], face.neck, face.jaw, *face.eyes])
    weights = np.zeros((FLAME_VERTICES, 5))
    weights[:, 0], weights[:, 1] = 1 - face.follow, face.follow * (1 - face.jaw_weight)
    weights[:, 2] = face.follow * face.jaw_weight
    for joint, ball in ((3, face.balls[0]), (4, face.balls[1])):
        weights[ball] = np.eye(5)[joint]
    parents = np.array([ROOT, 0, 1, 1, 1])
    return face.surrogate(joints, weights, parents, neck_shift=np.zeros(3), jaw_joint=2)


def smplx_surrogate(head: HeadMesh, seed: int = 0, bend: float = 1.0) -> Surrogate:
    """A body with SMPL-X's sizes: the head on a barrel with limbs only in name."""
    face = _Face(head, FLAME_VERTICES, np.random.default_rng(seed), bend)
    lift = np.array([0.0, 0.27, 0.0]) - face.neck  # SMPL-X's pelvis, not its head, is near the origin.
    rng = np.random.default_rng(seed + 1)
    joints = rng.normal(size=(55, 3)) * [0.2, 0.3, 0.05] - [0, 0.4, 0]
    joints[0], joints[12] = 0, [0, 0.19, -0.02]
    joints[15], joints[22], joints[23], joints[24] = (p + lift for p in (face.neck, face.jaw, *face.eyes))
    weights = np.zeros((FLAME_VERTICES, 55))
    weights[:, 12], weights[:, 15] = 1 - face.follow, face.follow * (1 - face.jaw_weight)
    weights[:, 22] = face.follow * face.jaw_weight
    for joint, ball in ((23, face.balls[0]), (24, face.balls[1])):
        weights[ball] = np.eye(55)[joint]
    parents = [ROOT, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15]
    for wrist, first in ((20, 25), (21, 40)):
        for finger in range(5):
            base = first + 3 * finger
            parents += [wrist, base, base + 1]
    made = face.surrogate(joints, weights, np.array(parents), neck_shift=lift, jaw_joint=22)
    return _with_body(made, rng)


class _Face:
    """The default head, resampled to another triangulation and bent into another shape."""

    def __init__(self, head: HeadMesh, count: int, rng: np.random.Generator, bend: float) -> None:
        self.rng = rng
        self.resample, self.faces, part = _resampled(head, count, rng)
        neutral, deltas = head.neutral.double().numpy(), head.deltas.double().numpy()
        jaw, jaw_weight, jaw_pose, rest = _split_jaw(head, neutral, deltas)
        bent = _Bend(bend)
        self.template = bent(self.resample @ neutral)
        self.jaw_weight, self.jaw_pose = self.resample @ jaw_weight, jaw_pose
        self.follow = self.resample @ head.head_weight.double().numpy()
        plain = self.resample @ neutral
        # The motion of another person: the same motion, bent along with the face.
        self.motions = np.stack([bent(plain + self.resample @ motion) - self.template for motion in rest])
        self.jaw, self.neck = bent(jaw), bent(head.head_pivot.double().numpy())
        self.eyes = [bent(centre) for centre in head.eye_centres.double().numpy()]
        self.balls = [part == "left_eye", part == "right_eye"]

    def surrogate(
        self, joints: np.ndarray, weights: np.ndarray, parents: np.ndarray, neck_shift: np.ndarray, jaw_joint: int
    ) -> Surrogate:
        template = self.template + neck_shift
        basis, expression = self._expression_basis()
        identity = _smooth_fields(template, IDENTITIES, 1.5e-3, self.rng)
        pose_basis = _smooth_fields(template, 9 * (len(parents) - 1), 1e-4, self.rng)
        arrays = {
            "v_template": template,
            "f": self.faces.astype(np.uint32),
            "shapedirs": np.concatenate([identity, basis], axis=2),
            "posedirs": pose_basis,
            "J_regressor": _regressor(template, joints),
            "kintree_table": np.stack([parents, np.arange(len(parents))]).astype(np.uint32),
            "weights": weights,
        }
        return Surrogate(arrays, self.resample, self.jaw_pose, expression)

    def _expression_basis(self) -> tuple[np.ndarray, np.ndarray]:
        """(V, 3, 100) a random mixture of the motions plus noise, and (52, 100) each shape in it."""
        moving = np.linalg.norm(self.motions, axis=(1, 2)) > 1e-6
        motions = self.motions[moving]
        mixture = np.linalg.qr(self.rng.normal(size=(EXPRESSIONS, EXPRESSIONS)))[0][:, : len(motions)]
        scale = 0.4  # A component is one standard deviation: a whole ARKit shape takes a few of them.
        basis = scale * np.einsum("em,mvc->vce", mixture, motions)
        noise = _smooth_fields(self.template, EXPRESSIONS, 5e-5, self.rng)
        exact = np.zeros((len(self.motions), EXPRESSIONS))
        exact[moving] = mixture.T / scale
        return basis + noise, exact


class _Bend:
    """A smooth change of shape: another person's proportions, several millimetres at the face."""

    def __init__(self, amount: float) -> None:
        self.amount = amount

    def __call__(self, points: np.ndarray) -> np.ndarray:
        if self.amount == 0:
            return points + 0.0
        x, y, z = points[..., 0], points[..., 1] - 0.70, points[..., 2] - 0.09
        wider = 1 + 0.06 * self.amount * np.tanh(y / 0.05)
        bent = np.stack(
            [
                x * wider,
                y * (1 + 0.05 * self.amount) + 0.003 * self.amount * np.sin(z / 0.02),
                z * (1 - 0.04 * self.amount) + 0.004 * self.amount * np.cos(y / 0.03) * np.exp(-((x / 0.05) ** 2)),
            ],
            -1,
        )
        return 0.96 * bent + [0, 0.01, 0.03]


def _resampled(
    head: HeadMesh, count: int, rng: np.random.Generator
) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """Another triangulation of skin and eyeballs: (V, old V) mixtures, (F, 3) faces, (V,) part names."""
    keep = torch.cat([head.part_faces("skin"), head.part_faces("left_eye", "right_eye")]).numpy()
    faces = head.faces.numpy()[keep]
    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    names = np.array(list(head.parts))[head.part_of_vertex.numpy()[used]]
    # Fewer: the skull, which no shape moves, loses vertices by merging pairs of neighbours.
    faces, representative = _merged(head, used, faces, names, surplus=len(used) + 500 - count, rng=rng)
    kept, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    used, names = used[representative[kept]], names[representative[kept]]
    # Elsewhere: every skin vertex slides into one of its faces.
    rows, columns, shares = list(range(len(used))), list(range(len(used))), np.ones(len(used))
    extra_rows, extra_columns, extra_shares = [], [], []
    slide = rng.uniform(0, 0.3, len(used)) * (names == "skin")
    for face in rng.permutation(faces):
        corner = face[0]
        if slide[corner] > 0:
            extra_rows += [corner, corner]
            extra_columns += [face[1], face[2]]
            extra_shares += [slide[corner] / 2] * 2
            shares[corner] -= slide[corner]
            slide[corner] = 0
    # More: faces of the mobile face are split at their centres.
    missing = count - len(used)
    centre = head.neutral.numpy()[used][faces].mean(1)
    front = np.flatnonzero((names[faces[:, 0]] == "skin") & (centre[:, 2] > 0.09))
    split = rng.choice(front, missing, replace=False)
    new = len(used) + np.arange(missing)
    a, b, c = faces[split].T
    faces = np.concatenate([np.delete(faces, split, 0), np.c_[a, b, new], np.c_[b, c, new], np.c_[c, a, new]])
    mixing = sparse.csr_matrix(
        (np.r_[shares, extra_shares], (np.r_[rows, extra_rows], np.r_[columns, extra_columns])),
        shape=(len(used), len(used)),
    )
    centres = sparse.csr_matrix(
        (np.full(3 * missing, 1 / 3), (np.repeat(np.arange(missing), 3), np.stack([a, b, c], 1).ravel())),
        shape=(missing, len(used)),
    )
    pick = sparse.csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), shape=(len(used), head.vertex_count))
    resample = (sparse.vstack([mixing, centres @ mixing]) @ pick).tocsr()
    return resample, faces, np.r_[names, names[a]]


def _merged(
    head: HeadMesh, used: np.ndarray, faces: np.ndarray, names: np.ndarray, surplus: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Collapse edges where no shape moves the skin until `surplus` vertices are gone."""
    still = (head.deltas.numpy()[:, used].any((0, 2)) == 0) & (names == "skin")
    target, gone = np.arange(len(used)), 0
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    touched = np.zeros(len(used), bool)
    for i, j in rng.permutation(edges[still[edges].all(1)]):
        if gone >= surplus:
            break
        if not touched[i] and not touched[j]:
            target[i], gone = j, gone + 1
            touched[[i, j]] = True
    faces = target[faces]
    flat = (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])
    return faces[~flat], np.arange(len(used))


def _split_jaw(
    head: HeadMesh, neutral: np.ndarray, deltas: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the jaw joint does and what is left: hinge, (V,) weight, (52, 3) pose, (52, V, 3) remaining motion."""
    pose = np.zeros((len(arkit.SHAPES), 3))
    pose[arkit.INDEX["jawOpen"], 0] = JAW_OPEN_ANGLE
    for name, sign in (("jawLeft", 1), ("jawRight", -1)):
        pose[arkit.INDEX[name], 1] = 0.07 * sign
    moved = [(neutral - JAW_HINGE) @ _turn(angles).T + JAW_HINGE - neutral for angles in pose]
    opened = moved[arkit.INDEX["jawOpen"]]
    weight = (deltas[arkit.INDEX["jawOpen"]] * opened).sum(1) / (opened**2).sum(1).clip(1e-12)
    weight = weight.clip(0, 1) * (neutral[:, 1] < 0.70)
    rest = np.stack([delta - weight[:, None] * move for delta, move in zip(deltas, moved, strict=True)])
    return JAW_HINGE, weight, pose, rest


def _turn(vector: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(vector).as_matrix()


def _smooth_fields(points: np.ndarray, count: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """(V, 3, count) slowly varying vector fields of about `size` metres."""
    wave = rng.normal(size=(count, 3)) * 12
    phase = rng.uniform(0, 2 * np.pi, count)
    direction = rng.normal(size=(3, count)) * size
    return np.sin(points @ wave.T + phase)[:, None, :] * direction


def _regressor(vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(J, V) affine mixtures of each joint's nearest vertices that hit it exactly."""
    rows = np.zeros((len(joints), len(vertices)))
    _, near = cKDTree(vertices).query(joints, k=60)
    for row, (joint, indices) in enumerate(zip(joints, near, strict=True)):
        system = np.vstack([vertices[indices].T, np.ones(len(indices))])
        rows[row, indices] = np.linalg.lstsq(system, np.r_[joint, 1.0], rcond=None)[0]
    return rows


def _with_body(made: Surrogate, rng: np.random.Generator) -> Surrogate:
    """Add a barrel of vertices below the head to reach SMPL-X's count."""
    extra = SMPLX_VERTICES - FLAME_VERTICES
    angle, height = rng.uniform(0, 2 * np.pi, extra), np.sort(rng.uniform(-1.2, 0.0, extra))
    body = np.stack([0.2 * np.cos(angle), height, 0.12 * np.sin(angle)], 1)
    first = FLAME_VERTICES + np.arange(extra - 2)
    arrays = dict(made.arrays)
    arrays["v_template"] = np.concatenate([arrays["v_template"], body])
    arrays["f"] = np.concatenate([arrays["f"], np.stack([first, first + 1, first + 2], 1).astype(np.uint32)])
    arrays["shapedirs"] = np.concatenate([arrays["shapedirs"], np.zeros((extra, 3, IDENTITIES + EXPRESSIONS))]).astype(
        np.float32
    )
    arrays["posedirs"] = np.concatenate([arrays["posedirs"], np.zeros((extra, *arrays["posedirs"].shape[1:]))]).astype(
        np.float32
    )
    arrays["J_regressor"] = np.pad(arrays["J_regressor"], ((0, 0), (0, extra)))
    arrays["weights"] = np.concatenate([arrays["weights"], np.eye(55)[rng.integers(0, 12, extra)]])
    resample = sparse.vstack([made.resample, sparse.csr_matrix((extra, made.resample.shape[1]))]).tocsr()
    return Surrogate(arrays, resample, made.jaw_pose, made.expression)
