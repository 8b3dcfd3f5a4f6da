"""SMPL-X files, posed as `smplx` poses them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from talker.errors import TalkerError
from talker.rigs.flame import load_flame
from talker.rigs.skinning import SkinnedModel
from talker.rigs.smplx import SMPLX, load_smplx


@pytest.fixture(scope="module")
def smplx_model(smplx_file: Path) -> SkinnedModel:
    return load_smplx(smplx_file)


def test_vertices_agree_with_the_reference(smplx_model: SkinnedModel, smplx_file: Path, tmp_path: Path) -> None:
    smplx = pytest.importorskip("smplx", reason="the reference implementation (non-commercial) is not installed")
    folder = tmp_path / "smplx"
    folder.mkdir()
    extras = {
        **{"lmk_faces_idx": np.arange(51), "lmk_bary_coords": np.full((51, 3), 1 / 3)},
        **{f"hands_components{side}": np.eye(45) for side in "lr"},
        **{f"hands_mean{side}": np.zeros(45) for side in "lr"},
    }
    with np.load(smplx_file) as arrays:
        np.savez(folder / "SMPLX_NEUTRAL.npz", **arrays, **extras)
    reference = smplx.create(
        *(str(tmp_path), "smplx"),
        **{"use_pca": False, "flat_hand_mean": True, "batch_size": 3, "num_betas": 300, "num_expression_coeffs": 100},
    )
    random = torch.Generator().manual_seed(0)
    expression, shape = (torch.randn(3, count, generator=random) for count in (100, 300))
    pose = 0.3 * torch.randn(3, 55, 3, generator=random)
    expected = reference(
        expression=expression,
        betas=shape,
        global_orient=pose[:, 0],
        body_pose=pose[:, 1:22].flatten(1),
        jaw_pose=pose[:, 22],
        leye_pose=pose[:, 23],
        reye_pose=pose[:, 24],
        left_hand_pose=pose[:, 25:40].flatten(1),
        right_hand_pose=pose[:, 40:].flatten(1),
    ).vertices
    assert (smplx_model.vertices(pose, expression, shape) - expected).abs().max() < 1e-5


def test_the_jaw_and_the_eyes_hang_on_the_head(smplx_model: SkinnedModel) -> None:
    head = SMPLX.neck[-1]
    assert [smplx_model.parents[joint] for joint in (SMPLX.jaw, SMPLX.left_eye, SMPLX.right_eye)] == [head] * 3
    assert smplx_model.parents[head] == SMPLX.neck[0]
    pose = torch.zeros(55, 3)
    pose[SMPLX.jaw, 0] = 0.3
    moved = smplx_model.vertices(pose) - smplx_model.template
    assert moved[smplx_model.weights[:, SMPLX.jaw].argmax(), 1] < -0.005


def test_the_first_release_has_ten_components_of_each_kind(smplx_file: Path, tmp_path: Path) -> None:
    with np.load(smplx_file) as file:
        arrays = dict(file)
    arrays["shapedirs"] = arrays["shapedirs"][:, :, :20]
    np.savez(tmp_path / "small.npz", **arrays)
    model = load_smplx(tmp_path / "small.npz")
    assert model.shape_basis.shape[2] == model.expression_basis.shape[2] == 10


def test_each_kind_of_model_refuses_the_other(flame_file: Path, smplx_file: Path) -> None:
    with pytest.raises(TalkerError, match=r"SMPL-X has \(10475, 3\).*looks like FLAME"):
        load_smplx(flame_file)
    with pytest.raises(TalkerError, match=r"FLAME has \(5023, 3\).*looks like SMPL-X"):
        load_flame(smplx_file)
