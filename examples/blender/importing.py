# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: N801, RUF012  (Blender prescribes class names such as TALKER_FACE_OT_import and plain sets)
"""File > Import > Talker Face Animation: a take onto the shape keys of the selected objects."""

from pathlib import Path

import bpy
import numpy as np
from bpy_extras.io_utils import ImportHelper

from . import keying, shape_names, take_files, turning

LISTED = 6  # Names of missing shapes that a message spells out.


class TakeOptions:
    """How a take is put on: shared by the panel, which remembers, and the operator, which does it."""

    scale: bpy.props.FloatProperty(
        name="Strength", description="Factor on all shapes", default=1.0, min=0.0, soft_max=2.0
    )
    start_frame: bpy.props.IntProperty(name="Start Frame", description="Frame of the take's first face", default=0)
    mirror: bpy.props.BoolProperty(name="Mirror", description="Exchange left and right", default=False)
    regions: bpy.props.EnumProperty(
        name="Regions",
        description="Parts of the face to key; other keys stay as they are",
        items=[(name, name.title(), "") for name in shape_names.REGIONS],
        options={"ENUM_FLAG"},
        default=set(shape_names.REGIONS),
    )
    turn_joints: bpy.props.BoolProperty(
        name="Head and Eyes", description="Turn bones or objects by the head and eye angles", default=True
    )
    add_sound: bpy.props.BoolProperty(name="Sound", description="Put the take's sound into the sequencer", default=True)
    set_scene: bpy.props.BoolProperty(
        name="Set Scene Time",
        description="Take over the take's frame rate and range; otherwise the take is fitted to the scene's rate",
        default=True,
    )
    table_fps: bpy.props.FloatProperty(
        name="Table Rate", description="Frames per second of tables that hold no times", default=30.0, min=1.0
    )

    def draw_options(self, layout: bpy.types.UILayout) -> None:
        layout.use_property_split = True
        for name in ("scale", "start_frame", "mirror", "turn_joints", "add_sound", "set_scene", "table_fps"):
            layout.prop(self, name)
        column = layout.column(heading="Regions")
        column.prop(self, "regions")


class TalkerFaceSettings(TakeOptions, bpy.types.PropertyGroup):
    """The panel's memory, saved with the scene."""

    head: bpy.props.PointerProperty(type=bpy.types.Object, name="Head", description="Armature, empty or object")
    head_bone: bpy.props.StringProperty(name="Bone")
    left_eye: bpy.props.PointerProperty(type=bpy.types.Object, name="Left Eye", description="Armature or eye object")
    left_eye_bone: bpy.props.StringProperty(name="Bone")
    right_eye: bpy.props.PointerProperty(type=bpy.types.Object, name="Right Eye", description="Armature or eye object")
    right_eye_bone: bpy.props.StringProperty(name="Bone")


class TALKER_FACE_OT_import(TakeOptions, bpy.types.Operator, ImportHelper):
    bl_description = "Key the shape keys of the selected objects from a face take"
    bl_idname = "talker_face.import_take"
    bl_label = "Import Face Take"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".npz"
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{extension}" for extension in take_files.EXTENSIONS), options={"HIDDEN"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set:
        settings = context.scene.talker_face
        for name in TakeOptions.__annotations__:
            setattr(self, name, getattr(settings, name))
        if self.filepath and hasattr(self, "invoke_popup"):  # Dropped onto the window.
            return self.invoke_popup(context)
        return ImportHelper.invoke(self, context, event)

    def draw(self, context: bpy.types.Context) -> None:
        self.draw_options(self.layout)

    def execute(self, context: bpy.types.Context) -> set:
        path = Path(self.filepath)
        try:
            heads = selected_heads(context)
            take = take_files.read_take(path, self.table_fps)
            level, message = put_on(take, path.stem, heads, self, context.scene)
        except take_files.TakeError as error:
            self.report({"ERROR"}, f"{path.name}: {error}" if path.name else str(error))
            return {"CANCELLED"}
        self.report({level}, f"{path.name}: {message}")
        return {"FINISHED"}


