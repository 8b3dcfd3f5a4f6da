"""The renderer: what it shows, measured in the pictures."""

import numpy as np
import pytest
import torch

from talker.render import raster
from talker.render.portrait import Camera, Portrait
from talker.render.refine import loop_subdivision
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh

SIZE = 256


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return HeadMesh.load()


@pytest.fixture(scope="module")
def portrait(head: HeadMesh) -> Portrait:
    return Portrait(head)


def posed(head: HeadMesh, **channels: float) -> np.ndarray:
    curves = torch.zeros(arkit.CHANNEL_COUNT)
    for name, value in channels.items():
        curves[arkit.INDEX[name]] = value
    return head.vertices(curves).numpy()


def square_at(depth: float) -> tuple[np.ndarray, np.ndarray]:
    """Two faces that fill the samples 2..6 of a picture, seen from the front."""
    corners = np.array([[2, 2, depth], [2, 6, depth], [6, 6, depth], [6, 2, depth]], np.float32)
    return corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def test_nearest_face_wins_and_backs_are_unseen() -> None:
    far, faces = square_at(2.0)
    near, _ = square_at(1.0)
    screen = np.concatenate([far, near])
    both = np.concatenate([faces, faces + 4]).astype(np.int32)
    nearest, depth = raster.visible_faces(screen, both, 8, 8)
    expected = np.zeros((8, 8), bool)
    expected[2:6, 2:6] = True
    np.testing.assert_array_equal(nearest != raster.NOTHING, expected)
    assert set(nearest[expected]) <= {2, 3}
    assert (depth[expected] == 1.0).all()
    backs, _ = raster.visible_faces(screen, both[:, ::-1].copy(), 8, 8)
    assert (backs == raster.NOTHING).all()


def test_every_sample_of_a_closed_surface_is_covered_once(head: HeadMesh) -> None:
    """No cracks between neighbouring faces: the silhouette of the skull has no holes."""
    camera = Camera.around(head.neutral.numpy())
    screen = camera.project(head.neutral.numpy(), 300, 300)
    nearest, _ = raster.visible_faces(screen, head.faces.numpy().astype(np.int32), 300, 300)
    forehead = nearest[40:90, 120:180]
    assert (forehead != raster.NOTHING).all()


def test_vertex_normals_of_a_sphere_point_outward() -> None:
    from talker.rigs.build_head.build import eyeball

    vertices, faces = eyeball(1.0)
    normals = raster.vertex_normals(vertices.astype(np.float32), faces.astype(np.int32))
    front = vertices[:, 2] > 0  # Where the rings lie close.
    assert np.linalg.norm(normals - vertices, axis=1)[front].max() < 0.05


def test_subdivision_keeps_planes_and_borders() -> None:
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    matrix, finer, origin = loop_subdivision(faces, 4)
    vertices = matrix @ corners
    assert len(finer) == 8 and origin.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert (vertices[:, 2] == 0).all()
    np.testing.assert_allclose(np.asarray(matrix.sum(1)).ravel(), 1)
    np.testing.assert_allclose(
        vertices[:4], [[1 / 8, 1 / 8, 0], [7 / 8, 1 / 8, 0], [7 / 8, 7 / 8, 0], [1 / 8, 7 / 8, 0]]
    )


def test_pictures_are_deterministic(head: HeadMesh, portrait: Portrait) -> None:
    camera = Camera.for_head(head)
    first = portrait.draw(head.neutral, camera, SIZE)
    assert first.shape == (SIZE, SIZE, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, Portrait(head).draw(head.neutral, camera, SIZE))


def test_face_is_framed(head: HeadMesh) -> None:
    """Chin, brows and an open jaw lie in the picture, and the mouth is wide enough to read."""
    camera = Camera.for_head(head)
    for vertices in (head.neutral.numpy(), posed(head, jawOpen=1.0)):
        points = camera.project(head.landmarks_of(torch.tensor(vertices)).numpy(), SIZE, SIZE)[:, :2]
        assert (points > 0.02 * SIZE).all() and (points < 0.98 * SIZE).all()
    mouth = camera.project(head.landmarks_of(head.neutral)[[61, 291]].numpy(), SIZE, SIZE)
    assert mouth[1, 0] - mouth[0, 0] > SIZE / 6


