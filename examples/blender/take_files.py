# SPDX-License-Identifier: GPL-3.0-or-later
"""Face curves from files: talker's .npz, Live Link Face CSV, Audio2Face JSON and CSV, curve tables, GLB.

Needs numpy only, so that it also runs (and is tested) outside Blender. Names stay as the file spells them: what they
drive is decided by `shape_names`. Angles are radians.
"""

import csv
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

EXTENSIONS = (".npz", ".csv", ".json", ".glb")
SOUND_EXTENSIONS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mov", ".mp4")

MAX_BYTES = 1 << 30
STANDARD_FPS = (24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60, 90, 100, 120)
CLOCK_ERROR = 0.0005  # Relative: phones run fast by 0.00014; 29.97 and 30 differ by twice this.
TIME_COLUMNS = ("timecode", "time", "seconds", "timestamp", "t")
DAY = 24 * 3600.0


class TakeError(Exception):
    """The file cannot be used; the message says why and what to do."""


@dataclass
class Take:
    """Curves over time.

    frames: (T,) int, ascending from 0; a frame that the recorder dropped is absent. fps: of those frames.
    curves: name -> (T,) float. sound: (samples in -1..1, Hz), a file beside the take, or None.
    """

    fps: float
    frames: np.ndarray
    curves: dict[str, np.ndarray]
    sound: "tuple[np.ndarray, int] | Path | None" = None


def read_take(path: Path, table_fps: float = 30.0) -> Take:
    """Read any supported file; `table_fps` is for tables that say neither times nor a rate."""
    path = Path(path)
    readers = {".npz": read_npz, ".json": read_json, ".glb": read_glb, ".csv": lambda file: read_csv(file, table_fps)}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise TakeError(f"cannot read '{path.suffix}' files; supported: {', '.join(EXTENSIONS)}")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TakeError("the file is over 1 GB; cut the take")
        take = reader(path)
    except OSError as error:
        raise TakeError(f"cannot open the file: {error.strerror or error}") from error
    except TakeError:
        raise
    except Exception as error:  # Damaged files fail in a hundred ways, all of which mean the same to the user.
        raise TakeError(f"the file is damaged or not what its name says ({type(error).__name__}: {error})") from error
    check(take)
    if take.sound is None:
        beside = (path.with_suffix(extension) for extension in SOUND_EXTENSIONS)
        take.sound = next((file for file in beside if file.is_file()), None)
    return take


def check(take: Take) -> None:
    if not take.curves or not len(take.frames):
        raise TakeError("it holds no curves")
    if not 0.1 <= take.fps <= 1000:
        raise TakeError(f"{take.fps:g} frames per second make no sense")
    for name, values in take.curves.items():
        if not np.isfinite(values).all():
            raise TakeError(f"{name} is not a finite number in frame {take.frames[np.argmin(np.isfinite(values))]}")
    take.frames, kept = np.unique(take.frames, return_index=True)  # Jitter may put two rows on one frame.
    take.curves = {name: np.asarray(values)[kept] for name, values in take.curves.items()}


def read_npz(path: Path) -> Take:
    """Talker's own file."""
    with np.load(path, allow_pickle=False) as arrays:
        missing = [name for name in ("channels", "curves", "fps") if name not in arrays.files]
        if missing:
            raise TakeError(f"this .npz is no talker take: it has no array '{missing[0]}'")
        names, values = arrays["channels"], np.asarray(arrays["curves"], float)
        sound = (arrays["audio"], int(arrays["sample_rate"])) if "audio" in arrays.files else None
        fps = float(arrays["fps"])
    return Take(fps, np.arange(len(values)), {str(name): values[:, i] for i, name in enumerate(names)}, sound)


