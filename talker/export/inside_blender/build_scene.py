"""Runs inside Blender: builds the animated head of a job folder and writes it as FBX, Alembic or .blend.

    blender --background --python build_scene.py -- JOB_FOLDER OUTPUT
    python build_scene.py JOB_FOLDER OUTPUT                              # a Python that has bpy

`talker.export.blender` writes the job folder (`scene.npz`, perhaps `sound.wav`) and reads what is printed
here. The file stands alone: nothing of talker can be imported inside Blender. Works in Blender 3.4 to 5. Licence:
Apache-2.0, which is compatible with the GPL-3.0 of Blender.
"""

import datetime
import math
import os
import sys
import traceback

SAYS = "[talker]"  # Begins every line meant for the calling process; all else is Blender's own chatter.

try:
    import bpy
    import numpy as np
    from mathutils import Vector
except ImportError as error:
    remedy = "use `pip install bpy`" if error.name == "bpy" else "install numpy for Blender's Python"
    print(f"{SAYS} error {sys.executable} has no module '{error.name}': {remedy}", flush=True)  # noqa: T201
    sys.exit(1)

Job = dict[str, np.ndarray]

LINEAR = 1  # bpy's number for the interpolation mode; foreach_set takes no names.
CENTIMETRES = 100.0

# Bone name, parent, direction from joint to tip in Blender's axes (z up, the face towards -y), length in metres.
BONES = (
    ("neck", None, (0, 0, 1), 0.05),
    ("head", "neck", (0, 0, 1), 0.12),
    ("left_eye", "head", (0, -1, 0), 0.03),
    ("right_eye", "head", (0, -1, 0), 0.03),
)


def say(text: str) -> None:
    """One line to the calling process."""
    print(f"{SAYS} {text}", flush=True)  # noqa: T201


