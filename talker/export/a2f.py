"""NVIDIA Audio2Face: the blend-shape JSON of its exporter, and the `animation_frames.csv` of its sample client.

JSON: `exportFps`, `trackPath`, `numPoses`, `numFrames`, `facsNames` (names), `weightMat` (one list per frame), and
`joints`, `rotations`, `translations`, which stay empty. Head and eye angles have no place there; talker adds
`angleNames` and `angleMat` (radians), which other readers pass over.

CSV: an index, `timeCode` in seconds, then `blendShapes.EyeBlinkLeft` and so on; no angles.

Names are matched without regard to upper and lower case; a shape that is missing stays 0, others are passed over. Where
there are no angles the eyes follow the eyeLook weights.
"""

import json
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export import json_curves
from talker.export.csv_table import read_table
from talker.export.registry import ExportOptions
from talker.export.timing import steady
from talker.rigs import arkit

_DECIMALS = 7
_TIME_RESOLUTION = 2e-6  # Seconds: times are written with six decimals.
_COLUMN = "blendshapes."


def write_json(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the exporter's JSON."""
    curves = animation.curves.astype(np.float64).round(_DECIMALS) + 0.0  # Adding zero turns -0.0 into 0.0.
    data = {
        "exportFps": animation.fps,
        "trackPath": "",
        "numPoses": arkit.SHAPE_COUNT,
        "numFrames": animation.frame_count,
        "facsNames": arkit.SHAPES,
        "weightMat": curves[:, : arkit.SHAPE_COUNT].tolist(),
        "joints": [],
        "rotations": [],
        "translations": [],
        "angleNames": arkit.ANGLES,
        "angleMat": curves[:, arkit.SHAPE_COUNT :].tolist(),
    }
    path.write_text(json.dumps(data) + "\n", encoding="utf-8")


def recognises_json(head: bytes) -> bool:
    """Whether the keys of the exporter are there."""
    return b'"facsNames"' in head or b'"weightMat"' in head


def read_json(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read the exporter's JSON, with or without talker's angles."""
    data = json_curves.read_object(path)
    fps = json_curves.frame_rate(path, data, "exportFps")
    names = json_curves.names(path, data, "facsNames")
    weights = json_curves.matrix(path, json_curves.entry(path, data, "weightMat"), "weightMat", names)
    claimed = data.get("numFrames", len(weights))
    if claimed != len(weights):
        raise TalkerError(
            f"{path}: 'numFrames' says {str(claimed)[:20]} but 'weightMat' holds {len(weights)}; export it again"
        )
    curves = shapes_by_name(path, names, weights)
    if "angleMat" in data:
        angle_names = json_curves.names(path, data, "angleNames")
        angles = json_curves.matrix(path, data["angleMat"], "angleMat", angle_names)
        if len(angles) != len(curves):
            raise TalkerError(f"{path}: 'angleMat' holds {len(angles)} frames where 'weightMat' holds {len(curves)}")
        for name in arkit.ANGLES:
            if name in angle_names:
                curves[:, arkit.INDEX[name]] = angles[:, angle_names.index(name)]
    else:
        curves = arkit.eye_angles_from_looks(curves)
    return _animation(path, curves, fps)


def write_csv(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the sample client's table."""
    columns = [f"blendShapes.{name[:1].upper()}{name[1:]}" for name in arkit.SHAPES]
    row_format = "%d,%.6f," + ",".join([f"%.{_DECIMALS}f"] * arkit.SHAPE_COUNT) + "\n"
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(["", "timeCode", *columns]) + "\n")
        for frame, row in enumerate(animation.shapes.astype(np.float64)):
            file.write(row_format % (frame, frame / animation.fps, *row))


def recognises_csv(head: bytes) -> bool:
    """Whether the header names `blendShapes.` columns."""
    return b"blendshapes." in head.split(b"\n", 1)[0].lower()


def read_csv(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read the sample client's table."""
    table = read_table(path)
    columns = [column.lower() for column in table.columns]
    if "timecode" not in columns:
        raise TalkerError(f"{path}: the column timeCode is missing; an Audio2Face table has it before the shapes")
    chosen = [i for i, column in enumerate(columns) if column.startswith(_COLUMN)]
    names = [columns[i].removeprefix(_COLUMN) for i in chosen]
    shapes = shapes_by_name(path, names, table.values[:, chosen])
    take = steady(path, table.values[:, columns.index("timecode")], shapes, table.lines, _TIME_RESOLUTION)
    return _animation(path, arkit.eye_angles_from_looks(take.values), take.fps)


def shapes_by_name(path: Path, names: list[str], weights: np.ndarray) -> np.ndarray:
    """(T, 61) with the named weights in their places."""
    spelling = {name.lower(): name for name in arkit.SHAPES}
    known = [(column, spelling[name.lower()]) for column, name in enumerate(names) if name.lower() in spelling]
    if not known:
        raise TalkerError(f"{path}: none of its {len(names)} shapes has an ARKit name such as jawOpen")
    curves = np.zeros((len(weights), arkit.CHANNEL_COUNT), np.float32)
    columns = [column for column, _ in known]
    targets = [name for _, name in known]
    curves[:, [arkit.INDEX[name] for name in targets]] = json_curves.clipped_weights(path, weights[:, columns], targets)
    return curves


def _animation(path: Path, curves: np.ndarray, fps: float) -> FaceAnimation:
    try:
        return FaceAnimation(curves, fps)
    except TalkerError as error:
        raise TalkerError(f"{path}: {error}") from error
