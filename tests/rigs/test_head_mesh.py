"""The default head: what its channels do, checked in millimetres."""

import time

import numpy as np
import pytest
import torch

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.resources import rigs_dir
from talker.rigs import arkit
from talker.rigs.head_mesh import PARTS, HeadMesh, rotation

UPPER_LIP, LOWER_LIP = 13, 14
# Upper and lower inner lip from corner to corner.
INNER_UPPER, INNER_LOWER = [191, 80, 81, 82, 13, 312, 311, 310, 415], [95, 88, 178, 87, 14, 317, 402, 318, 324]
MM = 1000.0


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return HeadMesh.load()


def pose(**channels: float) -> torch.Tensor:
    curves = torch.zeros(arkit.CHANNEL_COUNT)
    for name, value in channels.items():
        curves[arkit.INDEX[name]] = value
    return curves


def both(**channels: float) -> torch.Tensor:
    sided = {}
    for name, value in channels.items():
        sided |= {name: value} if name in arkit.INDEX else {f"{name}Left": value, f"{name}Right": value}
    return pose(**sided)


def nose_tip(head: HeadMesh) -> int:
    return int(head.neutral[:, 2].argmax())


def test_neutral_is_the_zero_pose(head: HeadMesh) -> None:
    assert torch.allclose(head.vertices(pose()), head.neutral, atol=1e-7)


def test_file_is_small_and_free_of_pickles() -> None:
    path = rigs_dir() / "arkit" / "head.npz"
    assert path.stat().st_size < 2_500_000
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_every_vertex_is_in_exactly_one_part(head: HeadMesh) -> None:
    counted = torch.cat([head.parts[name] for name in PARTS])
    assert sorted(counted.tolist()) == list(range(head.vertex_count))


def test_saving_keeps_everything(head: HeadMesh, tmp_path) -> None:
    head.save(tmp_path / "h.npz")
    again = HeadMesh.load(tmp_path / "h.npz")
    assert torch.equal(again.deltas, head.deltas) and torch.equal(again.neutral, head.neutral)
    assert again.regions.keys() == head.regions.keys()
    assert (tmp_path / "h.npz").read_bytes() == (rigs_dir() / "arkit" / "head.npz").read_bytes()


def test_damaged_file_is_one_clear_error(tmp_path) -> None:
    with np.load(rigs_dir() / "arkit" / "head.npz") as arrays:
        damaged = dict(arrays)
    damaged["faces"] = damaged["faces"] + 10_000
    np.savez(tmp_path / "bad.npz", **damaged)
    with pytest.raises(TalkerError, match="faces points outside"):
        HeadMesh.load(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("channel", "axis", "sign"),
    [("headYaw", 0, -1), ("headPitch", 1, -1), ("leftEyeYaw", 0, -1), ("leftEyePitch", 1, -1)],
)
def test_looking_signs(head: HeadMesh, channel: str, axis: int, sign: int) -> None:
    """Yaw > 0 turns to the subject's right (-x), pitch > 0 down."""
    moved = head.vertices(pose(**{channel: 0.3})) - head.neutral
    front = nose_tip(head)
    if "Eye" in channel:
        ball = head.parts["left_eye"]
        front = int(ball[head.neutral[ball, 2].argmax()])
        others = np.setdiff1d(np.arange(head.vertex_count), ball.numpy())
        assert moved[others].abs().max() == 0
    assert sign * moved[front, axis] > 0.003


def test_head_rolls_to_the_subjects_right_shoulder(head: HeadMesh) -> None:
    crown = int(head.neutral[:, 1].argmax())
    assert head.vertices(pose(headRoll=0.3))[crown, 0] < head.neutral[crown, 0] - 0.02


def test_rotation_order_is_roll_then_pitch_then_yaw() -> None:
    yaw, pitch, roll = (rotation(torch.eye(3)[k] * 0.4) for k in range(3))
    assert torch.allclose(rotation(torch.tensor([0.4, 0.4, 0.4])), yaw @ pitch @ roll, atol=1e-6)


