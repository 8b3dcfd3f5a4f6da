"""Curves out of the files that data sets keep them in."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from talker.animation import MAX_FRAMES, FaceAnimation
from talker.datasets.source import Motion
from talker.errors import TalkerError
from talker.export import json_curves
from talker.export.registry import ExportOptions, read_animation
from talker.export.timing import steady
from talker.files import ARCHIVE_ERRORS, read_bytes
from talker.rigs import arkit

NPY_FPS = 30.0
_BEAT_TIME_RESOLUTION = 0.001


def read_motion(motion: Motion, options: ExportOptions) -> FaceAnimation:
    """The curves of a clip, without its sound."""
    if motion.format == "beat-json":
        return read_beat_json(motion.path)
    if motion.format == "weights-npy":
        return read_weights_npy(motion.path)
    if motion.format == "facegood-npy":
        from talker.datasets.facegood import read_facegood

        return read_facegood(motion.path)
    if motion.format == "flame-vertices-npy":
        from talker.datasets.flame_vertices import read_flame_vertices

        return read_flame_vertices(motion.path, options)
    return read_animation(motion.path, motion.format, options)


def read_beat_json(path: Path) -> FaceAnimation:
    """BEAT: `names`, and `frames` of `weights` with a `time` in seconds each (60 per second, now and then one less)."""
    data = json_curves.read_object(path)
    names = json_curves.names(path, data, "names")
    frames = json_curves.entry(path, data, "frames")
    if not (isinstance(frames, list) and frames and all(isinstance(frame, dict) for frame in frames)):
        raise TalkerError(f"{path}: 'frames' is not a list of frames; is it BEAT's?")
    weights = json_curves.matrix(path, [frame.get("weights") for frame in frames], "weights", names)
    seconds = np.array([_number(path, row, frame.get("time")) for row, frame in enumerate(frames)])
    curves = _curves(path, weights, names)
    take = steady(path, seconds - seconds[0], curves, np.arange(1, len(frames) + 1), _BEAT_TIME_RESOLUTION)
    return FaceAnimation(take.values, take.fps, meta={"source": path.name})


def read_weights_npy(path: Path) -> FaceAnimation:
    """EmoTalk's `.npy`: (T, 52) weights at 30 fps in the alphabetical order of ARKit's names."""
    weights = read_npy(path)
    if weights.ndim != 2 or weights.shape[1] != arkit.SHAPE_COUNT:
        raise TalkerError(f"{path}: its shape is {weights.shape}; weights are (frames, {arkit.SHAPE_COUNT})")
    return FaceAnimation(_curves(path, weights, sorted(arkit.SHAPES)), NPY_FPS, meta={"source": path.name})


def read_npy(path: Path) -> np.ndarray:
    """The numbers of an `.npy` file, its claims checked before anything is allocated."""
    read_bytes(path, count=1)  # Names the file and the reason when it cannot be read at all.
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            count = 1
            for length in shape:
                count *= int(length)
            if dtype.hasobject or dtype.kind not in "fiu" or not 0 < count * dtype.itemsize <= size:
                raise TalkerError(
                    f"{path}: {dtype}{shape} is not what its {size} bytes hold; only plain numbers are read"
                )
            file.seek(0)
            return np.load(file, allow_pickle=False)
    except ARCHIVE_ERRORS as error:
        raise TalkerError(f"{path}: not a readable .npy file; export it again") from error


def _curves(path: Path, weights: np.ndarray, names: list[str]) -> np.ndarray:
    """(T, 61) out of (T, len(names)) weights, the eyes turned as their weights say."""
    if not 1 <= len(weights) <= MAX_FRAMES:
        raise TalkerError(f"{path}: it has {len(weights)} frames; a clip has 1 to {MAX_FRAMES}")
    if not np.isfinite(weights).all():
        raise TalkerError(f"{path}: some of its weights are not finite numbers; export it again")
    weights = json_curves.clipped_weights(path, weights, names)
    spelling = {name.lower(): name for name in arkit.SHAPES}
    curves = np.zeros((len(weights), arkit.CHANNEL_COUNT), np.float32)
    known = [(column, spelling[name.lower()]) for column, name in enumerate(names) if name.lower() in spelling]
    if len(known) < arkit.SHAPE_COUNT // 2:
        raise TalkerError(f"{path}: only {len(known)} of its columns have ARKit's names")
    for column, name in known:
        curves[:, arkit.INDEX[name]] = weights[:, column]
    return arkit.eye_angles_from_looks(curves)


def _number(path: Path, row: int, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise TalkerError(f"{path}: frame {row} has no usable time ({json.dumps(value, default=str)[:40]})")
    return float(value)
