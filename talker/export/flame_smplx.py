"""FLAME and SMPL-X motion as `.npz`, for whoever has one of these models: `--rig-model` gives its file.

FLAME (no standard exists): `expression` (T, 100), `jaw_pose`, `neck_pose`, `global_orient`, `leye_pose`, `reye_pose`
(T, 3) axis-angle radians, `shape` (300), `fps`. SMPL-X: the keys of AMASS and of BEAT2 alike, `poses` (T, 165) and
`expressions` (T, 100) among them. Both also name the expression `basis`, for codes of one mean nothing in another.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from talker.animation import MAX_FRAMES, FaceAnimation
from talker.errors import TalkerError
from talker.export.registry import ExportOptions
from talker.files import read_arrays
from talker.rigs import arkit, turns
from talker.rigs.fit import fit_for, progress_bar
from talker.rigs.fitting.retarget import LOOK_SHAPES, RigFit
from talker.rigs.flame import FLAME
from talker.rigs.head_mesh import rotation
from talker.rigs.skinning import ModelKind, axis_angle_from_rotation, rotation_from_axis_angle
from talker.rigs.smplx import SMPLX

_EXPRESSIONS, _IDENTITIES = 100, 300  # What readers of these files expect, whatever the model has.
_FLAME_JOINTS = ("global_orient", "neck_pose", "jaw_pose", "leye_pose", "reye_pose")  # In FLAME's order.
_SMPLX_RATES = ("mocap_frame_rate", "mocap_framerate", "fps")
_SMPLX_EXPRESSIONS = ("expressions", "expression")
_PLAUSIBLE = 1000.0  # Radians or standard deviations; beyond it a file is corrupt.


def write_flame(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write FLAME parameters; the head turns at the neck."""
    fit = _fit(FLAME, options)
    expression, pose = _posed(fit, FLAME, animation)
    arrays = {
        "fps": np.array(animation.fps),
        "basis": np.array(fit.basis),
        "expression": expression,
        **{name: pose[:, joint] for joint, name in enumerate(_FLAME_JOINTS)},
        "shape": np.zeros(_IDENTITIES, np.float32),
    }
    _save(path, arrays)


def write_parameters(path: Path, fps: float, expression: np.ndarray, joints: Mapping[str, np.ndarray]) -> None:
    """Write FLAME parameters as they are: (T, 100), and (T, 3) of the joints; those not given rest."""
    resting = np.zeros((len(expression), 3), np.float32)
    _save(
        path,
        {
            "fps": np.array(fps),
            "expression": expression,
            **{name: joints.get(name, resting) for name in _FLAME_JOINTS},
            "shape": np.zeros(_IDENTITIES, np.float32),
        },
    )