def test_eyeballs_turn_about_their_centres(head: HeadMesh) -> None:
    turned = head.vertices(pose(leftEyeYaw=0.4, rightEyePitch=-0.3))
    for part, centre in zip(("left_eye", "right_eye"), head.eye_centres, strict=True):
        before = (head.neutral[head.parts[part]] - centre).norm(dim=1)
        after = (turned[head.parts[part]] - centre).norm(dim=1)
        assert torch.allclose(before, after, atol=1e-6)


def test_no_shape_moves_an_eyeball(head: HeadMesh) -> None:
    balls = torch.cat([head.parts["left_eye"], head.parts["right_eye"]])
    assert head.deltas[:, balls].abs().max() == 0


def test_neck_follows_without_tearing(head: HeadMesh) -> None:
    """No edge of the neck stretches or shrinks much when the head turns far, and the cut stays put."""
    edges = head.faces[:, :2]
    rest = (head.neutral[edges[:, 0]] - head.neutral[edges[:, 1]]).norm(dim=1)
    for channel in ("headYaw", "headPitch", "headRoll"):
        turned = head.vertices(pose(**{channel: 0.5}))
        ratio = (turned[edges[:, 0]] - turned[edges[:, 1]]).norm(dim=1) / rest
        assert ratio.max() < 1.8, channel
        # A nod folds the skin under the chin; nothing else gives way that much.
        assert ratio.min() > (0.1 if channel == "headPitch" else 0.5), channel
        assert (turned - head.neutral)[head.head_weight == 0].abs().max() == 0
    assert head.head_weight.min() == 0 and head.head_weight[nose_tip(head)] == 1


def test_batches_agree_with_single_frames(head: HeadMesh) -> None:
    generator = torch.Generator().manual_seed(1)
    curves = torch.rand(2, 3, arkit.CHANNEL_COUNT, generator=generator) * 0.5
    batch = head.vertices(curves)
    assert batch.shape == (2, 3, head.vertex_count, 3)
    assert torch.allclose(batch[1, 2], head.vertices(curves[1, 2]), atol=1e-6)
    take = FaceAnimation(curves[0].numpy(), 30)
    assert torch.allclose(head.vertices(take), batch[0], atol=1e-6)
    assert head.landmarks(curves).shape == (2, 3, 478, 3)


def test_gradients_agree_with_finite_differences(head: HeadMesh) -> None:
    weights = torch.randn(head.vertex_count, 3, generator=torch.Generator().manual_seed(2))
    curves = (torch.rand(arkit.CHANNEL_COUNT, generator=torch.Generator().manual_seed(3)) * 0.4).requires_grad_()
    (head.vertices(curves) * weights).sum().backward()
    step = 1e-2
    for channel in ("jawOpen", "eyeBlinkLeft", "headYaw", "headRoll", "leftEyePitch", "rightEyeYaw"):
        change = pose(**{channel: step})
        with torch.no_grad():
            difference = ((head.vertices(curves + change) - head.vertices(curves - change)).double() * weights).sum()
        slope = float(difference) / (2 * step)
        assert curves.grad[arkit.INDEX[channel]].item() == pytest.approx(slope, rel=2e-2, abs=2e-3), channel


def test_shapes_of_a_pair_are_mirror_images(head: HeadMesh) -> None:
    skin = head.parts["skin"]
    neutral = head.neutral[skin].numpy()
    order = np.lexsort(np.round(neutral * [1, 1, 1], 5).T)
    flipped = np.lexsort(np.round(neutral * [-1, 1, 1], 5).T)
    for name in arkit.SHAPES:
        ours = head.deltas[arkit.INDEX[name]][skin].numpy()[order]
        theirs = head.deltas[arkit.INDEX[arkit.partner(name)]][skin].numpy()[flipped] * [-1, 1, 1]
        assert np.abs(np.linalg.norm(ours, axis=1).sum() - np.linalg.norm(theirs, axis=1).sum()) < 0.01, name


@pytest.mark.parametrize("opening", [0.0, 0.25, 0.5, 1.0])
def test_mouth_close_undoes_jaw_open(head: HeadMesh, opening: float) -> None:
    """Inner lips meet (in height) whenever mouthClose equals jawOpen."""
    points = head.landmarks(pose(jawOpen=opening, mouthClose=opening)) * MM
    gap = points[INNER_UPPER, 1] - points[INNER_LOWER, 1]
    assert gap[4].abs() < 0.5
    assert gap.max() < 1.5


