"""Reading a performance out of a glTF file, talker's own or anybody's.

The first animation that moves morph targets with ARKit names (in any spelling `talker.rigs.shape_names` knows) is
read, with the turns of joints named like a head and eyes. Keys at equal distances are taken as the frames; any other
keys are sampled at the first usual frame rate that hits them all, or at 60 frames per second.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from talker.animation import MAX_FPS, MAX_FRAMES, MIN_FPS, FaceAnimation
from talker.audio import Audio, read_audio
from talker.errors import TalkerError
from talker.rigs import arkit, turns
from talker.rigs.gltf_file import GltfFile, Json
from talker.rigs.shape_names import find_shapes, part_of_name

_FALLBACK_FPS = 60.0
_USUAL_FPS = (24, 25, 30, 48, 50, 60, 90, 100, 120, 24000 / 1001, 30000 / 1001, 60000 / 1001)
_SLOWEST_FPS = 10.0  # Keys further apart than this are poses that somebody set by hand, not frames.
_MAX_SAMPLED_FRAMES = MAX_FRAMES // 4  # Two distant keys must not become gigabytes of frames.
_BLOCK_FRAMES = 1 << 14
_ON_FRAME = 0.02  # Frames: how far from a whole frame a key of that frame may lie, besides float32's rounding.
_SAME_FPS = 2e-6  # Relative: how well float32 key times tell a rate.
_INTERPOLATIONS = ("LINEAR", "STEP", "CUBICSPLINE")
_CHANNELS = {"head": arkit.HEAD, "left_eye": arkit.LEFT_EYE, "right_eye": arkit.RIGHT_EYE}


@dataclass(frozen=True)
class Track:
    """The keys of one animation channel.

    Attributes:
        times: (N,) seconds, increasing.
        values: (N, C) float32.
        tangents: (N, 2, C) slopes per second before and after each key, for cubic splines.
        step: Hold each value until the next key.
        turns: The values are quaternions.
    """

    times: np.ndarray
    values: np.ndarray
    tangents: np.ndarray | None = None
    step: bool = False
    turns: bool = False

    def sample(self, times: np.ndarray) -> np.ndarray:
        """Values at other times, held at both ends. (S,) -> (S, C)."""
        low = np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, len(self.times) - 1)
        if self.step:
            return self.values[low]
        high = np.minimum(low + 1, len(self.times) - 1)
        span = self.times[high] - self.times[low]
        past = np.clip(times - self.times[low], 0, span)
        share = np.divide(past, span, out=np.zeros_like(past), where=span > 0).astype(np.float32)[:, None]
        start, end = self.values[low], self.values[high]
        if self.tangents is not None:
            seconds = span.astype(np.float32)[:, None]
            out, into = seconds * self.tangents[low, 1], seconds * self.tangents[high, 0]
            square, cube = share**2, share**3
            return (
                start * (2 * cube - 3 * square + 1)
                + out * (cube - 2 * square + share)
                + end * (3 * square - 2 * cube)
                + into * (cube - square)
            )
        if self.turns:
            return _slerp(start, end, share)
        return start * (1 - share) + end * share


@dataclass(frozen=True)
class Performance:
    """The channels of one animation that talker understands.

    Attributes:
        shapes: Pairs of a track and, for each ARKit shape taken from it, its columns there.
        joints: For "head", "left_eye", "right_eye": a track of quaternions, the rotation from its parent's space to
            the scene's, and its own rotation at rest.
    """

    shapes: list[tuple[Track, dict[str, list[int]]]]
    joints: dict[str, tuple[Track, np.ndarray, np.ndarray]]

    def key_times(self) -> np.ndarray:
        """(N,) all key times in order, each once."""
        tracks = [track for track, _ in self.shapes] + [track for track, _, _ in self.joints.values()]
        return np.unique(np.concatenate([track.times for track in tracks]))

    def on_frames(self, fps: float) -> "Performance":
        """The same with every key moved to the nearest whole frame."""

        def move(track: Track) -> Track:
            return replace(track, times=np.rint(track.times * fps) / fps)

        shapes = [(move(track), columns) for track, columns in self.shapes]
        joints = {part: (move(track), to_scene, rest) for part, (track, to_scene, rest) in self.joints.items()}
        return Performance(shapes, joints)

    def curves(self, times: np.ndarray) -> np.ndarray:
        """The face at some times. (S,) -> (S, 61)."""
        curves = np.zeros((len(times), arkit.CHANNEL_COUNT), np.float32)
        for track, columns in self.shapes:
            values = track.sample(times)
            for name, places in columns.items():
                curves[:, arkit.INDEX[name]] = np.clip(values[:, places].mean(axis=1), 0.0, 1.0)
        for part, (track, to_scene, rest) in self.joints.items():
            local = turns.matrices(track.sample(times)) @ rest.T
            curves[:, _CHANNELS[part]] = turns.angles(to_scene @ local @ to_scene.T)
        return curves if {"left_eye", "right_eye"} & set(self.joints) else arkit.eye_angles_from_looks(curves)


def read_animation(path: Path) -> FaceAnimation:
    """The performance in a `.glb` or `.gltf` file."""
    file = GltfFile(path)
    performance = _performance(file)
    extras = _scene_extras(file)
    fps, count, on_frames = _clock(file, performance.key_times(), extras.get("fps"))
    if on_frames:
        performance = performance.on_frames(fps)
    curves = np.empty((count, arkit.CHANNEL_COUNT), np.float32)
    for first in range(0, count, _BLOCK_FRAMES):
        block = curves[first : first + _BLOCK_FRAMES]
        block[:] = performance.curves(np.arange(first, first + len(block)) / fps)
    meta = extras.get("meta", {})
    try:
        return FaceAnimation(curves, fps, _sound(file, extras), meta if isinstance(meta, dict) else {})
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
                if part in _CHANNELS:
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
            flips = np.einsum("tc,tc->t", track.values[1:], track.values[:-1]) < 0
            track = replace(track, values=track.values * np.cumprod(np.r_[1, 1 - 2 * flips])[:, None].astype("f4"))
        to_scene = _rotation_of(world[parents[node]]) if parents[node] >= 0 else np.eye(3)
        joints[part] = (track, to_scene, to_scene.T @ _rotation_of(world[node]))
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
    keys = values.reshape(len(times), per_key, width)
    tangents = keys[:, ::2] if per_key == 3 else None
    return Track(times[:, 0], keys[:, per_key // 2], tangents, interpolation == "STEP")


def _clock(file: GltfFile, times: np.ndarray, claimed: Any) -> tuple[float, int, bool]:
    """Frames per second, their number, and whether every key is a frame's."""
    rates: list[float] = []
    if isinstance(claimed, int | float) and not isinstance(claimed, bool) and MIN_FPS <= claimed <= MAX_FPS:
        rates.append(float(claimed))
    fallback = _FALLBACK_FPS
    if len(times) > 1:
        mean = (len(times) - 1) / (times[-1] - times[0])
        if _SLOWEST_FPS <= mean <= MAX_FPS:
            nearest = min((round(mean), *_USUAL_FPS), key=lambda rate: abs(rate - mean))
            fallback = float(nearest) if abs(nearest - mean) <= _SAME_FPS * mean else float(mean)
            rates.append(fallback)
    if len(times) > 1 or times[0] > 0:
        rates += _USUAL_FPS
    fps = next((rate for rate in rates if _all_on_frames(times, rate)), None)
    on_frames = fps is not None
    fps = fps or fallback
    count = int(np.rint(times[-1] * fps) if on_frames else np.floor(times[-1] * fps)) + 1
    if count > (MAX_FRAMES if len(times) > count / 2 else _MAX_SAMPLED_FRAMES):
        file.fail(
            "the animation", f"{len(times)} keys spread over {times[-1]:.0f} seconds", "cut it into shorter takes"
        )
    return fps, count, on_frames