def test_side_camera_shows_the_nose_to_the_left(head: HeadMesh) -> None:
    camera = Camera.for_head(head, yaw=np.radians(70))
    points = camera.project(head.landmarks_of(head.neutral).numpy(), SIZE, SIZE)
    assert points[4, 0] < points[:, 0].mean() - 0.1 * SIZE


@pytest.mark.parametrize("yaw", [-0.6, 0.0, 0.6])
def test_no_eye_shows_through_shut_lids(head: HeadMesh, yaw: float) -> None:
    vertices = posed(head, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    camera = Camera(head.eye_centres.mean(0).numpy(), 0.13, yaw=yaw)
    faces = head.faces.numpy().astype(np.int32)
    lashes = np.isin(np.arange(len(faces)), head.part_faces("lashes").numpy())
    eyes = np.isin(np.arange(len(faces)), head.part_faces("left_eye", "right_eye").numpy())[~lashes]
    seen = []
    for picture in (vertices, head.neutral.numpy()):
        nearest, _ = raster.visible_faces(camera.project(picture, 512, 512), faces[~lashes], 512, 512)
        seen.append(int(eyes[nearest[nearest != raster.NOTHING]].sum()))
    assert seen[0] <= 1  # A sample exactly on the edge where the lids meet.
    assert seen[1] > 2000


def test_eyes_narrow_steadily_as_lids_shut(head: HeadMesh) -> None:
    """At no moment of a blink does an eyeball come through a lid."""
    camera = Camera(head.eye_centres[0].numpy(), 0.06)
    faces = head.faces.numpy().astype(np.int32)
    faces = faces[~np.isin(np.arange(len(faces)), head.part_faces("lashes").numpy())]
    eye = torch.isin(torch.tensor(faces[:, 0]), head.parts["left_eye"]).numpy()
    seen = []
    for weight in np.linspace(0, 1, 11):
        screen = camera.project(posed(head, eyeBlinkLeft=float(weight)), 400, 400)
        nearest, _ = raster.visible_faces(screen, faces, 400, 400)
        seen.append(int(eye[nearest[nearest != raster.NOTHING]].sum()))
    assert (np.diff(seen) <= 0).all() and seen[0] > 5_000


def test_open_mouth_is_dark_inside(head: HeadMesh, portrait: Portrait) -> None:
    camera = Camera.for_head(head)
    points = camera.project(head.landmarks_of(torch.tensor(posed(head, jawOpen=0.8))).numpy(), SIZE, SIZE)
    top, bottom = points[13, 1], points[14, 1]
    column, row = int(points[13, 0]), int(0.7 * top + 0.3 * bottom)
    spot = np.s_[row - 2 : row + 3, column - 4 : column + 5]
    shut = portrait.draw(head.neutral, camera, SIZE)[spot].mean()
    opened = portrait.draw(posed(head, jawOpen=0.8), camera, SIZE)[spot].mean()
    assert opened < 0.5 * shut


def test_gaze_moves_the_dark_pupil(head: HeadMesh, portrait: Portrait) -> None:
    camera = Camera(head.eye_centres[0].numpy(), 0.05)
    columns = []
    for yaw in (-0.35, 0.0, 0.35):
        picture = portrait.draw(posed(head, leftEyeYaw=yaw), camera, SIZE)
        band = picture[SIZE // 2 - 4 : SIZE // 2 + 4, 40:-40].mean((0, 2))
        columns.append(int(np.argmin(np.convolve(band, np.ones(15), mode="same")[20:-20])))
    assert columns[0] > columns[1] + 10 > columns[2] + 20