def selected_heads(context: bpy.types.Context) -> list:
    """The objects with shape keys among the selected ones, or the active one."""
    objects = list(context.selected_objects) or [context.object]
    heads = [thing for thing in objects if thing and getattr(thing.data, "shape_keys", None)]
    if not heads:
        raise take_files.TakeError("select the object (or objects) whose shape keys the take should move")
    locked = next((thing.name for thing in heads if thing.data.shape_keys.library), None)
    if locked:
        raise take_files.TakeError(f"the shape keys of {locked} are linked from another file; make them local")
    return heads


def put_on(
    take: take_files.Take, name: str, heads: list, options: TakeOptions, scene: bpy.types.Scene
) -> "tuple[str, str]":
    """Key everything; returns the kind of message (INFO, WARNING) and what to say."""
    curves = shape_names.mirrored(take.curves) if options.mirror else take.curves
    shapes = [curve for curve in curves if not shape_names.is_angle(curve)]
    wanted = {curve: curves[curve] for curve in shapes if shape_names.region(curve) in options.regions}
    matches = [shape_names.match(head.data.shape_keys.key_blocks.keys()[1:], wanted) for head in heads]
    used = {curve for match in matches for curve in match.values()}
    if not used:
        known = ", ".join(heads[0].data.shape_keys.key_blocks.keys()[1 : 1 + LISTED])
        raise take_files.TakeError(f"no shape key of {heads[0].name} is named like a curve of the take; it has {known}")

    last = options.start_frame + int(take.frames[-1])
    if options.set_scene:
        keying.set_time(scene, take.fps, options.start_frame, last)
    frames = options.start_frame + take.frames * (keying.scene_fps(scene) / take.fps)
    for shape_keys, match in {head.data.shape_keys: match for head, match in zip(heads, matches, strict=True)}.items():
        keyed = {key: wanted[curve] * options.scale for key, curve in match.items()}
        if keyed:
            keying.key_shapes(shape_keys, keyed, frames, name)
    said = [f"{len(used)} of {len(wanted)} shapes on {sum(map(bool, matches))} object(s), {take.fps:.5g} fps"]
    if options.turn_joints:
        said += turn_joints(curves, name, heads, frames, scene.talker_face)
    if options.add_sound and take.sound is not None:
        keying.add_sound(scene, take.sound, name, options.start_frame)
        said.append("sound added")
    missing = [curve for curve in wanted if curve not in used and np.any(wanted[curve])]
    if missing:
        listed = ", ".join(missing[:LISTED]) + (f" and {len(missing) - LISTED} more" if len(missing) > LISTED else "")
        said.append(f"no shape key for {listed}")
    return "WARNING" if missing else "INFO", "; ".join(said)


def turn_joints(curves: dict, name: str, heads: list, frames: np.ndarray, settings: TalkerFaceSettings) -> list:
    """Turn what the panel names for head and eyes, else bones found by name; returns what was done."""
    done = []
    for joint, label in turning.JOINTS.items():
        angles = turning.joint_angles(curves, joint)
        target, bone = getattr(settings, joint), getattr(settings, f"{joint}_bone")
        if target is None:
            target, bone = found_bone(heads, joint)
        if angles is None or target is None:
            continue
        if target.type == "ARMATURE" and bone not in target.pose.bones:
            raise take_files.TakeError(f"{target.name} has no bone '{bone}' for the {label.lower()}")
        keying.key_rotation(
            target, bone if target.type == "ARMATURE" else "", turning.quaternions(angles), frames, name
        )
        done.append(f"{label.lower()} turns {bone or target.name}")
    return done


def found_bone(heads: list, joint: str) -> "tuple[bpy.types.Object | None, str]":
    """Armature and bone that turn a joint of these objects, by the names of usual rigs."""
    for head in heads:
        for armature in (head.find_armature(), head.parent):
            if armature is not None and armature.type == "ARMATURE":
                bone = turning.find_bone(armature.data.bones.keys(), joint)
                if bone:
                    return armature, bone
    return None, ""
