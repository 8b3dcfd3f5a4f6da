# SPDX-License-Identifier: GPL-3.0-or-later
"""Talker Face: face takes onto shape keys. An extension for Blender 4.2 and later, an add-on for 3.4 to 4.1."""

bl_info = {  # Read by Blender before 4.2; later ones read blender_manifest.toml.
    "name": "Talker Face",
    "description": "Import face animation (talker, Live Link Face, Audio2Face) onto shape keys",
    "author": "talker developers",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "File > Import, and the sidebar of the 3D view",
    "category": "Import-Export",
}

import bpy  # noqa: E402  (bl_info must come first)

from . import importing, panel  # noqa: E402

CLASSES = [importing.TalkerFaceSettings, importing.TALKER_FACE_OT_import, *panel.CLASSES]


def register() -> None:
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Scene.talker_face = bpy.props.PointerProperty(type=importing.TalkerFaceSettings)
    bpy.types.TOPBAR_MT_file_import.append(panel.menu_entry)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(panel.menu_entry)
    del bpy.types.Scene.talker_face
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
