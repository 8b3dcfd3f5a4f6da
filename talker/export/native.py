"""Files of native takes: FLAME and MetaHuman motion without a detour through ARKit's shapes, written and read."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export import emoface, flame_smplx, metahuman_curves
from talker.export.registry import DEFAULT_OPTIONS, ExportOptions, format_for, write_animation
from talker.files import atomic_output, read_arrays
from talker.models.motion_space import FLAME_EXPRESSIONS, FLAME_JOINTS, MotionSpace, motion_space
from talker.native_take import NativeTake
from talker.rigs import emoface as emoface_rig

READABLE = {"flame": (".npz",), "metahuman": (".json", ".txt")}
"""Extensions of the files that each space can be read from: flame-npz; metahuman-json and emoface-txt."""


def speaks_natively(space: MotionSpace, path: Path, name: str | None = None, rig: str | None = None) -> bool:
    """Whether the motion of a space goes into this file as it is, or has no other way than through a rig model."""
    return space.to_curves is None or _held(space, path, name, rig)


def _held(space: MotionSpace, path: Path, name: str | None, rig: str | None) -> bool:
    return format_for(path, name, rig).name in _WRITERS.get(space.name, {})


def write_native(
    take: NativeTake,
    path: Path,
    name: str | None = None,
    rig: str | None = None,
    options: ExportOptions = DEFAULT_OPTIONS,
) -> str:
    """Write a take, whole or not at all, as it is where the format allows that, else as the nearest ARKit curves."""
    if not _held(take.space, path, name, rig):
        return str(write_animation(as_animation(take, options), path, name, rig, options))
    chosen = format_for(path, name, rig)
    if chosen.fps is not None:
        take = take.resample(chosen.fps)
    with atomic_output(path) as temporary:
        _WRITERS[take.space.name][chosen.name](take, temporary)
    return f"{chosen.name}, {len(take.motion)} frames at {take.fps:g} fps, as the network spoke it"


def read_native(path: Path, space: str) -> NativeTake:
    """Read FLAME parameters (flame-npz) or board controls (metahuman-json, emoface-txt)."""
    made = motion_space(space)
    if path.suffix not in READABLE.get(space, ()):
        raise TalkerError(f"{path}: {space} motion is read from {', '.join(READABLE.get(space, ())) or 'shards'}")
    if space == "flame":
        motion, fps = _read_flame(path)
    elif path.suffix == ".txt":
        motion, fps = emoface.read_board(path), emoface_rig.FPS
    else:
        motion, fps = metahuman_curves.read_board(path)
    return NativeTake(made, np.clip(motion, made.low, made.high), fps)


def as_animation(take: NativeTake, options: ExportOptions = DEFAULT_OPTIONS) -> FaceAnimation:
    """The nearest ARKit curves; from FLAME that takes the user's own model, `options.rig_model`."""
    if take.space.to_curves is not None:
        return FaceAnimation(take.space.to_curves(take.motion), take.fps, take.audio)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "take.npz"
        _write_flame(take, file)
        return replace(flame_smplx.read_flame(file, options), audio=take.audio)


def _write_flame(take: NativeTake, path: Path) -> None:
    flame_smplx.write_parameters(path, take.fps, take.motion[:, :FLAME_EXPRESSIONS], _joints(take.motion))


def _joints(motion: np.ndarray) -> dict[str, np.ndarray]:
    return {
        name: motion[:, FLAME_EXPRESSIONS + 3 * place : FLAME_EXPRESSIONS + 3 * place + 3]
        for place, name in enumerate(FLAME_JOINTS)
    }


def _read_flame(path: Path) -> tuple[np.ndarray, float]:
    arrays = read_arrays(path, required=("expression", "jaw_pose", "fps"))
    expression = np.asarray(arrays["expression"], np.float32)
    if expression.ndim != 2 or not len(expression) or np.size(arrays["fps"]) != 1:
        raise TalkerError(f"{path}: 'expression' must be (frames, components) and 'fps' one number")
    columns = [_widened(expression)]
    for name in FLAME_JOINTS:
        joint = np.asarray(arrays.get(name, np.zeros((len(expression), 3))), np.float32)
        if joint.shape != (len(expression), 3):
            raise TalkerError(f"{path}: '{name}' is {joint.shape}, but ({len(expression)}, 3) is needed")
        columns.append(joint)
    motion = np.concatenate(columns, axis=1)
    if not np.isfinite(motion).all():
        raise TalkerError(f"{path}: some of its values are not finite; export it again")
    return motion, float(arrays["fps"])


def _widened(expression: np.ndarray) -> np.ndarray:
    """(T, any) -> (T, 100): models differ in how many components they have."""
    out = np.zeros((len(expression), FLAME_EXPRESSIONS), np.float32)
    shared = min(FLAME_EXPRESSIONS, expression.shape[1])
    out[:, :shared] = expression[:, :shared]
    return out


_WRITERS: dict[str, dict[str, Callable[[NativeTake, Path], None]]] = {
    "flame": {"flame-npz": _write_flame},
    "metahuman": {
        "metahuman-csv": lambda take, path: metahuman_curves.write_board_csv(take.motion, take.fps, path),
        "metahuman-json": lambda take, path: metahuman_curves.write_board_json(take.motion, take.fps, path),
        "emoface-txt": lambda take, path: emoface.write_board(take.motion, path),
    },
}
