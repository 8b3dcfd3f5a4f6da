import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.gltf_builder import GltfBuilder
from talker.export.registry import write_animation
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.mesh_files.shape_names import find_shapes, missing_shapes, part_of_name
from talker.rigs.user_mesh import load_head

LIPS = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
LIPS += [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95]


def random_curves(count: int) -> torch.Tensor:
    generator = np.random.default_rng(5)
    curves = generator.uniform(0, 1, (count, arkit.CHANNEL_COUNT)).astype(np.float32)
    curves[:, arkit.SHAPE_COUNT :] -= 0.5
    return torch.from_numpy(curves)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("head") / "talker.glb"
    write_animation(FaceAnimation(np.zeros((1, arkit.CHANNEL_COUNT)), 30), path)
    return path


@pytest.fixture(scope="module")
def reimported(exported) -> HeadMesh:
    return load_head(exported)


def fingerprint(head: HeadMesh) -> np.ndarray:
    """(V, many) what tells a vertex from all others: place, motion, part and neck weight."""
    motion = head.deltas.permute(1, 0, 2).flatten(1)
    return torch.cat([head.neutral, motion, head.head_weight[:, None], head.part_of_vertex[:, None]], 1).numpy()


def test_talkers_own_glb_comes_back(reimported):
    head, curves = load_head(), random_curves(6)
    distance, place = cKDTree(fingerprint(reimported)).query(fingerprint(head))
    assert distance.max() < 1e-6
    error = (reimported.vertices(curves)[:, place] - head.vertices(curves)).norm(dim=-1).max()
    assert error < 1e-5  # Metres: 0.01 mm.
    assert (reimported.landmarks(curves) - head.landmarks(curves)).norm(dim=-1).max() < 1e-5
    assert torch.allclose(reimported.eye_centres, head.eye_centres, atol=1e-6)
    assert torch.allclose(reimported.head_pivot, head.head_pivot, atol=1e-6)
    assert reimported.iris_radius == pytest.approx(head.iris_radius, rel=1e-3)
    assert {name: len(part) for name, part in reimported.parts.items() if name != "skin"} == {
        name: len(part) for name, part in head.parts.items() if name != "skin"
    }
    for name, region in head.regions.items():
        assert len(np.setxor1d(place[region], reimported.regions[name])) <= 0.02 * len(region)


def test_gradients_reach_the_curves(reimported):
    curves = random_curves(2).requires_grad_()
    reimported.landmarks(curves).sum().backward()
    assert torch.isfinite(curves.grad).all() and (curves.grad != 0).any()


# Somebody else's head: ours, bent out of shape, in other units, with other triangles and other names ---------------


def other_face(points: np.ndarray) -> np.ndarray:
    """Another person, in centimetres and somewhere else: wider, shorter, with a large mouth and nose."""
    local = (points - (0, 0.7, 0.1)) * (1.1, 0.93, 1.05)
    mouth = np.exp(-(((local[..., 1:2] + 0.05) / 0.03) ** 2) - ((local[..., 2:] - 0.05) / 0.04) ** 2)
    local = local + 0.25 * mouth * local * (1, 0, 0)
    nose = np.exp(-(((local - (0, -0.005, 0.07)) / 0.02) ** 2).sum(-1, keepdims=True))
    return (local + nose * (0, -0.003, 0.008)) * 100 + (3, 120, 5)


class OtherHead:
    """The default head seen through `other_face`, each triangle cut into four, vertices shuffled."""

    def __init__(self) -> None:
        head = HeadMesh.load()
        faces = head.faces.numpy()
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
        self._edges, number = np.unique(edges, axis=0, return_inverse=True)
        a, b, c = number.reshape(3, -1) + head.vertex_count
        cut = [(faces[:, 0], a, c), (faces[:, 1], b, a), (faces[:, 2], c, b), (a, b, c)]
        count = head.vertex_count + len(self._edges)
        self._order = np.random.default_rng(0).permutation(count)
        self.faces = np.argsort(self._order)[np.concatenate([np.stack(corners, 1) for corners in cut])]
        self.head = head

    def vertices(self, shape: str | None = None) -> np.ndarray:
        """(V, 3) centimetres."""
        points = self.head.neutral.double().numpy()
        if shape is not None:
            points = points + self.head.deltas[arkit.INDEX[shape]].double().numpy()
        return other_face(np.concatenate([points, points[self._edges].mean(axis=1)])[self._order])

    def landmarks(self, jaw_open: float = 0.0) -> np.ndarray:
        """(478, 3) metres: where they truly are."""
        points = self.head.neutral + jaw_open * self.head.deltas[arkit.INDEX["jawOpen"]]
        return other_face(self.head.landmarks_of(points).double().numpy()) / 100


