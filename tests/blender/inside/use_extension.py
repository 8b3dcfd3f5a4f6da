"""Inside Blender: install the extension from its zip, put a take onto objects as a user would, save what happened.

Arguments: ZIP, .blend file with a head, JOB.json (a list of calls; see `test_blender_extension.py`), OUT.npz
"""

import json
import sys
import types

import bpy
import numpy as np


def install(archive):
    if bpy.app.version >= (4, 2):
        bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
        return "bl_ext.user_default.talker_face"
    bpy.ops.preferences.addon_install(filepath=archive)
    bpy.ops.preferences.addon_enable(module="talker_face")
    return "talker_face"


def prepare():
    """The head without its animation, and a separate mesh with keys spelt otherwise, both selected."""
    head = bpy.data.objects["Head"]
    head.data.shape_keys.animation_data_clear()
    bpy.data.objects["Armature"].animation_data_clear()
    mesh = bpy.data.meshes.new("Teeth")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    teeth = bpy.data.objects.new("Teeth", mesh)
    bpy.context.scene.collection.objects.link(teeth)
    for name in ("Basis", "Teeth_JawOpen", "mouthSmile_L"):
        teeth.shape_key_add(name=name)
    for thing in (head, teeth):
        for block in thing.data.shape_keys.key_blocks[1:]:
            block.value = 0
    eye = bpy.data.objects.new("Eye", None)
    bpy.context.scene.collection.objects.link(eye)
    for thing in bpy.context.scene.objects:
        thing.select_set(thing in (head, teeth))
    bpy.context.view_layer.objects.active = head
    return head, teeth


def call(arguments):
    """Run the operator; returns "FINISHED", or the message of the error it reported."""
    arguments = dict(arguments)
    if "regions" in arguments:
        arguments["regions"] = set(arguments["regions"])
    for name, value in arguments.pop("settings", {}).items():
        setattr(bpy.context.scene.talker_face, name, bpy.data.objects[value] if name in JOINTS else value)
    try:
        return bpy.ops.talker_face.import_take(**arguments).pop()
    except RuntimeError as error:
        return str(error).strip()


class Layout:
    """A layout that only checks that what the panel shows exists."""

    def prop(self, data, name, **_):
        assert hasattr(data, name), name

    def operator(self, name, **_):
        group, operator = name.split(".")
        assert operator in dir(getattr(bpy.ops, group)), name

    def prop_search(self, data, name, collection, collection_name, **_):
        assert hasattr(data, name) and hasattr(collection, collection_name), name

    def column(self, **_):
        return self

    def label(self, **_):
        pass


def draw_panels():
    """Draw the sidebar once; there is no window to see it in."""
    bpy.ops.talker_face.find_bones()
    for name in ("TALKER_FACE_PT_panel", "TALKER_FACE_PT_joints"):
        getattr(bpy.types, name).draw(types.SimpleNamespace(layout=Layout()), bpy.context)
    settings = bpy.context.scene.talker_face
    return [getattr(settings, f"{joint}_bone") for joint in JOINTS]


JOINTS = ("head", "left_eye", "right_eye")


def main(archive, scene_file, job, output):
    module = install(archive)
    bpy.ops.wm.open_mainfile(filepath=scene_file)
    head, teeth = prepare()
    scene = bpy.context.scene
    with open(job, encoding="utf-8") as file:
        job = json.load(file)
    results = [call(arguments) for arguments in job["calls"]]
    values, quaternions, eye = [], [], []
    for frame in job["frames"]:
        scene.frame_set(frame)
        blocks = [*head.data.shape_keys.key_blocks[1:], *teeth.data.shape_keys.key_blocks[1:]]
        values.append([block.value for block in blocks])
        bones = bpy.data.objects["Armature"].pose.bones
        quaternions.append([bones[name].rotation_quaternion[:] for name in JOINTS])
        eye.append(np.array(bpy.data.objects["Eye"].matrix_world))
    strips = ()
    if scene.sequence_editor:
        strips = getattr(scene.sequence_editor, "strips" if bpy.app.version >= (4, 4) else "sequences")
    np.savez(
        output,
        enabled=module in bpy.context.preferences.addons,
        results=results,
        names=[block.name for block in blocks],
        values=values,
        quaternions=quaternions,
        eye=eye,
        time=[scene.frame_start, scene.frame_end, scene.render.fps / scene.render.fps_base],
        strips=[f"{strip.name} {strip.frame_start:g} {bool(strip.sound.packed_file)}" for strip in strips],
        bones=draw_panels(),
        drop=getattr(getattr(bpy.types, "TALKER_FACE_FH_take", None), "bl_file_extensions", ""),
        version=bpy.app.version,
        menu=any("menu_entry" in str(entry) for entry in bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize()),
    )
    if module.startswith("bl_ext"):
        bpy.ops.preferences.addon_disable(module=module)
        assert not hasattr(bpy.types.Scene, "talker_face")


if __name__ == "__main__":
    main(*sys.argv[sys.argv.index("--") + 1 :])
