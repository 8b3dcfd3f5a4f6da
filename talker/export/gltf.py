"""glTF 2.0, binary (`.glb`) or one JSON file (`.gltf`): the head, its 52 shapes, its skeleton and the performance.

What a file holds:

- a mesh "face" with one primitive per material, 52 sparse morph targets (positions and normals) named in
  `extras.targetNames`, and a skin;
- joints "neck" > "head" > "left_eye", "right_eye". The skin blends neck and head by `HeadMesh.head_weight`, so the
  neck bends instead of tearing, and the eyeballs turn rigidly;
- one animation: morph weights and three joint rotations, linear, one key per frame;
- in the scene's `extras`: `fps`, `meta`, and, when there is sound, `audio`: the name under which the sound should lie
  beside the file. Reading picks it up from there.
"""

from pathlib import Path

import numpy as np

import talker
from talker.animation import FaceAnimation, plain_meta
from talker.export.gltf_animation import read_animation
from talker.export.gltf_builder import INDICES, VERTICES, GltfBuilder, Json, index_type
from talker.export.keyframes import TURNED_JOINTS
from talker.export.registry import ExportOptions
from talker.export.scene_head import JOINTS, PARENTS, head_normals, joint_places, skin_weights
from talker.export.scene_sound import sound_name
from talker.rigs import arkit, look, turns
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.user_mesh import load_head

_FIRST_JOINT = 1  # Node 0 is the face.


def write_glb(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write one binary file."""
    path.write_bytes(_build(animation, path, options).glb())


def write_gltf(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write one JSON file with everything inside."""
    path.write_bytes(_build(animation, path, options).gltf())


def read_glb(path: Path, options: ExportOptions) -> FaceAnimation:
    """Read the performance out of any glTF file that animates ARKit-named morph targets."""
    return read_animation(path)


read_gltf = read_glb


def _build(animation: FaceAnimation, path: Path, options: ExportOptions) -> GltfBuilder:
    head = load_head(options.head)
    builder = GltfBuilder(f"talker {talker.__version__}")
    extras: Json = {"fps": animation.fps, "meta": plain_meta(animation.meta)}
    if animation.audio is not None:
        extras["audio"] = sound_name(path)
    builder.document["scene"] = 0
    builder.add("scenes", {"nodes": [0, _FIRST_JOINT], "extras": extras})
    builder.add("nodes", {"name": "face", "mesh": _add_mesh(builder, head), "skin": 0})
    _add_skeleton(builder, head)
    _add_animation(builder, animation)
    return builder


def _add_mesh(builder: GltfBuilder, head: HeadMesh) -> int:
    neutral, deltas = head.neutral.cpu().numpy(), head.deltas.cpu().numpy()
    normals, normal_deltas = head_normals(head)
    joints, weights = skin_weights(head)
    light = _vertex_colours(head)
    primitives = []
    for surface in look.surfaces(head):
        used, corners = np.unique(surface.faces, return_inverse=True)
        attributes = {
            "POSITION": builder.add_array(_f4(neutral[used]), VERTICES, bounds=True),
            "NORMAL": builder.add_array(_f4(normals[used]), VERTICES),
            "COLOR_0": builder.add_array(light[used], VERTICES, normalized=True),
            "JOINTS_0": builder.add_array(joints[used].astype(np.uint8), VERTICES),
            "WEIGHTS_0": builder.add_array(_f4(weights[used]), VERTICES),
        }
        if surface.coordinates is not None:
            attributes["TEXCOORD_0"] = builder.add_array(_f4(surface.coordinates[used]), VERTICES)
        targets = [
            {
                "POSITION": builder.add_changes(_f4(deltas[shape, used]), bounds=True),
                "NORMAL": builder.add_changes(_f4(normal_deltas[shape, used])),
            }
            for shape in range(arkit.SHAPE_COUNT)
        ]
        indices = builder.add_array(corners.reshape(-1).astype(index_type(len(used))), INDICES)
        material = _add_material(builder, surface)
        primitives.append({"attributes": attributes, "indices": indices, "targets": targets, "material": material})
    mesh = {"name": "face", "primitives": primitives, "weights": [0.0] * arkit.SHAPE_COUNT}
    return builder.add("meshes", mesh | {"extras": {"targetNames": list(arkit.SHAPES)}})


def _vertex_colours(head: HeadMesh) -> np.ndarray:
    """(V, 4) uint8 grey."""
    grey = np.rint(255 * look.vertex_light(head)).astype(np.uint8)
    return np.column_stack([grey, grey, grey, np.full(len(grey), 255, np.uint8)])


def _add_material(builder: GltfBuilder, surface: look.Surface) -> int:
    shading: Json = {"metallicFactor": 0.0, "roughnessFactor": surface.roughness}
    if surface.picture is not None:
        shading["baseColorTexture"] = {"index": builder.add_picture(surface.picture, surface.name)}
    else:
        shading["baseColorFactor"] = [*surface.colour, 1.0]
    material: Json = {"name": surface.name, "pbrMetallicRoughness": shading}
    if surface.two_sided:
        material["doubleSided"] = True
    if surface.picture is not None and surface.picture.shape[2] == 4:
        material["alphaMode"] = "BLEND"
    return builder.add("materials", material)


def _add_skeleton(builder: GltfBuilder, head: HeadMesh) -> None:
    places = joint_places(head)
    binds = np.tile(np.eye(4, dtype="<f4"), (len(JOINTS), 1, 1))
    for index, name in enumerate(JOINTS):
        node: Json = {"name": name, "translation": _f4(places[name] - places.get(PARENTS[name], np.zeros(3))).tolist()}
        children = [_FIRST_JOINT + JOINTS.index(child) for child, parent in PARENTS.items() if parent == name]
        if children:
            node["children"] = children
        builder.add("nodes", node)
        binds[index, 3, :3] = -places[name]  # glTF stores matrices by columns.
    joints = [_FIRST_JOINT + index for index in range(len(JOINTS))]
    matrices = builder.add_array(binds.reshape(-1, 16))
    builder.add("skins", {"name": "skeleton", "joints": joints, "skeleton": joints[0], "inverseBindMatrices": matrices})


def _add_animation(builder: GltfBuilder, animation: FaceAnimation) -> None:
    clock = builder.add_array(_f4(animation.times), bounds=True)
    tracks = [("weights", 0, _f4(animation.shapes).reshape(-1))]
    for name, channels in TURNED_JOINTS.items():
        turned = _f4(turns.quaternions(animation.curves[:, channels]))
        tracks.append(("rotation", _FIRST_JOINT + JOINTS.index(name), turned))
    item: Json = {"name": "talk", "samplers": [], "channels": []}
    for sampler, (path, node, values) in enumerate(tracks):
        item["samplers"].append({"input": clock, "interpolation": "LINEAR", "output": builder.add_array(values)})
        item["channels"].append({"sampler": sampler, "target": {"node": node, "path": path}})
    builder.add("animations", item)


def _f4(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, "<f4")
