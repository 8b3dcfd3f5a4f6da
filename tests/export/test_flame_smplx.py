"""FLAME and SMPL-X `.npz`: the keys others expect, there and back, other people's files, clear errors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.registry import ExportOptions, read_animation, write_animation
from talker.rigs import arkit
from talker.rigs.fitting.retarget import RigFit
from talker.rigs.flame import load_flame
from talker.rigs.head_mesh import HeadMesh, rotation
from talker.rigs.skinning import rotation_from_axis_angle

HARNESS = Path(__file__).parents[1] / "fuzz/fuzz_readers.py"
FRAMES, FPS = 24, 25.0


@pytest.fixture(scope="module", params=["flame", "smplx"])
def rig(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def fit_files(flame_fit: RigFit, smplx_fit: RigFit, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("fits")
    for fit in (flame_fit, smplx_fit):
        fit.save(folder / f"{fit.kind}.npz")
    return {fit.kind: folder / f"{fit.kind}.npz" for fit in (flame_fit, smplx_fit)}


@pytest.fixture
def options(rig: str, fit_files: dict[str, Path]) -> ExportOptions:
    return ExportOptions(rig_model=fit_files[rig])


def take() -> FaceAnimation:
    phase = np.linspace(0, 6, FRAMES)

    def wave(start: float) -> np.ndarray:
        return 0.5 + 0.5 * np.sin(phase + start)

    animation = FaceAnimation.from_channels(
        {
            **{"jawOpen": 0.6 * wave(0), "mouthClose": 0.3 * wave(0), "mouthSmileLeft": 0.5 * wave(1)},
            **{"mouthPucker": 0.4 * wave(2), "eyeBlinkLeft": wave(3), "browInnerUp": 0.7 * wave(4)},
            **{"headYaw": 0.4 * np.sin(phase), "headPitch": 0.2 * np.cos(phase), "headRoll": -0.15 * np.sin(2 * phase)},
            **{"leftEyeYaw": 0.3 * np.sin(phase), "leftEyePitch": 0.2, "rightEyeYaw": 0.25, "rightEyePitch": -0.1},
        },
        FPS,
    )
    return FaceAnimation(arkit.looks_from_eye_angles(animation.curves), FPS)


def written(rig: str, folder: Path, options: ExportOptions, animation: FaceAnimation | None = None) -> Path:
    path = folder / f"tåke.{rig}.npz"
    assert write_animation(animation or take(), path, rig=rig, options=options).format.name == f"{rig}-npz"
    return path


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_flame_keys(fit_files: dict[str, Path], flame_fit: RigFit, tmp_path: Path) -> None:
    arrays = arrays_of(written("flame", tmp_path, ExportOptions(rig_model=fit_files["flame"])))
    assert arrays["expression"].shape == (FRAMES, 100)
    for name in ("jaw_pose", "neck_pose", "global_orient", "leye_pose", "reye_pose"):
        assert arrays[name].shape == (FRAMES, 3)
    assert arrays["shape"].shape == (300,)
    assert float(arrays["fps"]) == FPS
    assert str(arrays["basis"]) == flame_fit.basis
    assert (arrays["jaw_pose"][:, 0] >= 0).all() and arrays["jaw_pose"][:, 0].max() > 0.1
    assert not arrays["global_orient"].any()


def test_smplx_keys_of_amass_and_beat2(fit_files: dict[str, Path], tmp_path: Path) -> None:
    arrays = arrays_of(written("smplx", tmp_path, ExportOptions(rig_model=fit_files["smplx"])))
    shapes = {name: values.shape for name, values in arrays.items() if values.ndim}
    assert shapes == {
        **{"betas": (300,), "trans": (FRAMES, 3), "expressions": (FRAMES, 100), "poses": (FRAMES, 165)},
        **{"root_orient": (FRAMES, 3), "pose_body": (FRAMES, 63), "pose_hand": (FRAMES, 90)},
        **{"pose_jaw": (FRAMES, 3), "pose_eye": (FRAMES, 6)},
    }
    assert {name: str(arrays[name]) for name in ("model", "gender", "surface_model_type")} == {
        "model": "smplx2020",
        "gender": "neutral",
        "surface_model_type": "smplx",
    }
    assert float(arrays["mocap_frame_rate"]) == FPS
    assert float(arrays["mocap_time_length"]) == FRAMES / FPS
    assert int(arrays["num_betas"]) == 300
    np.testing.assert_array_equal(arrays["poses"][:, 66:69], arrays["pose_jaw"])
    np.testing.assert_array_equal(arrays["poses"][:, 69:75], arrays["pose_eye"])
    assert not arrays["root_orient"].any()


def test_there_and_back(rig: str, options: ExportOptions, tmp_path: Path) -> None:
    animation = take()
    back = read_animation(written(rig, tmp_path, options), options=options)
    assert back.fps == FPS and back.frame_count == FRAMES
    assert back.meta["source"] == f"tåke.{rig}.npz"
    for angles in (arkit.HEAD, arkit.LEFT_EYE, arkit.RIGHT_EYE):
        assert np.abs(back.curves[:, angles] - animation.curves[:, angles]).max() < 1e-5
    looks = [arkit.INDEX[name] for name in arkit.SHAPES if name.startswith("eyeLook")]
    assert np.abs(back.curves[:, looks] - animation.curves[:, looks]).max() < 1e-5
    error = np.abs(back.shapes - animation.shapes)
    assert error.mean() < 0.01
    assert error[:, arkit.INDEX["jawOpen"]].max() < 0.05


def test_the_lips_are_where_they_were(rig: str, options: ExportOptions, tmp_path: Path, default_head: HeadMesh) -> None:
    """Read back, our own head says the same: its landmarks return within a fraction of a millimetre."""
    back = read_animation(written(rig, tmp_path, options), options=options)
    miss = default_head.landmarks(back) - default_head.landmarks(take())
    assert 1000 * miss[:, :468].norm(dim=-1).mean() < 0.2


def test_head_and_eyes_turn_as_ours_do(rig: str, options: ExportOptions, tmp_path: Path) -> None:
    animation = take()
    arrays = arrays_of(written(rig, tmp_path, options, animation))
    curves = torch.tensor(animation.curves)
    if rig == "flame":
        head, eyes = [arrays["neck_pose"]], [arrays["leye_pose"], arrays["reye_pose"]]
    else:
        poses = arrays["poses"].reshape(FRAMES, 55, 3)
        head, eyes = [poses[:, 12], poses[:, 15]], [poses[:, 23], poses[:, 24]]
    turned = torch.eye(3)
    for joint in head:
        turned = turned @ rotation_from_axis_angle(torch.from_numpy(joint))
    assert (turned - rotation(curves[:, arkit.HEAD])).abs().max() < 1e-5
    for pose, angles in zip(eyes, (arkit.LEFT_EYE, arkit.RIGHT_EYE), strict=True):
        assert (rotation_from_axis_angle(torch.from_numpy(pose)) - rotation(curves[:, angles])).abs().max() < 1e-5


def test_the_file_poses_the_model_as_we_meant(
    flame_file: Path, flame_fit: RigFit, fit_files: dict[str, Path], tmp_path: Path
) -> None:
    """Through the file and the whole model, the landmarks come out where the fit wants them."""
    animation = FaceAnimation(take().curves * _shapes_only(), FPS)
    arrays = arrays_of(written("flame", tmp_path, ExportOptions(rig_model=fit_files["flame"]), animation))
    names = ("global_orient", "neck_pose", "jaw_pose", "leye_pose", "reye_pose")
    pose = torch.from_numpy(np.stack([arrays[name] for name in names], 1))
    model = load_flame(flame_file)
    vertices = model.vertices(pose, torch.from_numpy(arrays["expression"]))
    nearest = torch.cdist(flame_fit.points.rest, model.template).argmin(1)
    moved = (vertices - model.template)[:, nearest]
    wanted = flame_fit.wanted(torch.tensor(animation.shapes)) - flame_fit.points.rest
    assert 1000 * (moved - wanted).norm(dim=-1).mean() < 0.5


def _shapes_only() -> np.ndarray:
    return (np.arange(arkit.CHANNEL_COUNT) < arkit.SHAPE_COUNT).astype(np.float32)


def test_the_same_take_gives_the_same_bytes(rig: str, options: ExportOptions, tmp_path: Path) -> None:
    first = written(rig, tmp_path, options).read_bytes()
    assert written(rig, tmp_path, options).read_bytes() == first


def test_a_file_of_beat2(fit_files: dict[str, Path], tmp_path: Path) -> None:
    """Its own keys alone, float64, a body that moves, and and so much of it that only the end names them all."""
    options = ExportOptions(rig_model=fit_files["smplx"])
    ours = arrays_of(written("smplx", tmp_path, options))
    poses = ours["poses"].astype(np.float64)
    poses[:, :36] = np.random.default_rng(0).normal(size=(FRAMES, 36))
    path = tmp_path / "2_scott_0_1_1.npz"
    np.savez(
        path,
        betas=np.random.default_rng(1).normal(size=30_000),
        poses=poses,
        expressions=ours["expressions"].astype(np.float64),
        trans=np.zeros((FRAMES, 3)),
        model="smplx2020",
        gender="neutral",
        mocap_frame_rate=30,
    )
    back = read_animation(path, options=options)
    assert back.fps == 30
    expected = read_animation(tmp_path / "tåke.smplx.npz", options=options)
    np.testing.assert_allclose(back.curves, expected.curves, atol=1e-6)


def test_a_file_of_amass_has_no_expression(fit_files: dict[str, Path], tmp_path: Path) -> None:
    poses = np.zeros((5, 165))
    poses[:, 66] = 0.2
    path = tmp_path / "amass_stageii.npz"
    np.savez(path, poses=poses, trans=np.zeros((5, 3)), betas=np.zeros(16), mocap_frame_rate=120.0, gender="male")
    back = read_animation(path, options=ExportOptions(rig_model=fit_files["smplx"]))
    assert back.fps == 120
    assert back.channel("jawOpen").min() > 0.3


def test_short_expression_codes_are_padded(fit_files: dict[str, Path], tmp_path: Path) -> None:
    options = ExportOptions(rig_model=fit_files["flame"])
    path = tmp_path / "deca.npz"
    np.savez(path, expression=np.zeros((4, 50)), jaw_pose=np.tile([0.1, 0, 0], (4, 1)), fps=25)
    assert read_animation(path, options=options).channel("jawOpen").min() > 0.1


def test_without_a_model_the_error_says_what_to_do(rig: str, options: ExportOptions, tmp_path: Path) -> None:
    path = written(rig, tmp_path, options)
    with pytest.raises(TalkerError, match="give its file with --rig-model"):
        read_animation(path)
    with pytest.raises(TalkerError, match="--rig-model"):
        write_animation(take(), tmp_path / "x.npz", rig=rig)
    assert not (tmp_path / "x.npz").exists()


def test_codes_of_another_basis_are_refused(rig: str, options: ExportOptions, tmp_path: Path) -> None:
    path = written(rig, tmp_path, options)
    np.savez(path, **{**arrays_of(path), "basis": np.array("flame-of-somebody-else")})
    with pytest.raises(TalkerError, match=r"another .* model \(basis flame-of-somebody-else"):
        read_animation(path, options=options)


FLAME_DAMAGE = [
    ({"expression": np.zeros((0, 100))}, "0 frames"),
    ({"expression": np.zeros(100)}, "numbers .* are needed"),
    ({"expression": np.zeros((3, 0))}, "are needed"),
    ({"jaw_pose": np.zeros((2, 3))}, "'jaw_pose' is .*2, 3"),
    ({"neck_pose": np.zeros((3, 4))}, "'neck_pose'"),
    ({"jaw_pose": np.full((3, 3), np.nan)}, "'jaw_pose' is nan in frame 0"),
    ({"expression": np.full((3, 100), 1e30)}, "'expression' is 1e\\+30"),
    ({"fps": np.array([25, 30])}, "'fps' is not one number"),
    ({"fps": np.array("fast")}, "'fps' is not one number"),
    ({"fps": np.array(np.nan)}, "frames per second"),
    ({"fps": np.array(-5)}, "frames per second"),
    ({"fps": None}, "'fps' is missing"),
    ({"jaw_pose": np.array([["a"] * 3] * 3)}, "'jaw_pose'"),
]


@pytest.mark.parametrize(("change", "words"), FLAME_DAMAGE)
def test_damaged_flame_files(change: dict[str, Any], words: str, fit_files: dict[str, Path], tmp_path: Path) -> None:
    arrays = {"expression": np.zeros((3, 100)), "jaw_pose": np.zeros((3, 3)), "fps": np.array(25)} | change
    path = tmp_path / "damaged.npz"
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})
    with pytest.raises(TalkerError, match=words) as error:
        read_animation(path, "flame-npz", ExportOptions(rig_model=fit_files["flame"]))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mocap_frame_rate": None}, "frame rate is missing"),
        ({"poses": np.zeros((3, 72))}, "'poses' is float64\\(3, 72\\)"),
        ({"poses": np.array(1.0)}, "0 frames"),
        ({"expressions": np.zeros((4, 100))}, "'expressions'"),
    ],
)
def test_damaged_smplx_files(change: dict[str, Any], words: str, fit_files: dict[str, Path], tmp_path: Path) -> None:
    arrays = {"poses": np.zeros((3, 165)), "expressions": np.zeros((3, 100)), "mocap_frame_rate": np.array(30)} | change
    path = tmp_path / "damaged.npz"
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})
    with pytest.raises(TalkerError, match=words):
        read_animation(path, options=ExportOptions(rig_model=fit_files["smplx"]))


def test_the_command_line_fits_and_converts(
    flame_file: Path, flame_fit: RigFit, fits_kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from talker import cli
    from talker.rigs import fit

    monkeypatch.setenv("TALKER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fit, "fit_model", lambda *_: flame_fit)
    assert cli.main(["rigs", "fit", "flame", "--model", str(flame_file), "-o", str(tmp_path / "fit.npz")]) == 0
    shown = capsys.readouterr().out
    assert "jawOpen" in shown and "lips mm" in shown and str(tmp_path / "cache") in shown
    take().save(tmp_path / "take.npz")
    arguments = ["convert", str(tmp_path / "take.npz"), str(tmp_path / "out.npz"), "--rig", "flame"]
    assert cli.main([*arguments, "--rig-model", str(tmp_path / "fit.npz")]) == 0
    assert "expression" in arrays_of(tmp_path / "out.npz")
    assert cli.main([*arguments, "--rig-model", str(tmp_path / "take.npz")]) == 2
    assert "no FLAME model" in capsys.readouterr().err