def write_smplx(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write SMPL-X parameters of a body at rest; neck and head share the turn of the head."""
    fit = _fit(SMPLX, options)
    expression, pose = _posed(fit, SMPLX, animation)
    count = len(pose)
    flat = pose.reshape(count, -1)
    arrays = {
        "mocap_frame_rate": np.array(animation.fps),
        "mocap_time_length": np.array(animation.duration),
        "surface_model_type": np.array("smplx"),
        "model": np.array("smplx2020"),
        "gender": np.array("neutral"),
        "basis": np.array(fit.basis),
        "betas": np.zeros(_IDENTITIES, np.float32),
        "num_betas": np.array(_IDENTITIES),
        "trans": np.zeros((count, 3), np.float32),
        "expressions": expression,
        "poses": flat,
        "root_orient": flat[:, :3],
        "pose_body": flat[:, 3:66],
        "pose_jaw": flat[:, 66:69],
        "pose_eye": flat[:, 69:75],
        "pose_hand": flat[:, 75:],
    }
    _save(path, arrays)


def recognises_flame(head: bytes) -> bool:
    """Whether the archive lists FLAME's expression and jaw."""
    return b"expression.npy" in head and b"jaw_pose.npy" in head


def recognises_smplx(head: bytes) -> bool:
    """Whether the archive lists whole-body poses."""
    return b"poses.npy" in head


def read_flame(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read FLAME parameters; joints that are missing rest."""
    arrays = read_arrays(path, required=("expression", "jaw_pose", "fps"))
    count = _frame_count(path, arrays, "expression")
    pose = np.zeros((count, FLAME.joint_count, 3), np.float32)
    for joint, name in enumerate(_FLAME_JOINTS):
        if name in arrays:
            pose[:, joint] = _table(path, arrays, name, count, 3)
    expression = _table(path, arrays, "expression", count)
    return _animation(path, FLAME, options, expression, pose, arrays, "fps", head_joints=(0, 1))


def read_smplx(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read the face of SMPL-X parameters (also BEAT2's and AMASS's own files); the head as it turns on the body."""
    arrays = read_arrays(path, required=("poses",))
    rate = next((name for name in _SMPLX_RATES if name in arrays), None)
    if rate is None:
        raise TalkerError(f"{path}: the frame rate is missing; add an array 'mocap_frame_rate'")
    count = _frame_count(path, arrays, "poses")
    pose = _table(path, arrays, "poses", count, 3 * SMPLX.joint_count).reshape(count, -1, 3)
    name = next((name for name in _SMPLX_EXPRESSIONS if name in arrays), None)
    expression = np.zeros((count, 1), np.float32) if name is None else _table(path, arrays, name, count)
    return _animation(path, SMPLX, options, expression, pose, arrays, rate, head_joints=SMPLX.neck)


def _fit(kind: ModelKind, options: ExportOptions) -> RigFit:
    if options.rig_model is None:
        raise TalkerError(
            f"{kind.name}-npz needs your own {kind.title} model: give its file with --rig-model "
            f"(or a fit of it, made by `talker rigs fit {kind.name}`)"
        )
    with progress_bar() as progress:
        return fit_for(options.rig_model, kind, progress)


def _posed(fit: RigFit, kind: ModelKind, animation: FaceAnimation) -> tuple[np.ndarray, np.ndarray]:
    """(T, 100) expression and (T, J, 3) axis-angle of every joint, float32."""
    curves = torch.tensor(animation.curves)
    expression, jaw = fit.poses(animation.shapes)
    pose = np.zeros((len(jaw), kind.joint_count, 3), np.float32)
    # Turns about one axis add up, so that joints sharing a turn make it whole.
    head = axis_angle_from_rotation(rotation(curves[:, arkit.HEAD])) / len(kind.neck)
    for joint in kind.neck:
        pose[:, joint] = head
    pose[:, kind.jaw] = jaw
    for joint, angles in ((kind.left_eye, arkit.LEFT_EYE), (kind.right_eye, arkit.RIGHT_EYE)):
        pose[:, joint] = axis_angle_from_rotation(rotation(curves[:, angles]))
    padded = np.zeros((len(jaw), _EXPRESSIONS), np.float32)
    padded[:, : expression.shape[1]] = expression
    return padded, pose


def _animation(
    path: Path,
    kind: ModelKind,
    options: ExportOptions,
    expression: np.ndarray,
    pose: np.ndarray,
    arrays: Mapping[str, np.ndarray],
    rate_name: str,
    head_joints: tuple[int, ...],
) -> FaceAnimation:
    """The ARKit curves nearest to the parameters, (T, E) and (T, J, 3)."""
    rate = _number(path, arrays, rate_name)
    fit = _fit(kind, options)
    if "basis" in arrays and str(arrays["basis"]) != fit.basis:
        raise TalkerError(
            f"{path}: was made for another {kind.title} model (basis {' '.join(str(arrays['basis']).split()):.40}, "
            f"not {fit.basis}); give that one with --rig-model"
        )
    curves = np.zeros((len(pose), arkit.CHANNEL_COUNT), np.float32)
    turn = np.eye(3)
    for joint in head_joints:
        turn = turn @ _matrices(pose[:, joint])
    curves[:, arkit.HEAD] = turns.angles(turn)
    curves[:, arkit.LEFT_EYE] = turns.angles(_matrices(pose[:, kind.left_eye]))
    curves[:, arkit.RIGHT_EYE] = turns.angles(_matrices(pose[:, kind.right_eye]))
    curves = arkit.looks_from_eye_angles(curves)
    looks = curves[:, [arkit.INDEX[name] for name in LOOK_SHAPES]]
    known = np.zeros((len(pose), fit.expression.shape[1]), np.float32)
    shared = min(expression.shape[1], known.shape[1])
    known[:, :shared] = expression[:, :shared]
    curves[:, : arkit.SHAPE_COUNT] = fit.weights(known, pose[:, kind.jaw], looks)
    try:
        return FaceAnimation(curves, rate)
    except TalkerError as error:
        raise TalkerError(f"{path}: {error}") from error


def _matrices(axis_angles: np.ndarray) -> np.ndarray:
    return rotation_from_axis_angle(torch.from_numpy(axis_angles.astype(np.float64))).numpy()


def _frame_count(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> int:
    count = len(arrays[name]) if arrays[name].ndim else 0
    if not 1 <= count <= MAX_FRAMES:
        raise TalkerError(f"{path}: '{name}' has {count} frames; an animation has 1 to {MAX_FRAMES}")
    return count


def _table(
    path: Path, arrays: Mapping[str, np.ndarray], name: str, rows: int, columns: int | None = None
) -> np.ndarray:
    """(rows, columns) float32, one row per frame; any number of columns when None."""
    values = arrays[name]
    wanted = (rows, columns if columns is not None else (values.shape[1] if values.ndim == 2 else 0))
    if values.dtype.kind not in "fiu" or values.shape != wanted or not wanted[1]:
        width = "N" if columns is None else columns
        raise TalkerError(f"{path}: '{name}' is {values.dtype}{values.shape}, but numbers ({rows}, {width}) are needed")
    bad = np.argwhere(~(np.abs(values) <= _PLAUSIBLE))
    if len(bad):
        frame, column = bad[0]
        raise TalkerError(f"{path}: '{name}' is {values[frame, column]} in frame {frame}, column {column}")
    return values.astype(np.float32)


def _number(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> float:
    try:
        return float(arrays[name])
    except (TypeError, ValueError) as error:
        raise TalkerError(f"{path}: '{name}' is not one number") from error


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