def read_csv(path: Path, table_fps: float) -> Take:
    """Live Link Face takes, tables with a time column, Unreal curve tables, and bare tables of numbers."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise TakeError("there is no row below the header")
    header = [cell.strip() for cell in rows[0]]
    if header[0].lower() in ("name", "---", "") and all(map(is_number, header[1:])):
        return read_curve_table(header, rows[1:])
    lower = [cell.lower() for cell in header]
    if lower[0] == "timecode" and ":" in rows[1][0]:
        return read_live_link(header, rows[1:])
    time = next((i for i, cell in enumerate(lower) if cell in TIME_COLUMNS), None)
    values = to_numbers(header, rows[1:])
    if time is None:
        fps, frames = table_fps, np.arange(len(values))
    else:
        fps, frames = frames_of(values[:, time])
    skip = {time} | {i for i, cell in enumerate(lower) if cell in ("", "frame", "index", "blendshapecount")}
    return Take(fps, frames, {name: values[:, i] for i, name in enumerate(header) if i not in skip})


def read_live_link(header: list, rows: list) -> Take:
    """Rows without a face (count 0) are left out: Blender then moves on evenly from the row before to the row after."""
    seconds = np.array([timecode_seconds(row[0]) for row in rows])
    steps = np.diff(seconds)
    seconds = np.concatenate([[0.0], np.cumsum(np.where(steps < -DAY / 2, steps + DAY, steps))])  # Midnight.
    fps, frames = frames_of(seconds)
    has_face = np.array([len(row) == len(header) and float(row[1]) != 0 for row in rows])
    if not has_face.any():
        raise TakeError("no row holds a face (BlendShapeCount is 0 everywhere)")
    values = to_numbers(header[2:], [row[2:] for row, wanted in zip(rows, has_face, strict=True) if wanted])
    return Take(fps, frames[has_face], dict(zip(header[2:], values.T, strict=True)))


def timecode_seconds(cell: str) -> float:
    """HH:MM:SS:FF.mmm, where FF counts sixtieths of a second at every frame rate."""
    parts = cell.split(":")
    if len(parts) != 4:
        raise TakeError(f"the timecode '{cell[:40]}' is not HH:MM:SS:FF.mmm")
    hours, minutes, seconds, sixtieths = map(float, parts)
    return hours * 3600 + minutes * 60 + seconds + sixtieths / 60


def read_curve_table(header: list, rows: list) -> Take:
    """Unreal's layout: times across, one row per curve; head angles in degrees."""
    fps, frames = frames_of(np.array(header[1:], float))
    curves = {row[0].strip(): np.array(row[1:], float) for row in rows}
    for name, values in curves.items():
        if len(values) != len(frames):
            raise TakeError(f"the row {name} has {len(values)} values for {len(frames)} times")
        if re.fullmatch("head(yaw|pitch|roll)", name.lower()):
            curves[name] = np.radians(values)
    return Take(fps, frames, curves)


def read_json(path: Path) -> Take:
    """Audio2Face exports, LAM_Audio2Expression, and talker's MetaHuman and viseme files."""
    data = json.loads(path.read_text(encoding="utf-8-sig"))
    if "weightMat" in data:
        curves = columns(data["facsNames"], data["weightMat"])
        if "angleMat" in data:
            curves.update(columns(data["angleNames"], data["angleMat"]))
        fps = float(data["exportFps"])
    elif "frames" in data and "names" in data:
        curves = columns(data["names"], [frame["weights"] for frame in data["frames"]])
        fps = float(data.get("metadata", data)["fps"])
    elif "weights" in data and ("visemes" in data or "expressions" in data):
        curves, fps = columns(data.get("visemes") or data["expressions"], data["weights"]), float(data["fps"])
    elif "times" in data and "curves" in data:
        count, fps = len(data["times"]), float(data["fps"])
        listed = {**data.get("board", {}), **data["curves"]}
        curves = {name: np.broadcast_to(np.asarray(values, float), count) for name, values in listed.items()}
        for name, values in data.get("head", {}).items():
            curves[name] = np.radians(np.broadcast_to(np.asarray(values, float), count))
    else:
        raise TakeError("this JSON holds no face curves in a layout known here (Audio2Face, LAM, talker)")
    count = len(next(iter(curves.values()), ()))
    take = Take(fps, np.arange(count), curves)
    sound = path.with_name(re.split(r"[\\/]", str(data.get("trackPath", "")))[-1] or path.name)
    if sound.suffix.lower() in SOUND_EXTENSIONS and sound.is_file():
        take.sound = sound
    return take