def to_blender(vectors: np.ndarray) -> np.ndarray:
    """Talker's axes (y up, face towards +z) to Blender's (z up, face towards -y). (..., 3) -> (..., 3)."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float32), -1, 0)
    return np.stack([x, -z, y], -1)


def main(folder: str, output: str) -> None:
    """Build, then write in the format that the extension of `output` names."""
    extension = os.path.splitext(output)[1]
    if extension == ".abc" and not bpy.app.build_options.alembic:
        raise RuntimeError(f"Blender {bpy.app.version_string} was built without Alembic; use one from blender.org")
    with np.load(os.path.join(folder, "scene.npz"), allow_pickle=False) as arrays:
        job = {name: arrays[name] for name in arrays.files}
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    set_time(scene, float(job["fps"]), len(job["weights"]))
    scale = 1.0
    if extension == ".fbx":  # Game engines expect centimetres; scaled nodes instead would end up on every bone.
        scale, scene.unit_settings.scale_length = CENTIMETRES, 1 / CENTIMETRES
    armature = add_armature(job, scale)
    head = add_head(job, scale, armature, folder)
    key_bones(armature, job)
    key_shapes(head, job)
    sound = os.path.join(folder, "sound.wav")
    if extension == ".blend":
        add_view(scene, job)
        if os.path.exists(sound):
            add_sound(scene, sound)
    bpy.app.handlers.frame_change_post.append(report_frame)
    scene.frame_set(0)
    {".fbx": write_fbx, ".abc": write_alembic, ".blend": write_blend}[extension](output, scene, head)
    if not os.path.exists(output):
        raise RuntimeError(f"Blender {bpy.app.version_string} wrote no {extension} file")
    say("done")


def set_time(scene: bpy.types.Scene, fps: float, frame_count: int) -> None:
    """Frame 0 is the first; a fractional rate is a whole one over a base near 1."""
    whole = max(1, math.ceil(fps - 1e-6))
    scene.render.fps, scene.render.fps_base = whole, whole / fps
    scene.frame_start, scene.frame_end = 0, frame_count - 1
    scene.sync_mode = "AUDIO_SYNC"


def add_armature(job: Job, scale: float) -> bpy.types.Object:
    """The bones that turn head and eyeballs, each at the point it turns about."""
    joints = dict(zip(job["joints"].tolist(), to_blender(job["joint_places"]), strict=True))
    armature = bpy.data.objects.new("Armature", bpy.data.armatures.new("Armature"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, parent, direction, length in BONES:
        bone = armature.data.edit_bones.new(name)
        bone.head = joints[name] * scale
        bone.tail = (joints[name] + np.multiply(direction, length)) * scale
        bone.parent = armature.data.edit_bones[parent] if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def add_head(job: Job, scale: float, armature: bpy.types.Object, folder: str) -> bpy.types.Object:
    """The mesh with one shape key per blend shape, bound to the armature."""
    mesh = bpy.data.meshes.new("Head")
    neutral = to_blender(job["neutral"]) * scale
    mesh.from_pydata(neutral.tolist(), [], job["faces"].tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    add_materials(mesh, job, folder)
    head = bpy.data.objects.new("Head", mesh)
    bpy.context.scene.collection.objects.link(head)
    head.shape_key_add(name="Basis", from_mix=False)
    for name, delta in zip(job["shapes"], job["deltas"], strict=True):
        key = head.shape_key_add(name=str(name), from_mix=False)
        key.data.foreach_set("co", (neutral + to_blender(delta) * scale).ravel())
    bind(head, job)
    head.parent = armature
    head.modifiers.new("Armature", "ARMATURE").object = armature
    mesh.update()
    return head


def bind(head: bpy.types.Object, job: Job) -> None:
    """One vertex group per bone."""
    for bone in job["joints"].tolist():
        group = head.vertex_groups.new(name=bone)
        weights = bone_weights(job, bone)
        for weight in np.unique(weights[weights > 0]):  # One call per distinct weight: nearly all are exactly 1.
            group.add(np.flatnonzero(weights == weight).tolist(), float(weight), "REPLACE")


def bone_weights(job: Job, bone: str) -> np.ndarray:
    """(V,) how far each vertex follows a bone, 0..1."""
    joint = job["joints"].tolist().index(bone)
    return np.where(job["skin_joints"] == joint, job["skin_weights"], 0).sum(axis=1)


def add_materials(mesh: bpy.types.Mesh, job: Job, folder: str) -> None:
    """One material per kind of surface, coloured by a picture where there is one."""
    mesh.polygons.foreach_set("material_index", job["material_of_face"].astype(np.int32))
    places = job["picture_places"] * (1, -1) + (0, 1)  # Blender counts upwards.
    mesh.uv_layers.new(name="Picture").data.foreach_set("uv", places.astype(np.float32).ravel())
    for name, colour, roughness in zip(job["materials"], job["colours"], job["roughness"], strict=True):
        material = bpy.data.materials.new(str(name))
        if material.node_tree is None:  # Since Blender 5 there always is one.
            material.use_nodes = True
        material.diffuse_color = (*colour, 1.0)
        material.roughness = roughness
        nodes = material.node_tree.nodes
        surface = nodes["Principled BSDF"]
        surface.inputs["Base Color"].default_value = (*colour, 1.0)
        surface.inputs["Roughness"].default_value = roughness
        if f"picture_{name}" in job:
            texture = nodes.new("ShaderNodeTexImage")
            texture.image = add_picture(job[f"picture_{name}"], os.path.join(folder, f"{name}.png"))
            material.node_tree.links.new(texture.outputs["Color"], surface.inputs["Base Color"])
            if job[f"picture_{name}"].shape[2] == 4:
                material.node_tree.links.new(texture.outputs["Alpha"], surface.inputs["Alpha"])
                material.blend_method = "HASHED"  # For Blender before 4.2; later ones see for themselves.
            nodes.active = texture  # What the viewport's texture mode shows.
        mesh.materials.append(material)


def add_picture(pixels: np.ndarray, path: str) -> bpy.types.Image:
    """An image of (H, W, 3 or 4) uint8, saved as PNG: exporters embed files."""
    height, width, channels = pixels.shape
    image = bpy.data.images.new(os.path.basename(path), width, height, alpha=channels == 4)
    rgba = np.full((height, width, 4), 255, np.float32)
    rgba[..., :channels] = pixels[::-1]  # Blender counts rows upwards.
    image.pixels.foreach_set((rgba / 255).ravel())
    image.filepath_raw, image.file_format = path, "PNG"
    image.save()
    return image


def new_fcurves(datablock: bpy.types.ID, name: str, kind: str) -> "bpy.types.ActionFCurves":
    """The f-curves of a new action: layered with a slot in Blender 4.4 and later, flat before."""
    action = bpy.data.actions.new(name)
    data = datablock.animation_data_create()
    data.action = action
    if hasattr(action, "slots"):
        slot = action.slots.new(id_type=kind, name=datablock.name)
        data.action_slot = slot
        strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
        return strip.channelbag(slot, ensure=True).fcurves
    return action.fcurves


def key_all(curve: bpy.types.FCurve, values: np.ndarray) -> None:
    """One linear key per frame, from frame 0."""
    points = np.stack([np.arange(len(values)), values], 1).astype(np.float32)
    curve.keyframe_points.add(len(values))
    curve.keyframe_points.foreach_set("co", points.ravel())
    curve.keyframe_points.foreach_set("interpolation", np.full(len(values), LINEAR, np.int32))
    curve.update()


def key_shapes(head: bpy.types.Object, job: Job) -> None:
    """Every blend-shape weight of every frame."""
    keys = head.data.shape_keys
    fcurves = new_fcurves(keys, "Face", "KEY")
    for name, values in zip(job["shapes"], job["weights"].T, strict=True):
        key_all(fcurves.new(data_path=f'key_blocks["{name}"].value', index=0), values)


def key_bones(armature: bpy.types.Object, job: Job) -> None:
    """The rotations of head and eyes; given in talker's axes, wanted in each bone's own."""
    fcurves = new_fcurves(armature, "Head and eyes", "OBJECT")
    for name, rotations in (
        ("head", job["head_turn"]),
        ("left_eye", job["eye_turn"][:, 0]),
        ("right_eye", job["eye_turn"][:, 1]),
    ):
        bone = armature.pose.bones[name]
        bone.rotation_mode = "QUATERNION"
        rest = np.array(bone.bone.matrix_local.to_3x3())  # Columns: the bone's axes.
        axis = to_blender(rotations[:, :3]) @ rest
        for index, values in enumerate((rotations[:, 3], *axis.T)):
            path = f'pose.bones["{name}"].rotation_quaternion'
            key_all(fcurves.new(data_path=path, index=index), values)


def add_view(scene: bpy.types.Scene, job: Job) -> None:
    """A camera on the face and three lights, so that the scene renders as it is opened."""
    head = to_blender(job["neutral"][bone_weights(job, "neck") < 0.1])
    low, high = head.min(0), head.max(0)
    centre, height = Vector((low + high) / 2), float(high[2] - low[2])
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.clip_start = 85.0, 0.01
    half_field = camera.data.sensor_width / 2 / camera.data.lens
    place(scene, camera, centre + Vector((0, -0.64 * height / half_field, 0)), centre)
    scene.camera = camera
    for name, direction, watts in (
        ("Key", (0.7, -1, 0.7), 9),
        ("Fill", (-1, -0.8, 0.1), 3),
        ("Rim", (-0.5, 1, 0.8), 6),
    ):
        light = bpy.data.objects.new(name, bpy.data.lights.new(name, "AREA"))
        light.data.energy, light.data.size = watts, height * 2
        place(scene, light, centre + Vector(direction).normalized() * height * 4, centre)
    world = scene.world = bpy.data.worlds.new("World")
    if world.node_tree is None:
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.08, 0.08, 0.085, 1)
    scene.render.resolution_x = scene.render.resolution_y = 1080


def place(scene: bpy.types.Scene, thing: bpy.types.Object, location: Vector, target: Vector) -> None:
    """Link an object to the scene, looking from `location` at `target`."""
    scene.collection.objects.link(thing)
    thing.location = location
    thing.rotation_euler = (target - location).to_track_quat("-Z", "Y").to_euler()


def add_sound(scene: bpy.types.Scene, path: str) -> None:
    """A strip in the sequencer whose sound travels inside the .blend file."""
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_sound(name="Speech", filepath=path, channel=1, frame_start=0)
    strip.sound.pack()
    strip.sound.filepath = "//speech.wav"


def report_frame(scene: bpy.types.Scene, *_: object) -> None:
    """While an exporter steps through the take: how far it is."""
    say(f"progress {scene.frame_current / max(1, scene.frame_end):.4f}")


def write_fbx(output: str, scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """FBX 7.4 binary. With the default NLA and all-actions options Blender drops shape-key animation silently."""
    if "fbx" not in dir(bpy.ops.export_scene):
        raise RuntimeError(f"Blender {bpy.app.version_string} has no FBX exporter; enable its add-on io_scene_fbx")
    from io_scene_fbx import export_fbx_bin

    # The same take must give the same file: no clock, and no path of a temporary folder.
    export_fbx_bin.fbx_header_elements.__defaults__ = (datetime.datetime(1970, 1, 1),)
    export_fbx_bin._gen_vid_path = lambda image, _: (os.path.basename(image.filepath),) * 2
    bpy.ops.export_scene.fbx(
        filepath=output,
        object_types={"ARMATURE", "MESH"},
        mesh_smooth_type="FACE",
        add_leaf_bones=False,
        path_mode="COPY",
        embed_textures=True,
        bake_anim=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
    )


def write_alembic(output: str, scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """Positions of every frame; normals, six times the data, are left to the receiving program."""
    head.select_set(True)
    bpy.ops.wm.alembic_export(
        filepath=output,
        start=scene.frame_start,
        end=scene.frame_end,
        selected=True,
        flatten=True,
        normals=False,
        face_sets=True,
    )


def write_blend(output: str, scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """The scene as it is, with the pictures inside."""
    for image in bpy.data.images:
        image.pack()
        image.filepath = "//" + os.path.basename(image.filepath)
    bpy.ops.wm.save_as_mainfile(filepath=output, compress=True)


if __name__ == "__main__":
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    try:
        main(*arguments)
    except Exception as error:
        traceback.print_exc()
        last = (str(error).strip().splitlines() or ["no reason given"])[-1].removeprefix("Error: ")
        say(f"error {last}" if isinstance(error, RuntimeError) else f"error {type(error).__name__}: {last}")
        sys.exit(1)
