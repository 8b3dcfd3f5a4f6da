"""Inside Blender: open or import a file and save the world-space vertices of its meshes at some frames as npz.

Arguments: FILE OUT.npz FPS FRAME,FRAME,...   Frames are those of the take.
"""

import os
import sys

import bpy
import numpy as np


def place_of(frame, extension, fps, scene):
    """Where a frame of the take lies on Blender's time line."""
    if extension == ".fbx":  # Its importer starts at frame 1 and forgets the base of a fractional rate.
        return 1 + frame / fps * scene.render.fps
    if extension == ".glb":  # This one forgets the base, too, and later ones multiply by it.
        return frame / fps * scene.render.fps * (scene.render.fps_base if bpy.app.version >= (4, 0) else 1)
    return frame


def load(path):
    o = bpy.ops
    # Debian's Blender 3.4 cannot import normals: its glTF add-on uses np.bool, which Debian's numpy no longer has.
    shading = "NORMALS" if bpy.app.version >= (4, 0) else "SMOOTH"
    calls = {
        ".blend": lambda: o.wm.open_mainfile(filepath=path),
        ".fbx": lambda: o.import_scene.fbx(filepath=path),
        ".abc": lambda: o.wm.alembic_import(filepath=path, as_background_job=False),
        ".glb": lambda: o.import_scene.gltf(filepath=path, import_shading=shading),
        ".usd": lambda: o.wm.usd_import(filepath=path),
    }
    calls[os.path.splitext(path)[1]]()


def world_vertices(graph):
    """Name -> (V, 3) of every visible mesh."""
    found = {}
    for thing in bpy.context.scene.objects:
        if thing.type != "MESH" or thing.hide_render or thing.name.startswith("Icosphere"):  # glTF's bone gizmo.
            continue
        mesh = thing.evaluated_get(graph).to_mesh()
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        matrix = np.array(thing.evaluated_get(graph).matrix_world)
        found[thing.name] = points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return found


def shape_keys():
    return [key.name for thing in bpy.data.meshes if thing.shape_keys for key in thing.shape_keys.key_blocks]


def main(path, output, fps, frames):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    whole = int(np.ceil(float(fps)))
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = whole, whole / float(fps)
    load(path)
    scene = bpy.context.scene
    frames = [int(frame) for frame in frames.split(",")]
    poses = {}
    for frame in frames:
        place = place_of(frame, os.path.splitext(path)[1], float(fps), scene)
        scene.frame_set(int(place), subframe=place % 1)
        for name, points in world_vertices(bpy.context.evaluated_depsgraph_get()).items():
            poses.setdefault(name, []).append(points)
    sounds = [len(sound.packed_file.data) if sound.packed_file else 0 for sound in bpy.data.sounds]
    np.savez(
        output,
        **{f"mesh {name}": np.stack(points) for name, points in poses.items()},
        fps=scene.render.fps / scene.render.fps_base,
        frame_range=[scene.frame_start, scene.frame_end],
        shape_keys=shape_keys(),
        sounds=np.array(sounds, int),
        actions=[action.name for action in bpy.data.actions],
        version=bpy.app.version_string,
    )


if __name__ == "__main__":
    main(*sys.argv[sys.argv.index("--") + 1 :])