def write_obj(path: Path, vertices: np.ndarray, faces: np.ndarray | None = None) -> None:
    lines = ["v {:.6f} {:.6f} {:.6f}".format(*vertex) for vertex in vertices]
    lines += ["f {} {} {}".format(*(face + 1)) for face in faces] if faces is not None else []
    path.write_text("# made by a test\n" + "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def other() -> OtherHead:
    return OtherHead()


@pytest.fixture(scope="module")
def obj_folder(other, tmp_path_factory) -> Path:
    """Named as in ICT-FaceKit: sides as letters, no tongueOut, the inner brows and the cheeks in two halves."""
    folder = tmp_path_factory.mktemp("objs")
    neutral = other.vertices()
    write_obj(folder / "generic_neutral_mesh.obj", neutral, other.faces)
    left = neutral[:, [0]] > 3
    for shape in arkit.SHAPES:
        if shape in ("browInnerUp", "cheekPuff"):
            moved = other.vertices(shape)
            write_obj(folder / f"{shape}_L.obj", np.where(left, moved, neutral))
            write_obj(folder / f"{shape}_R.obj", np.where(left, neutral, moved))
        elif shape != "tongueOut":
            name = shape.replace("Left", "_L").replace("Right", "_R") if arkit.partner(shape) != shape else shape
            write_obj(folder / f"{name}.obj", other.vertices(shape))
    return folder


def test_a_folder_of_objs_in_another_unit(obj_folder, other, caplog):
    with caplog.at_level(logging.WARNING):
        head = load_head(obj_folder)
    assert "lacks 1 of ARKit's shapes, which will do nothing: tongueOut" in caplog.text
    # Centimetres were recognised, both halves of a shape were added up, and no shape was mistaken for another.
    assert torch.linalg.norm(head.eye_centres[0] - head.eye_centres[1]) == pytest.approx(0.0678, abs=1e-3)
    curves = torch.zeros(1, arkit.CHANNEL_COUNT)
    for shape in ("browInnerUp", "cheekPuff", "jawLeft", "mouthSmileRight"):
        curves[:] = 0
        curves[0, arkit.INDEX[shape]] = 1
        distance, _ = cKDTree(other.vertices(shape) / 100).query(head.vertices(curves)[0])
        assert distance.max() < 1e-5
    # Nobody named the eyeballs; they were found by their form, and turn.
    for side, name in enumerate(("left_eye", "right_eye")):
        assert len(head.parts[name]) > 1000
        assert torch.linalg.norm(head.eye_centres[side] - torch.tensor(other_face_eyes(other)[side])) < 1e-3
    error = np.linalg.norm(head.landmarks_of(head.neutral).numpy() - other.landmarks(), axis=1)
    assert error.mean() < 0.0015 and error[LIPS].mean() < 0.0025  # Metres.
    curves[:] = 0
    curves[0, arkit.INDEX["jawOpen"]] = 0.8
    opened = np.linalg.norm(head.landmarks(curves)[0].numpy() - other.landmarks(0.8), axis=1)
    assert opened[LIPS].mean() < 0.0025
    assert len(head.regions["lips"]) > 300 and head.head_weight.min() == 0 and head.head_weight.max() == 1


def other_face_eyes(other: OtherHead) -> np.ndarray:
    return (other_face(other.head.eye_centres.double().numpy()) / 100).astype(np.float32)


@pytest.mark.parametrize("metres_per_unit", [0.1, 0.001, 0.0254])
def test_units_are_found_from_the_size(exported, tmp_path, metres_per_unit):
    document = json.loads(as_gltf(exported, tmp_path).read_text())
    document["nodes"][0]["scale"] = [1 / metres_per_unit] * 3
    document["nodes"][0].pop("skin")
    for node in document["nodes"][1:]:
        node["translation"] = [value / metres_per_unit for value in node["translation"]]
    path = tmp_path / "scaled.gltf"
    path.write_text(json.dumps(document))
    head, ours = load_head(path), HeadMesh.load()
    assert torch.allclose(head.neutral.amax(0), ours.neutral.amax(0), atol=1e-4)
    assert torch.allclose(head.head_pivot, ours.head_pivot, atol=1e-4)


def as_gltf(exported: Path, folder: Path) -> Path:
    path = folder / "talker.gltf"
    write_animation(FaceAnimation(np.zeros((1, arkit.CHANNEL_COUNT)), 30), path)
    return path


def test_a_head_that_looks_elsewhere_is_refused(exported, tmp_path):
    document = json.loads(as_gltf(exported, tmp_path).read_text())
    document["nodes"][0].pop("skin")
    for rotation, message in (
        ([0.70710678, 0, 0, 0.70710678], "looks towards -y with +z up; turn it to +z with +y up"),
        ([0, 1, 0, 0], "looks towards -z with +y up"),
    ):
        document["nodes"][0]["rotation"] = rotation
        path = tmp_path / "turned.gltf"
        path.write_text(json.dumps(document))
        with pytest.raises(TalkerError) as caught:
            load_head(path)
        assert message in str(caught.value)


def test_shapes_with_wrong_names_are_refused(exported, tmp_path):
    document = json.loads(as_gltf(exported, tmp_path).read_text())
    names = document["meshes"][0]["extras"]["targetNames"]
    document["meshes"][0]["extras"]["targetNames"] = list(np.random.default_rng(1).permutation(names))
    path = tmp_path / "shuffled.gltf"
    path.write_text(json.dumps(document))
    with pytest.raises(TalkerError, match="does not look like a head"):
        load_head(path)


def few_shapes(path: Path, names: list[str]) -> Path:
    builder = GltfBuilder("test")
    triangle = np.eye(3, dtype="<f4")
    primitive = {
        "attributes": {"POSITION": builder.add_array(triangle, bounds=True)},
        "targets": [{"POSITION": builder.add_changes(triangle)} for _ in names],
    }
    builder.add("meshes", {"primitives": [primitive], "extras": {"targetNames": names}})
    builder.add("nodes", {"mesh": 0})
    path.write_bytes(builder.glb())
    return path


def test_what_is_no_head_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "head.fbx").write_bytes(b"Kaydara FBX Binary")
    (tmp_path / "head.obj").write_text("v 0 0 0\n")
    for path, message in (
        (
            few_shapes(tmp_path / "few.glb", ["jawOpen", "Viseme_A"]),
            "has 1 of ARKit's 52 shapes; a head needs at least 8",
        ),
        (tmp_path / "head.fbx", "export it as .glb with shape keys"),
        (tmp_path / "head.obj", "give the folder of OBJ files, one per shape"),
        (tmp_path / "folder", "holds no .obj files"),
        (tmp_path / "absent.glb", "no such file"),
    ):
        with pytest.raises(TalkerError) as caught:
            load_head(path)
        assert message in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("smile.obj", "v 0 0 0\n", "holds no resting face; name it neutral.obj"),
        ("neutral.obj", "v 0 0\nv 1 1\nv 2 2\n", "its vertices are not three numbers each"),
        ("neutral.obj", "v 0 0 nan\nv 0 1 0\nv 1 0 0\n", "its vertices are not three numbers each"),
        ("neutral.obj", "v 0 0 x\nv 0 1 0\nv 1 0 0\n", "its vertices are not three numbers each"),
        ("neutral.obj", "v 0 0 0\nv 0 1 0\nv 1 0 0\nf 1 2 9\n", "line 4: not a face of its 3 vertices"),
        ("neutral.obj", "v 0 0 0\nv 0 1 0\nv 1 0 0\n", "has no faces"),
        ("neutral.obj", "f 1 2 3\n", "has 0 vertices"),
    ],
)
def test_damaged_objs_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(TalkerError) as caught:
        load_head(tmp_path)
    assert message in str(caught.value)


