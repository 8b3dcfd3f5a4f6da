"""Reading somebody's head out of a glTF file: every mesh of it, in scene space, at rest."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.errors import TalkerError
from talker.rigs.mesh_files.gltf_file import GltfFile, Json
from talker.rigs.mesh_files.shape_names import find_shapes, part_of_name
from talker.rigs.mesh_files.source_head import MAX_VERTICES, SourceHead

_TRIANGLES = 4
_JOINTS = ("head", "left_eye", "right_eye")


@dataclass(frozen=True)
class _Skeleton:
    """What the nodes say at rest: transforms to the scene, and for each named joint which nodes hang from it."""

    world: np.ndarray
    joints: dict[str, int]
    below: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Piece:
    """One primitive in scene space."""

    vertices: np.ndarray
    faces: np.ndarray
    deltas: dict[str, np.ndarray]
    part: str
    follow: np.ndarray


def read_gltf_head(path: Path) -> SourceHead:
    """Read all triangle meshes of a `.glb`, `.gltf` or `.vrm` file with their ARKit-named morph targets."""
    file = GltfFile(path)
    skeleton = _skeleton(file)
    pieces: list[_Piece] = []
    total = 0
    for number, node in enumerate(file.objects("nodes")):
        if "mesh" not in node:
            continue
        mesh = file.item("meshes", node["mesh"], f"nodes[{number}]")
        for primitive in file.children(mesh, "primitives", f"meshes[{node['mesh']}]"):
            if primitive.get("mode", _TRIANGLES) == _TRIANGLES:
                pieces.append(_read_piece(file, number, mesh, primitive, skeleton))
                total += len(pieces[-1].vertices)
                if total > MAX_VERTICES:
                    raise TalkerError(
                        f"{path} has more than {MAX_VERTICES} vertices; export the head alone, or simplify it"
                    )
    if not pieces:
        raise TalkerError(f"{path} holds no triangle mesh; export the head with its shape keys")
    joints = {name: skeleton.world[node, :3, 3] for name, node in skeleton.joints.items()}
    return _merged(pieces, joints)


def _merged(pieces: list[_Piece], joints: dict[str, np.ndarray]) -> SourceHead:
    names = tuple(dict.fromkeys(piece.part for piece in pieces))
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    shapes = dict.fromkeys(shape for piece in pieces for shape in piece.deltas)
    deltas = {shape: np.zeros((starts[-1], 3), np.float32) for shape in shapes}
    for piece, start in zip(pieces, starts, strict=False):
        for shape, delta in piece.deltas.items():
            deltas[shape][start : start + len(delta)] = delta
    return SourceHead(
        np.concatenate([piece.vertices for piece in pieces]),
        np.concatenate([piece.faces + start for piece, start in zip(pieces, starts, strict=False)]),
        deltas,
        np.concatenate([np.full(len(piece.vertices), names.index(piece.part)) for piece in pieces]),
        names,
        np.concatenate([piece.follow for piece in pieces]),
        joints,
    )


def _skeleton(file: GltfFile) -> _Skeleton:
    world, parents, nodes = file.world_matrices(), file.parents(), file.objects("nodes")
    joints: dict[str, int] = {}
    for number in _joint_order(file):
        part = part_of_name(str(nodes[number].get("name", "")))
        if part in _JOINTS and "mesh" not in nodes[number]:
            joints.setdefault(part, number)
    below = {name: _descendants(root, parents) for name, root in joints.items()}
    return _Skeleton(world, joints, below)


def _joint_order(file: GltfFile) -> list[int]:
    """Nodes, the joints of skins first: a joint named "head" beats an empty of that name."""
    count = len(file.objects("nodes"))
    order: dict[int, None] = {}
    for number, skin in enumerate(file.objects("skins")):
        for joint in file.sequence(skin, "joints", f"skins[{number}]"):
            file.item("nodes", joint, f"skins[{number}]")
            order[joint] = None
    return list(order | dict.fromkeys(range(count)))


def _descendants(root: int, parents: list[int]) -> np.ndarray:
    """(N,) whether a node is `root` or below it."""
    inside = np.zeros(len(parents), bool)
    known = np.zeros(len(parents), bool)
    inside[root] = known[root] = True
    for start in range(len(parents)):
        trail = []
        node = start
        while node >= 0 and not known[node]:
            trail.append(node)
            node = parents[node]
        inside[trail] = node >= 0 and inside[node]
        known[trail] = True
    return inside


def _read_piece(file: GltfFile, node: int, mesh: Json, primitive: Json, skeleton: _Skeleton) -> _Piece:
    place = f"the mesh {mesh.get('name', '')!r}"
    attributes = file.child(primitive, "attributes", place)
    vertices = file.accessor(attributes.get("POSITION"), place).astype(float)
    _check_width(file, vertices, 3, place)
    if len(vertices) > MAX_VERTICES:
        file.fail(place, f"{len(vertices)} vertices, more than {MAX_VERTICES}", "export the head alone, or simplify it")
    matrices, follow, joint_part = _transform(file, node, attributes, skeleton, len(vertices), place)
    turned = np.einsum("vij,vj->vi", matrices[:, :, :3], vertices) + matrices[:, :, 3]
    if not np.isfinite(turned).all():
        file.fail(place, "its vertices overflow")
    return _Piece(
        turned,
        _faces(file, primitive, len(vertices), place),
        _deltas(file, mesh, primitive, matrices[:, :, :3], place),
        _part(file, node, mesh, primitive, place) or joint_part,
        follow,
    )


def _part(file: GltfFile, node: int, mesh: Json, primitive: Json, place: str) -> str:
    """What the names of material, mesh and node say, the most particular first; "" when they say nothing."""
    names = [mesh.get("name", ""), file.objects("nodes")[node].get("name", "")]
    if "material" in primitive:
        names.insert(0, file.item("materials", primitive["material"], place).get("name", ""))
    parts = [part_of_name(str(name)) for name in names]
    return next((part for part in parts if part not in (None, "head")), "")  # type: ignore[return-value]


def _faces(file: GltfFile, primitive: Json, count: int, place: str) -> np.ndarray:
    if "indices" not in primitive:
        return np.arange(count - count % 3).reshape(-1, 3)
    indices = file.accessor(primitive["indices"], place)
    if indices.dtype.kind != "u" or indices.size % 3 or indices.max() >= count:
        file.fail(place, f"its {indices.size} indices are not triangles of its {count} vertices")
    return indices.reshape(-1, 3).astype(np.int64)


def _deltas(file: GltfFile, mesh: Json, primitive: Json, linear: np.ndarray, place: str) -> dict[str, np.ndarray]:
    targets = file.children(primitive, "targets", place)
    holder = mesh if "targetNames" in file.child(mesh, "extras", place) else primitive
    names = file.sequence(file.child(holder, "extras", place), "targetNames", place)
    deltas = {}
    for shape, places in find_shapes([str(name) for name in names[: len(targets)]]).items():
        moved = np.zeros((len(linear), 3))
        for target in places:
            if "POSITION" in targets[target]:
                offsets = file.accessor(targets[target]["POSITION"], place)
                if offsets.shape != moved.shape:
                    file.fail(place, f"its shape {shape} has {len(offsets)} vertices instead of {len(moved)}")
                moved += offsets
        deltas[shape] = np.einsum("vij,vj->vi", linear, moved).astype(np.float32)
    return deltas


def _transform(
    file: GltfFile, node: int, attributes: Json, skeleton: _Skeleton, count: int, place: str
) -> tuple[np.ndarray, np.ndarray, str]:
    """Per vertex: (V, 3, 4) to the scene and (V,) how far it follows the head; and the eye joint that all hang from."""
    item = file.objects("nodes")[node]
    if "skin" not in item or "JOINTS_0" not in attributes:
        inside = {name: bool(below[node]) for name, below in skeleton.below.items()}
        follow = np.full(count, 1.0 if inside.get("head") else np.nan)
        eye = next((name for name in _JOINTS[1:] if inside.get(name)), "")
        return np.broadcast_to(skeleton.world[node, :3], (count, 3, 4)), follow, eye
    skin = file.item("skins", item["skin"], place)
    joints = file.sequence(skin, "joints", place)
    binds = _binds(file, skin, len(joints), place)
    where = file.accessor(attributes["JOINTS_0"], place)
    weights = file.accessor(attributes.get("WEIGHTS_0"), place).astype(float)
    if where.dtype.kind != "u" or not (where.shape == weights.shape == (count, 4)) or where.max() >= len(joints):
        file.fail(place, "its bone weights do not fit its skin")
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    moves = skeleton.world[joints] @ binds
    matrices = sum(weights[:, slot, None, None] * moves[where[:, slot], :3] for slot in range(4))
    shares = {name: (weights * below[joints][where]).sum(axis=1) for name, below in skeleton.below.items()}
    eye = next((name for name in _JOINTS[1:] if name in shares and shares[name].min() > 0.5), "")
    return matrices, shares.get("head", np.full(count, np.nan)), eye


def _binds(file: GltfFile, skin: Json, count: int, place: str) -> np.ndarray:
    if "inverseBindMatrices" not in skin:
        return np.tile(np.eye(4), (count, 1, 1))
    matrices = file.accessor(skin["inverseBindMatrices"], place).astype(float)
    if matrices.shape != (count, 16):
        file.fail(place, f"its skin has {len(matrices)} bind matrices for {count} joints")
    return matrices.reshape(count, 4, 4).transpose(0, 2, 1)


def _check_width(file: GltfFile, values: np.ndarray, width: int, place: str) -> None:
    if values.shape[1] != width:
        file.fail(place, f"its positions have {values.shape[1]} coordinates")