def read_glb(path: Path) -> Take:
    """The first animation of morph targets with names, and how it turns nodes named for the head and the eyes."""
    data = path.read_bytes()
    magic, _, _, size, kind = struct.unpack_from("<4sIII4s", data)
    if magic != b"glTF" or kind != b"JSON":
        raise TakeError("this is no GLB file")
    document, binary = json.loads(data[20 : 20 + size]), memoryview(data)[28 + size :]

    def floats(index: int) -> np.ndarray:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        if accessor["componentType"] != 5126:
            raise TakeError("its animation is not stored as 32-bit numbers")
        width = {"SCALAR": 1, "VEC4": 4}[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        return np.frombuffer(binary, "<f4", accessor["count"] * width, start).astype(float)

    for animation in document.get("animations", ()):
        curves, turns = {}, {}
        for channel in animation["channels"]:
            node = document["nodes"][channel["target"]["node"]]
            sampler = animation["samplers"][channel["sampler"]]
            if channel["target"]["path"] == "weights" and not curves:
                names = document["meshes"][node["mesh"]]["extras"]["targetNames"]
                fps, frames = frames_of(floats(sampler["input"]))
                curves = dict(zip(names, floats(sampler["output"]).reshape(len(frames), len(names)).T, strict=True))
            joint = node.get("name", "").lower().replace("_", "")
            if channel["target"]["path"] == "rotation" and joint in ("head", "lefteye", "righteye"):
                turns[joint] = angles_of(floats(sampler["output"]).reshape(-1, 4))
        if curves:
            for joint, turn in turns.items():
                if len(turn) == len(frames):
                    curves |= {joint + axis: turn[:, i] for i, axis in enumerate(("yaw", "pitch", "roll"))}
            return Take(fps, frames, curves)
    raise TakeError("it holds no animation of morph targets")


def angles_of(turns: np.ndarray) -> np.ndarray:
    """(T, 4) x, y, z, w in glTF's axes -> (T, 3) yaw, pitch, roll."""
    x, y, z, w = turns.T
    yaw = np.arctan2(-2 * (x * z + y * w), 1 - 2 * (x * x + y * y))
    pitch = np.arcsin(np.clip(2 * (x * w - y * z), -1, 1))
    roll = np.arctan2(2 * (x * y + z * w), 1 - 2 * (x * x + z * z))
    return np.stack([yaw, pitch, roll], axis=1)


def columns(names: list, rows: list) -> dict:
    return dict(zip(map(str, names), np.array(rows, float).reshape(len(rows), len(names)).T, strict=True))


def to_numbers(header: list, rows: list) -> np.ndarray:
    """(rows, columns) float64."""
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise TakeError(f"row {number} has {len(row)} cells for {len(header)} columns; delete or repair it")
    try:
        return np.array(rows, float)
    except ValueError as error:
        raise TakeError(f"a cell is not a number ({error})") from error


def frames_of(seconds: np.ndarray) -> "tuple[float, np.ndarray]":
    """Frame rate and frame numbers behind the times of rows: a usual rate when one is near, no gaps from jitter."""
    if len(seconds) < 2:
        return 60.0, np.zeros(len(seconds), int)
    steps = np.diff(seconds)
    if (steps <= 0).any():
        raise TakeError(f"the time of row {int(np.argmax(steps <= 0)) + 2} does not come after the one before")
    median = np.median(steps)
    fps = float(1 / np.mean(steps[np.abs(steps - median) < median / 2]))
    near = min(STANDARD_FPS, key=lambda standard: abs(standard / fps - 1))
    fps = float(near if abs(near / fps - 1) < 4 * CLOCK_ERROR else round(fps, 3))
    place = (seconds - seconds[0]) * fps
    frames = np.concatenate([[0], np.cumsum(np.maximum(np.rint(np.diff(place)), 1))]).astype(int)
    if np.abs(frames - place).max() > 1:  # The clock drifts: long takes must stay with their sound.
        frames = np.rint(place).astype(int)
    return fps, frames


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