def _all_on_frames(times: np.ndarray, fps: float) -> bool:
    position = times * fps
    rounding = position * np.finfo(np.float32).eps
    return bool((np.abs(position - np.rint(position)) <= _ON_FRAME + rounding).all())


def _slerp(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Quaternions a share of the way from one to the other at constant speed. (S, 4), (S, 4), (S, 1) -> (S, 4)."""
    angle = np.arccos(np.clip((start * end).sum(axis=1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    far = sine > 1e-4
    sine = np.where(far, sine, 1)
    first = np.where(far, np.sin((1 - share) * angle) / sine, 1 - share)
    return start * first + end * np.where(far, np.sin(share * angle) / sine, share)


def _rotation_of(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to the upper left 3 x 3 of a transform."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


def _scene_extras(file: GltfFile) -> Json:
    scenes = file.objects("scenes")
    if not scenes:
        return {}
    return file.child(
        scenes[file.integer(file.document, "scene", "the file", 0, len(scenes) - 1, 0)], "extras", "scene"
    )


def _sound(file: GltfFile, extras: Json) -> Audio | None:
    """The sound named in the file, when it lies beside it."""
    name = extras.get("audio")
    if not isinstance(name, str) or Path(name).name != name or not name.isprintable():
        return None
    path = file.path.parent / name
    return read_audio(path) if path.is_file() else None
