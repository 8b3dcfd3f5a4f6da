# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, sounds and scene settings: everything that writes into the .blend file. Blender 3.4 to 5."""

import math
import tempfile
import wave
from pathlib import Path

import bpy
import numpy as np

LINEAR = 1  # bpy's number for the interpolation mode; foreach_set takes no names.
KEY_ATTRIBUTES = {  # What an existing key consists of: numbers per key, type.
    "co": (2, np.float32),
    "handle_left": (2, np.float32),
    "handle_right": (2, np.float32),
    "interpolation": (1, np.int32),
    "handle_left_type": (1, np.int32),
    "handle_right_type": (1, np.int32),
}


def fcurves_of(datablock: bpy.types.ID, action_name: str) -> "bpy.types.ActionFCurves":
    """The f-curves that animate a data-block; makes the action (and in Blender 4.4 and later its slot) when missing."""
    data = datablock.animation_data or datablock.animation_data_create()
    action = data.action = data.action or bpy.data.actions.new(action_name)
    if not hasattr(action, "slots"):
        return action.fcurves
    data.action_slot = data.action_slot or action.slots.new(id_type=datablock.id_type, name=datablock.name)
    layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
    strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(data.action_slot, ensure=True).fcurves


def set_keys(fcurves: "bpy.types.ActionFCurves", path: str, index: int, frames: np.ndarray, values: np.ndarray) -> None:
    """Linear keys at `frames`. They replace what lay between the first and the last of them; the rest stays."""
    curve = fcurves.find(path, index=index) or fcurves.new(path, index=index)
    points = curve.keyframe_points
    new = np.stack([frames, values], axis=1).astype(np.float32)
    fresh = {"co": new, "handle_left": new, "handle_right": new, "interpolation": np.full((len(new), 1), LINEAR)}
    merged = {}
    for name, (width, dtype) in KEY_ATTRIBUTES.items():
        old = np.empty(len(points) * width, dtype)
        points.foreach_get(name, old)
        merged[name] = old.reshape(-1, width)
    outside = (merged["co"][:, 0] < new[0, 0]) | (merged["co"][:, 0] > new[-1, 0])
    for name, (width, dtype) in KEY_ATTRIBUTES.items():
        added = fresh.get(name, np.zeros((len(new), width)))
        merged[name] = np.concatenate([merged[name][outside], added.astype(dtype)])
    order = np.argsort(merged["co"][:, 0], kind="stable")
    points.add(max(0, len(order) - len(points)))
    while len(points) > len(order):
        points.remove(points[-1], fast=True)
    for name, rows in merged.items():
        points.foreach_set(name, rows[order].ravel())
    curve.update()


def key_shapes(shape_keys: bpy.types.Key, curves: dict, frames: np.ndarray, action_name: str) -> None:
    """`curves`: shape key -> values (T,). Sliders are widened where the values need it."""
    fcurves = fcurves_of(shape_keys, action_name)
    for name, values in curves.items():
        key = shape_keys.key_blocks[name]
        key.slider_max = max(key.slider_max, min(float(values.max()), 10.0))
        set_keys(fcurves, f'key_blocks["{bpy.utils.escape_identifier(name)}"].value', 0, frames, values)


def key_rotation(target: bpy.types.Object, bone: str, turns: np.ndarray, frames: np.ndarray, action_name: str) -> None:
    """Turn a bone, or an object when `bone` is empty, on top of how it rests. `turns`: (T, 4) in Blender's axes."""
    fcurves = fcurves_of(target, action_name)
    if bone:
        pose_bone = target.pose.bones[bone]
        pose_bone.rotation_mode = "QUATERNION"
        # The rotation, given in the armature's axes, is wanted in the bone's own: the columns of its rest matrix.
        rest = np.array(pose_bone.bone.matrix_local.to_3x3())
        turns = np.column_stack([turns[:, 0], turns[:, 1:] @ rest])
        path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].rotation_quaternion'
    else:
        target.rotation_mode = "QUATERNION"
        path = "delta_rotation_quaternion"
    for index, values in enumerate(turns.T):
        set_keys(fcurves, path, index, frames, values)


def set_time(scene: bpy.types.Scene, fps: float, first: int, last: int) -> None:
    """Frame rate (a fractional one is a whole one over a base near 1) and frame range."""
    whole = max(1, math.ceil(fps - 1e-6))
    scene.render.fps, scene.render.fps_base = whole, whole / fps
    scene.frame_start, scene.frame_end = max(0, first), max(0, first, last)
    scene.sync_mode = "AUDIO_SYNC"


def scene_fps(scene: bpy.types.Scene) -> float:
    return scene.render.fps / scene.render.fps_base


def add_sound(scene: bpy.types.Scene, sound: "tuple[np.ndarray, int] | Path", name: str, frame: int) -> None:
    """A strip in the sequencer. Sound out of a take is packed into the .blend file; a sound file is linked."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    for strip in list(strips):
        if strip.type == "SOUND" and strip.name == name and strip.frame_start == frame:
            strips.remove(strip)  # The same take again.
    channel = max((strip.channel for strip in strips), default=0) + 1
    if isinstance(sound, Path):
        strips.new_sound(name=name, filepath=str(sound), channel=channel, frame_start=frame)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        write_wav(file, *sound)
        strip = strips.new_sound(name=name, filepath=str(file), channel=channel, frame_start=frame)
        strip.sound.pack()
        strip.sound.filepath = f"//{name}.wav"
        strip.sound.name = name


def write_wav(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