def test_objs_that_do_not_fit_together_are_named(tmp_path):
    (tmp_path / "neutral.obj").write_text("v 0 0 0\nv 0 1 0\nv 1 0 0\nf 1 2 3\n")
    (tmp_path / "jawOpen.obj").write_text("v 0 0 0\nv 0 1 0\nv 1 0 0\nv 1 1 1\n")
    with pytest.raises(TalkerError, match=r"jawOpen\.obj has 4 vertices but neutral\.obj has 3"):
        load_head(tmp_path)


def test_mutated_heads_are_read_or_refused(tmp_path):
    seed = few_shapes(tmp_path / "seed.glb", list(arkit.SHAPES)).read_bytes()
    generator = np.random.default_rng(2)
    refused = 0
    for _ in range(300):
        data = bytearray(seed)
        for place in generator.integers(0, len(data), 4):
            data[place] = generator.integers(0, 256)
        path = tmp_path / "mutated.glb"
        path.write_bytes(data)
        try:
            load_head(path)
        except TalkerError:
            refused += 1
    assert refused == 300  # One triangle never makes a head.


def test_names_of_shapes():
    found = find_shapes(
        ["Basis", "JawOpen", "ARKit.mouth_close", "eyeBlink_L", "cheekPuff_L", "CheekPuffRight", "smile"]
    )
    assert found == {"jawOpen": [1], "mouthClose": [2], "eyeBlinkLeft": [3], "cheekPuff": [4, 5]}
    assert find_shapes(["browInnerUp_L", "browInnerUp", "BrowInnerUp"]) == {"browInnerUp": [1]}
    assert len(missing_shapes(found)) == arkit.SHAPE_COUNT - 4
    for shape in arkit.SHAPES:
        assert find_shapes([shape]) == find_shapes([shape[0].upper() + shape[1:]]) == {shape: [0]}


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (("Eye", "eyes", "Wolf3D_Eyes", "eyeball"), "eye"),
        (("EyeLeft", "Eye_L", "l-eye", "LeftEye", "eyeball.L", "leftEye", "M_ScleraLeft"), "left_eye"),
        (("mixamorig:RightEye", "EYE_R", "righteye", "iris_r"), "right_eye"),
        (("Teeth", "M_Tooth"), "teeth"),
        (("Upper_Teeth", "teethUpper"), "teeth_upper"),
        (("Eyelashes", "Std_Eyelash"), "lashes"),
        (("Head", "rig:Head", "Head.001"), "head"),
        (("eyelid_L", "Eyebrows", "EyeBrows", "M_EyeSocketLeft", "EyeOcclusion", "HeadTop_End", "Cheek", ""), None),
    ],
)
def test_names_of_parts(names, part):
    assert {part_of_name(name) for name in names} == {part}
