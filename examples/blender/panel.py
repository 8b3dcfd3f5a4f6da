# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: N801, RUF012  (Blender prescribes class names such as TALKER_FACE_OT_import and plain sets)
"""The sidebar panel, the menu entry, and dropping files onto the 3D view."""

import bpy

from . import take_files, turning
from .importing import TALKER_FACE_OT_import, found_bone


class TALKER_FACE_OT_find_bones(bpy.types.Operator):
    bl_description = "Fill in the bones that turn head and eyes, by the names of usual rigs"
    bl_idname = "talker_face.find_bones"
    bl_label = "Find Bones"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set:
        settings, found = context.scene.talker_face, []
        for joint in turning.JOINTS:
            armature, bone = found_bone(list(context.selected_objects), joint)
            if armature is not None:
                setattr(settings, joint, armature)
                setattr(settings, f"{joint}_bone", bone)
                found.append(bone)
        if not found:
            self.report({"WARNING"}, "no bone with a usual name for head or eyes; choose them in the panel")
            return {"CANCELLED"}
        self.report({"INFO"}, f"found {', '.join(found)}")
        return {"FINISHED"}


class TALKER_FACE_PT_panel(bpy.types.Panel):
    bl_label = "Talker Face"
    bl_idname = "TALKER_FACE_PT_panel"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Talker"

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.talker_face
        self.layout.operator(TALKER_FACE_OT_import.bl_idname, icon="IMPORT")
        settings.draw_options(self.layout)


class TALKER_FACE_PT_joints(bpy.types.Panel):
    bl_label = "Head and Eyes"
    bl_parent_id = "TALKER_FACE_PT_panel"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Talker"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings, layout = context.scene.talker_face, self.layout
        layout.use_property_split = True
        layout.label(text="Empty: bones found by name", icon="INFO")
        layout.operator(TALKER_FACE_OT_find_bones.bl_idname, icon="BONE_DATA")
        for joint in turning.JOINTS:
            layout.prop(settings, joint)
            target = getattr(settings, joint)
            if target is not None and target.type == "ARMATURE":
                layout.prop_search(settings, f"{joint}_bone", target.data, "bones")


CLASSES = [TALKER_FACE_OT_find_bones, TALKER_FACE_PT_panel, TALKER_FACE_PT_joints]

if hasattr(bpy.types, "FileHandler"):  # Blender 4.1 and later.

    class TALKER_FACE_FH_take(bpy.types.FileHandler):
        bl_idname = "TALKER_FACE_FH_take"
        bl_label = "Face take"
        bl_import_operator = TALKER_FACE_OT_import.bl_idname
        # Blender opens .glb files itself, with their meshes; only File > Import takes the curves out of one.
        bl_file_extensions = ";".join(extension for extension in take_files.EXTENSIONS if extension != ".glb")

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            return context.area is not None and context.area.type == "VIEW_3D"

    CLASSES.append(TALKER_FACE_FH_take)


def menu_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    extensions = "/".join(take_files.EXTENSIONS)
    self.layout.operator(TALKER_FACE_OT_import.bl_idname, text=f"Talker Face Animation ({extensions})")