def test_lips_part_with_the_jaw(head: HeadMesh) -> None:
    gaps = [
        float((points[UPPER_LIP, 1] - points[LOWER_LIP, 1]) * MM)
        for points in (head.landmarks(pose(jawOpen=opening)) for opening in (0.0, 0.1, 0.3, 0.6, 1.0))
    ]
    assert gaps == sorted(gaps)
    assert gaps[0] < 0.5 and gaps[1] > 2 and gaps[-1] > 25


def test_lower_teeth_and_tongue_go_with_the_jaw(head: HeadMesh) -> None:
    moved = head.vertices(pose(jawOpen=1.0)) - head.neutral
    assert moved[head.parts["teeth_upper"]].abs().max() == 0
    assert moved[head.parts["teeth_lower"], 1].mean() * MM < -10
    assert moved[head.parts["tongue"], 1].mean() * MM < -10


def test_lashes_go_with_the_lids(head: HeadMesh) -> None:
    upper = head.parts["lashes"][head.neutral[head.parts["lashes"], 1] > head.eye_centres[0, 1]]
    moved = head.vertices(both(eyeBlink=1.0)) - head.neutral
    assert moved[upper, 1].median() * MM < -5


def test_landmarks_know_left_from_right(head: HeadMesh) -> None:
    points = head.landmarks_of(head.neutral)
    right_eye_corner, left_eye_corner, right_mouth, left_mouth = points[33], points[263], points[61], points[291]
    assert right_eye_corner[0] < -0.03 < 0.03 < left_eye_corner[0]
    assert right_mouth[0] < -0.015 < 0.015 < left_mouth[0]
    for landmark, eye, part in ((468, 1, "right_eye"), (473, 0, "left_eye")):
        pupil = head.eye_centres[eye] + torch.tensor([0, 0, 0.01495])
        assert (points[landmark] - pupil).norm() * MM < 0.2
        corners = head.faces[head.landmark_faces[landmark : landmark + 5]]
        assert torch.isin(corners, head.parts[part]).all()
        edge = (points[landmark + 1 : landmark + 5] - points[landmark])[:, :2].norm(dim=1)
        assert ((edge - head.iris_radius).abs() * MM < 0.3).all()


def test_landmarks_are_symmetric(head: HeadMesh) -> None:
    points = head.landmarks_of(head.neutral) * MM
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for right, left in (
        (33, 263),
        (61, 291),
        (82, 312),
        (87, 317),
        (105, 334),
        (50, 280),
        (13, 13),
        (14, 14),
        (152, 152),
    ):
        assert (points[right] - flip * points[left]).abs().max() < 0.01


def test_regions_lie_where_their_names_say(head: HeadMesh) -> None:
    points = head.landmarks_of(head.neutral)
    centre = {name: head.neutral[indices].mean(0) for name, indices in head.regions.items()}
    assert centre["brows"][1] > head.eye_centres[0, 1] > centre["nose"][1] > centre["lips"][1] > centre["jaw"][1]
    assert centre["lips_upper"][1] > centre["lips_lower"][1]
    assert centre["mouth_inside"][2] < centre["lips"][2] - 0.02
    assert (centre["lids"] - head.eye_centres.mean(0))[1].abs() < 0.01
    assert (centre["nose"] - points[4]).norm() < 0.03
    assert {len(indices) > 50 for indices in head.regions.values()} == {True}


@pytest.mark.slow
def test_two_thousand_frames_a_second(head: HeadMesh) -> None:
    """On one core, of whose time only ours is counted: the tests may share it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        curves = torch.rand(256, arkit.CHANNEL_COUNT) * 0.3
        seconds = []
        for _ in range(8):
            start = time.thread_time()
            head.vertices(curves)
            seconds.append(time.thread_time() - start)
    finally:
        torch.set_num_threads(threads)
    assert 256 / min(seconds) >= 2000
