"""Reading a performance out of a glTF file, talker's own or anybody's.

The first animation that moves morph targets with ARKit names (in any spelling `shape_names` knows) is
read, with the turns of joints named like a head and eyes.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.keyframes import TURNED_JOINTS, Performance, Track
from talker.export.scene_sound import sound_beside
from talker.rigs import turns
from talker.rigs.mesh_files.gltf_file import GltfFile, Json
from talker.rigs.mesh_files.shape_names import find_shapes, part_of_name

_INTERPOLATIONS = ("LINEAR", "STEP", "CUBICSPLINE")
_PLAUSIBLE = 1e6  # Weights and quaternions lie near 1, slopes of splines not far above; beyond this a file is corrupt.


def read_animation(path: Path) -> FaceAnimation:
    """The performance in a `.glb` or `.gltf` file."""
    file = GltfFile(path)
    extras = _scene_extras(file)
    curves, fps = _performance(file).frames(path, extras.get("fps"))
    meta = extras.get("meta")
    try:
        return FaceAnimation(
            curves, fps, sound_beside(path, extras.get("audio")), meta if isinstance(meta, dict) else {}
        )
    except TalkerError as error:
        raise TalkerError(f"{path}: {error}") from error


def _performance(file: GltfFile) -> Performance:
    """The first animation with ARKit shapes; a shape that several meshes have is taken from the one that has most."""
    for number, animation in enumerate(file.objects("animations")):
        here = f"animations[{number}]"
        samplers = file.children(animation, "samplers", here)
        morphs: list[tuple[Json, dict[str, list[int]], int]] = []
        turned: dict[str, tuple[int, Json]] = {}
        for channel in file.children(animation, "channels", here):
            target = file.child(channel, "target", here)
            if target.get("path") not in ("weights", "rotation") or "node" not in target:
                continue
            sampler = samplers[file.integer(channel, "sampler", here, 0, len(samplers) - 1)]
            node = file.item("nodes", target["node"], here)
            if target["path"] == "weights":
                names = target_names(file, node)
                morphs.append((sampler, find_shapes(names), len(names)))
            else:
                part = part_of_name(str(node.get("name", "")))
                if part in TURNED_JOINTS:
                    turned.setdefault(part, (target["node"], sampler))
        if any(found for _, found, _ in morphs):
            return Performance(_shape_tracks(file, morphs, here), _joint_tracks(file, turned, here))
    raise TalkerError(
        f"{file.path}: no animation in it moves morph targets with ARKit's names (jawOpen, mouthSmileLeft, ...); "
        "export the animation of the shape keys too"
    )


def target_names(file: GltfFile, node: Json) -> list[str]:
    """The names of the morph targets of a node's mesh; [] where it has none."""
    if "mesh" not in node:
        return []
    mesh, place = file.item("meshes", node["mesh"], "nodes"), f"meshes[{node['mesh']}]"
    holders = [mesh, *file.children(mesh, "primitives", place)[:1]]  # Some exporters name them in the primitive.
    for holder in holders:
        names = file.sequence(file.child(holder, "extras", place), "targetNames", place)
        if names:
            return [str(name) for name in names]
    return []


def _shape_tracks(
    file: GltfFile, morphs: list[tuple[Json, dict[str, list[int]], int]], place: str
) -> list[tuple[Track, dict[str, list[int]]]]:
    tracks = []
    seen: set[str] = set()
    for sampler, found, width in sorted(morphs, key=lambda morph: -len(morph[1])):
        found = {name: places for name, places in found.items() if name not in seen}
        if found:
            tracks.append((_track(file, sampler, width, place), found))
            seen |= set(found)
    return tracks


def _joint_tracks(
    file: GltfFile, turned: dict[str, tuple[int, Json]], place: str
) -> dict[str, tuple[Track, np.ndarray, np.ndarray]]:
    world, parents = file.world_matrices(), file.parents()
    joints = {}
    for part, (node, sampler) in turned.items():
        track = replace(_track(file, sampler, 4, place), turns=True)
        if track.tangents is None:
            track = replace(track, values=turns.continuous(track.values))
        to_scene = turns.nearest_rotation(world[parents[node]]) if parents[node] >= 0 else np.eye(3)
        joints[part] = (track, to_scene, to_scene.T @ turns.nearest_rotation(world[node]))
    return joints


def _track(file: GltfFile, sampler: Json, width: int, place: str) -> Track:
    times = file.accessor(sampler.get("input"), place).astype(float)
    values = file.accessor(sampler.get("output"), place).astype(np.float32, copy=False)
    interpolation = sampler.get("interpolation", "LINEAR")
    if interpolation not in _INTERPOLATIONS:
        file.fail(place, f"unknown interpolation {interpolation!r:.40}")
    if times.shape[1] != 1 or times[0, 0] < 0 or not (np.diff(times[:, 0]) > 0).all():
        file.fail(place, "its key times do not increase from 0")
    per_key = 3 if interpolation == "CUBICSPLINE" else 1
    if values.size != len(times) * per_key * width:
        file.fail(place, f"{values.size} values for {len(times)} keys of {width} numbers ({interpolation})")
    if np.abs(values).max() > _PLAUSIBLE:
        file.fail(place, f"a key of {np.abs(values).max():g} is neither a weight nor a rotation")
    keys = values.reshape(len(times), per_key, width)
    tangents = keys[:, ::2] if per_key == 3 else None
    return Track(times[:, 0], keys[:, per_key // 2], tangents, interpolation == "STEP")


def _scene_extras(file: GltfFile) -> Json:
    scenes = file.objects("scenes")
    if not scenes:
        return {}
    return file.child(
        scenes[file.integer(file.document, "scene", "the file", 0, len(scenes) - 1, 0)], "extras", "scene"
    )
