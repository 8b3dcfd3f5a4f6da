"""LAM_Audio2Expression's JSON, which Gaussian-splat avatars of that family play: 52 ARKit weights per frame.

`names`; `metadata` with `fps`, `frame_count`, `blendshape_names`; `frames`, each with `weights`, `time`, `rotation`.
Head and eye angles have no place there; when read, the eyes follow the eyeLook weights.
"""

import json
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export import json_curves
from talker.export.a2f import shapes_by_name
from talker.export.registry import ExportOptions
from talker.rigs import arkit

_DECIMALS = 7


def write(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the JSON."""
    weights = animation.shapes.astype(np.float64).round(_DECIMALS).tolist()
    data = {
        "names": arkit.SHAPES,
        "metadata": {"fps": animation.fps, "frame_count": len(weights), "blendshape_names": arkit.SHAPES},
        "frames": [
            {"weights": row, "time": round(frame / animation.fps, 6), "rotation": []}
            for frame, row in enumerate(weights)
        ],
    }
    path.write_text(json.dumps(data) + "\n", encoding="utf-8")


def recognises(head: bytes) -> bool:
    """Whether its meta data names blend shapes."""
    return b'"blendshape_names"' in head


def read(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read the JSON; frames follow each other at the rate of the meta data."""
    data = json_curves.read_object(path)
    metadata = json_curves.entry(path, data, "metadata")
    if not isinstance(metadata, dict):
        raise TalkerError(f"{path}: 'metadata' is no JSON object; export it again")
    fps = json_curves.frame_rate(path, metadata, "fps")
    names = json_curves.names(path, data, "names")
    frames = json_curves.entry(path, data, "frames")
    if not isinstance(frames, list) or not all(isinstance(frame, dict) and "weights" in frame for frame in frames):
        raise TalkerError(f"{path}: 'frames' is not a list of objects with 'weights'; export it again")
    weights = json_curves.matrix(path, [frame["weights"] for frame in frames], "weights", names)
    curves = arkit.eye_angles_from_looks(shapes_by_name(path, names, weights))
    return FaceAnimation(curves, fps)
