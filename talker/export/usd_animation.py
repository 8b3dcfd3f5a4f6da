"""Reading a performance out of a USD file, talker's own or anybody's: the program that `usd_worker` runs.

The first SkelAnimation whose blend shapes have ARKit's names (in any spelling `shape_names` knows) is read,
with the turns of joints named like a head and eyes.
"""

import json
import os
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from pxr import Tf, Usd, UsdGeom, UsdSkel

from talker.animation import MAX_FRAMES, FaceAnimation
from talker.errors import TalkerError
from talker.export import npz
from talker.export.keyframes import TURNED_JOINTS, Performance, Track
from talker.export.registry import DEFAULT_OPTIONS
from talker.export.scene_sound import sound_beside
from talker.export.usd import CUSTOM_DATA
from talker.rigs import turns
from talker.rigs.mesh_files.shape_names import find_shapes, part_of_name

_MOST_NAMES = 10_000  # Blend shapes or joints.
_MESSAGE = re.compile(r" in file \S+ : '(.*?)'(?=\s*(?:Error in '|$))", re.DOTALL)  # In an error's C++ location.
_Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # Takes z up, -y forward to y up, +z forward.


def serve() -> None:
    """Answer requests, one JSON object per line, until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # What USD prints is no answer.
    for line in sys.stdin:
        request = json.loads(line)
        _limit_memory(request["memory"])
        error = None
        try:
            npz.write(read_animation(Path(request["path"])), Path(request["result"]), DEFAULT_OPTIONS)
        except TalkerError as refusal:
            error = str(refusal)
        except (RuntimeError, TypeError, ValueError, MemoryError) as failure:  # Of USD's Python layer.
            error = f"{request['path']}: not a readable USD file ({_reason(failure)}); export it again"
        answers.write(json.dumps({"error": error}) + "\n")
        answers.flush()


def _limit_memory(limit: int) -> None:
    try:
        import resource
    except ImportError:  # Windows.
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))


def read_animation(path: Path) -> FaceAnimation:
    """The performance in a `.usd`, `.usda`, `.usdc` or `.usdz` file."""
    try:
        stage = Usd.Stage.Open(str(path))
        performance = _performance(path, stage)
        data = stage.GetRootLayer().customLayerData.get(CUSTOM_DATA, {})
        claimed_fps = stage.GetTimeCodesPerSecond()
    except Tf.ErrorException as error:
        raise TalkerError(f"{path}: not a readable USD file ({_reason(error)}); export it again") from error
    curves, fps = performance.frames(path, claimed_fps)
    data = data if isinstance(data, dict) else {}
    try:
        return FaceAnimation(curves, fps, sound_beside(path, data.get("audio")), _meta(data.get("meta")))
    except TalkerError as error:
        raise TalkerError(f"{path}: {error}") from error


def _performance(path: Path, stage: Usd.Stage) -> Performance:
    for prim in stage.Traverse():
        if prim.IsA(UsdSkel.Animation):
            take = UsdSkel.Animation(prim)
            names = _names(path, take.GetBlendShapesAttr())
            found = find_shapes(names)
            weights = _track(path, stage, take.GetBlendShapeWeightsAttr(), (len(names),)) if found else None
            if weights is not None:
                return Performance([(weights, found)], _joints(path, stage, take))
    raise TalkerError(
        f"{path}: no SkelAnimation in it moves blend shapes with ARKit's names (jawOpen, mouthSmileLeft, ...); "
        "export the animation of the shapes too"
    )


def _joints(path: Path, stage: Usd.Stage, take: UsdSkel.Animation) -> dict[str, tuple[Track, np.ndarray, np.ndarray]]:
    names = _names(path, take.GetJointsAttr())
    wanted: dict[str, int] = {}
    for index, name in enumerate(names):
        part = part_of_name(name.rsplit("/", 1)[-1])
        if part in TURNED_JOINTS:
            wanted.setdefault(part, index)
    track = _track(path, stage, take.GetRotationsAttr(), (len(names), 4)) if wanted else None
    if track is None:
        return {}
    rest = _rest_rotations(stage, take)
    joints = {}
    for part, index in wanted.items():
        keys = turns.continuous(track.values[:, 4 * index : 4 * index + 4])
        parent = names[index].rpartition("/")[0]
        to_scene = rest.get(parent, rest.get("", np.eye(3)))
        own = to_scene.T @ rest.get(names[index], to_scene)
        joints[part] = (Track(track.times, keys, step=track.step, turns=True), to_scene, own)
    return joints


def _rest_rotations(stage: Usd.Stage, take: UsdSkel.Animation) -> dict[str, np.ndarray]:
    """Joint -> its rotation at rest in a scene with y up, and "" -> that of the skeleton itself."""
    upright = _Z_UP if UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.z else np.eye(3)
    for prim in stage.Traverse():
        source = UsdSkel.BindingAPI(prim).GetAnimationSource() if prim.IsA(UsdSkel.Skeleton) else None
        if source is None or source.GetPath() != take.GetPath():
            continue
        skeleton = UsdSkel.Skeleton(prim)
        query = UsdSkel.Cache().GetSkelQuery(skeleton)
        places = query.ComputeJointSkelTransforms(Usd.TimeCode.Default(), True) if query else None
        whole = UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(Usd.TimeCode.Default())
        rest = {"": upright @ turns.nearest_rotation(np.array(whole).T)}
        for name, place in zip(skeleton.GetJointsAttr().Get() or [], places or [], strict=False):
            rest[str(name)] = upright @ turns.nearest_rotation(np.array(place * whole).T)
        return rest
    return {"": upright}


def _names(path: Path, attribute: Usd.Attribute) -> list[str]:
    value = attribute.Get()
    names = [str(name) for name in value] if value is not None else []
    if len(names) > _MOST_NAMES:
        raise TalkerError(f"{path}: {attribute.GetPath()} holds {len(names)} names; export the face alone")
    return names


def _track(path: Path, stage: Usd.Stage, attribute: Usd.Attribute, shape: tuple[int, ...]) -> Track | None:
    """The time samples of an array attribute, flat; None where it has no value. `shape` is one sample's."""
    codes = attribute.GetTimeSamples()
    if len(codes) > MAX_FRAMES:
        raise TalkerError(f"{path}: {attribute.GetPath()} has {len(codes)} time samples; the most is {MAX_FRAMES}")
    samples = [attribute.Get(code) for code in codes] or [attribute.Get()]
    if samples[0] is None:
        return None
    rows = [np.array(sample, np.float32) for sample in samples]
    if any(row.shape != shape for row in rows):
        raise TalkerError(
            f"{path}: {attribute.GetPath()} has samples of another length than {shape[0]}; export it again"
        )
    values = np.stack(rows).reshape(len(rows), -1)
    rate = stage.GetTimeCodesPerSecond()
    times = (np.array(codes or [0.0]) - _first_code(stage, codes)) / rate
    if not (np.isfinite(values).all() and np.isfinite(times).all() and rate > 0):
        raise TalkerError(f"{path}: {attribute.GetPath()} holds numbers or times that are not finite; export it again")
    return Track(times, values, step=stage.GetInterpolationType() == Usd.InterpolationTypeHeld)


def _first_code(stage: Usd.Stage, codes: list[float]) -> float:
    """The time code at which the take begins: the stage's, unless there are keys before it."""
    start = stage.GetStartTimeCode() if stage.HasAuthoredTimeCodeRange() else 0.0
    return min([start, *codes[:1]])


def _meta(text: Any) -> dict[str, Any]:
    try:
        meta = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        meta = {}
    return meta if isinstance(meta, dict) else {}


def _reason(error: Exception) -> str:
    """What USD complained about first, which the rest follows from, on one line without places in its source code."""
    messages = _MESSAGE.findall(str(error)) or [str(error)]
    plain = re.sub(r"(?:\w+::)+", "", messages[0])  # Some name the parser's C++ types.
    return textwrap.shorten(plain, 200, placeholder=" ...") or type(error).__name__


if __name__ == "__main__":
    serve()
