"""FLAME files read without running them, and posed as `smplx` poses them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from surrogate_models import Surrogate

from talker.errors import TalkerError
from talker.rigs.flame import load_flame
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.skinning import SkinnedModel, axis_angle_from_rotation, rotation_from_axis_angle


@pytest.fixture(scope="module")
def flame(flame_file: Path) -> SkinnedModel:
    return load_flame(flame_file)


def test_vertices_agree_with_the_reference(flame: SkinnedModel, flame_truth: Surrogate, tmp_path: Path) -> None:
    smplx = pytest.importorskip("smplx", reason="the reference implementation (non-commercial) is not installed")
    folder = tmp_path / "flame"
    folder.mkdir()
    # The reference wants plain Python objects and a landmark embedding beside the model.
    (folder / "FLAME_NEUTRAL.pkl").write_bytes(pickle.dumps(flame_truth.arrays))
    embedding = {"lmk_face_idx": np.arange(51), "lmk_b_coords": np.full((51, 3), 1 / 3)}
    (folder / "flame_static_embedding.pkl").write_bytes(pickle.dumps(embedding))
    reference = smplx.create(
        str(tmp_path), "flame", gender="neutral", batch_size=4, num_betas=300, num_expression_coeffs=100
    )
    random = torch.Generator().manual_seed(0)
    expression, shape = (torch.randn(4, count, generator=random) for count in (100, 300))
    pose = 0.4 * torch.randn(4, 5, 3, generator=random)
    names = ("global_orient", "neck_pose", "jaw_pose", "leye_pose", "reye_pose")
    joints = {name: pose[:, joint] for joint, name in enumerate(names)}
    expected = reference(expression=expression, betas=shape, **joints).vertices
    assert (flame.vertices(pose, expression, shape) - expected).abs().max() < 1e-5


def test_sizes_and_rest(flame: SkinnedModel) -> None:
    assert flame.template.shape == (5023, 3)
    assert flame.shape_basis.shape == (5023, 3, 300)
    assert flame.expression_basis.shape == (5023, 3, 100)
    assert flame.parents == (-1, 0, 1, 1, 1)
    assert (flame.vertices(torch.zeros(5, 3)) - flame.template).abs().max() < 1e-6


def test_joints_turn_the_right_way(flame: SkinnedModel) -> None:
    pose = torch.zeros(3, 5, 3)
    pose[0, 2, 0] = 0.3  # The jaw opens,
    pose[1, 3, 1] = 0.3  # the left eye looks to the subject's left,
    pose[2, 1, 0] = 0.3  # the head looks down.
    moved = flame.vertices(pose) - flame.template
    chin = flame.weights[:, 2].argmax()
    assert moved[0, chin, 1] < -0.005
    eye = (flame.weights[:, 3] == 1).nonzero()[:, 0]
    pupil = eye[flame.template[eye, 2].argmax()]
    assert moved[1, pupil, 0] > 0.002
    assert moved[1, :, 0][flame.weights[:, 3] == 0].abs().max() < 1e-3
    nose = flame.template[:, 2].argmax()
    assert moved[2, nose, 1] < -0.01


def test_batches_and_gradients(flame: SkinnedModel) -> None:
    pose = torch.zeros(2, 3, 5, 3, requires_grad=True)
    expression = torch.zeros(2, 3, 100, requires_grad=True)
    vertices = flame.vertices(pose, expression)
    assert vertices.shape == (2, 3, 5023, 3)
    vertices.square().sum().backward()
    assert pose.grad is not None and expression.grad is not None
    assert torch.isfinite(pose.grad).all() and pose.grad[..., 2, :].abs().max() > 0
    assert torch.isfinite(expression.grad).all() and expression.grad.abs().max() > 0
    one = flame.vertices(0.1 * torch.ones(5, 3), torch.ones(100))
    many = flame.vertices(0.1 * torch.ones(4, 5, 3), torch.ones(4, 100))
    assert (many - one).abs().max() < 1e-6


def test_short_coefficient_vectors_leave_the_rest_at_zero(flame: SkinnedModel) -> None:
    long = torch.zeros(100)
    long[:10] = 1
    assert (flame.unposed(torch.ones(10)) - flame.unposed(long)).abs().max() < 1e-6


@pytest.mark.parametrize("size", [0.0, 1e-7, 1e-3, 0.5, 3.0])
def test_axis_angle_and_back(size: float) -> None:
    vector = size * torch.nn.functional.normalize(torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64), dim=0)
    turn = rotation_from_axis_angle(vector)
    assert (turn @ turn.T - torch.eye(3)).abs().max() < 1e-9
    assert (axis_angle_from_rotation(turn) - vector).abs().max() < 1e-8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"v_template": np.zeros((10475, 3))}, "looks like SMPL-X"),
        ({"v_template": np.zeros((6890, 3))}, "looks like SMPL"),
        ({"v_template": np.zeros(3)}, "v_template has shape"),
        ({"shapedirs": np.zeros((5023, 3, 10))}, "10 components"),
        ({"shapedirs": np.zeros(7)}, "0 components"),
        ({"posedirs": np.zeros((5023, 3, 9))}, "posedirs has shape"),
        ({"weights": np.zeros((5, 5023))}, "weights has shape"),
        ({"J_regressor": None}, "'J_regressor' is missing"),
        ({"f": np.array([[0, 1, 5023]])}, "point outside"),
        ({"f": np.zeros((4, 3))}, "point outside"),
        ({"f": np.array(1)}, "f has shape"),
        ({"kintree_table": np.array([[-1, 0, 1, 4, 1], [0, 1, 2, 3, 4]])}, "joint 3 hangs on joint 4"),
        ({"weights": np.full((5023, 5), np.nan)}, "not finite"),
        ({"weights": np.full((5023, 5), "a")}, "numbers are expected"),
    ],
)
def test_unfit_models_are_refused(
    flame_truth: Surrogate, tmp_path: Path, change: dict[str, np.ndarray | None], words: str
) -> None:
    arrays = {name: values for name, values in (flame_truth.arrays | change).items() if values is not None}
    path = tmp_path / "model.npz"
    np.savez(path, **arrays)
    with pytest.raises(TalkerError, match=words) as error:
        load_flame(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_the_surrogate_is_a_face(flame: SkinnedModel, default_head: HeadMesh) -> None:
    """Of another shape, so that nothing below succeeds because the two heads are the same."""
    size = flame.template.max(0).values - flame.template.min(0).values
    assert (size > 0.15).all() and (size < 0.4).all()
    assert default_head.vertex_count != 5023
