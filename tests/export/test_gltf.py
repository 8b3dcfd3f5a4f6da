import base64
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from talker.animation import FaceAnimation
from talker.audio import Audio, write_wav
from talker.errors import TalkerError
from talker.export.gltf_builder import GltfBuilder
from talker.export.registry import ExportOptions, read_animation, write_animation
from talker.rigs import arkit, look, turns
from talker.rigs.head_mesh import HeadMesh

TAKES = Path(__file__).parents[3] / "shared/data/livelink_takes"
TAKE_NAMES = ("S07-001", "S88-001", "alex_rom_3", "alex_rom_4", "apfel", "facial")


def random_take(frames: int = 40, fps: float = 60.0, seed: int = 0, **rest) -> FaceAnimation:
    generator = np.random.default_rng(seed)
    curves = np.zeros((frames, arkit.CHANNEL_COUNT), np.float32)
    curves[:, : arkit.SHAPE_COUNT] = generator.uniform(0, 1, (frames, arkit.SHAPE_COUNT))
    curves[:, arkit.SHAPE_COUNT :] = generator.uniform(-1.4, 1.4, (frames, 9))
    return FaceAnimation(curves, fps, **rest)


def saved(animation: FaceAnimation, path: Path) -> Path:
    write_animation(animation, path)
    return path


def json_of(path: Path) -> dict:
    data = path.read_bytes()
    return json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])


@pytest.mark.parametrize("name", ["take.glb", "take.gltf", "übung 話.glb"])
@pytest.mark.parametrize(("frames", "fps"), [(1, 25.0), (2, 30.0), (90, 60.0), (50, 24000 / 1001), (30, 37.125)])
def test_a_take_comes_back(tmp_path, name, frames, fps):
    take = random_take(frames, fps, meta={"source": "tät", "emotion": [{"time": 0.0, "weights": {"happy": 1.0}}]})
    back = read_animation(saved(take, tmp_path / name))
    assert back.fps == fps
    assert np.abs(back.shapes - take.shapes).max() <= 1e-6
    assert np.abs(back.curves - take.curves).max() < 1e-4
    assert dict(back.meta) == dict(take.meta)


def test_the_frame_rate_of_an_hour_is_told_by_the_key_times_alone(tmp_path):
    for fps in (30.0, 30000 / 1001):
        curves = np.zeros((int(3600 * fps), arkit.CHANNEL_COUNT), np.float32)
        curves[:, 3] = np.linspace(0, 1, len(curves))
        path = saved(FaceAnimation(curves, fps), tmp_path / "long.glb")
        path.write_bytes(path.read_bytes().replace(b'"fps":', b'"fpx":'))
        back = read_animation(path)
        assert back.fps == fps
        assert np.array_equal(back.curves, curves)


def test_the_same_take_gives_the_same_bytes(tmp_path):
    take = random_take(audio=Audio(np.zeros(100), 16000))
    files = [saved(take, tmp_path / folder / "take.glb").read_bytes() for folder in "ab"]
    assert files[0] == files[1]


def test_size_of_ten_seconds(tmp_path):
    assert saved(random_take(600), tmp_path / "take.glb").stat().st_size < 2.6e6


def test_the_sound_is_named_and_picked_up(tmp_path):
    sound = Audio(np.sin(np.arange(8000) / 20) / 2, 16000)
    path = saved(random_take(audio=sound), tmp_path / "take.glb")
    assert json_of(path)["scenes"][0]["extras"]["audio"] == "take.wav"
    assert read_animation(path).audio is None
    write_wav(sound, tmp_path / "take.wav")
    assert np.abs(read_animation(path).audio.samples - sound.samples).max() < 1e-4


def test_a_neighbour_that_is_no_sound_is_left_alone(tmp_path):
    take = random_take(audio=Audio(np.zeros(100), 16000))
    path = saved(take, tmp_path / "take.glb")
    (tmp_path / "take.wav").write_bytes(b"RIFF, but not really")
    back = read_animation(path)
    assert back.audio is None
    assert np.abs(back.curves - take.curves).max() < 1e-4


def test_a_sound_with_an_endless_name_is_not_there(tmp_path):
    path = saved(random_take(audio=Audio(np.zeros(10), 16000)), tmp_path / "take.gltf")
    path.write_text(path.read_text().replace("take.wav", "a" * 5000 + ".wav"))
    assert read_animation(path).audio is None


def test_a_foreign_name_for_the_sound_cannot_leave_the_folder(tmp_path):
    write_wav(Audio(np.zeros(100), 16000), tmp_path / "secret.wav")
    (tmp_path / "inner").mkdir()
    path = saved(random_take(audio=Audio(np.zeros(10), 16000)), tmp_path / "inner" / "aaaaaaaaa.gltf")
    path.write_text(path.read_text().replace("aaaaaaaaa.wav", "../secret.wav"))
    assert read_animation(path).audio is None


def posed_by_the_file(path: Path, frame: int) -> np.ndarray:
    """Vertices at a frame by glTF's own rules: morph targets, then the skin. An independent small player."""
    data = path.read_bytes()
    document = json_of(path)
    start = 20 + struct.unpack_from("<I", data, 12)[0] + 8

    def view(index, dtype):
        item = document["bufferViews"][index]
        return np.frombuffer(data[start + item["byteOffset"] :][: item["byteLength"]], dtype)

    def accessor(index):
        item = document["accessors"][index]
        types = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[item["type"]]
        values = np.zeros((item["count"], width))
        if "bufferView" in item:
            values = view(item["bufferView"], types[item["componentType"]]).reshape(-1, width).astype(float)
        if "sparse" in item:
            where = view(item["sparse"]["indices"]["bufferView"], types[item["sparse"]["indices"]["componentType"]])
            values[where] = view(item["sparse"]["values"]["bufferView"], "<f4").reshape(-1, width)
        return values

    animation = document["animations"][0]
    tracks = {
        (channel["target"]["node"], channel["target"]["path"]): accessor(
            animation["samplers"][channel["sampler"]]["output"]
        )
        for channel in animation["channels"]
    }
    weights = tracks[0, "weights"].reshape(-1, 52)[frame]

    def world(node, parents):
        item = document["nodes"][node]
        local = np.eye(4)
        local[:3, 3] = item.get("translation", (0, 0, 0))
        if (node, "rotation") in tracks:
            local[:3, :3] = turns.matrices(tracks[node, "rotation"][frame])
        return local if parents.get(node) is None else world(parents[node], parents) @ local

    parents = {child: index for index, node in enumerate(document["nodes"]) for child in node.get("children", ())}
    skin = document["skins"][0]
    binds = accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    moves = np.stack([world(joint, parents) for joint in skin["joints"]]) @ binds
    out = []
    for primitive in document["meshes"][0]["primitives"]:
        attributes = {name: accessor(index) for name, index in primitive["attributes"].items()}
        vertices = attributes["POSITION"] + sum(
            weight * accessor(target["POSITION"]) for weight, target in zip(weights, primitive["targets"], strict=True)
        )
        joints = attributes["JOINTS_0"].astype(int)
        blended = np.einsum("vk,vkij->vij", attributes["WEIGHTS_0"], moves[joints])
        out.append(np.einsum("vij,vj->vi", blended[:, :3, :3], vertices) + blended[:, :3, 3])
    return np.concatenate(out)


def test_a_player_that_follows_the_standard_shows_the_head(tmp_path):
    take, head = random_take(20), HeadMesh.load()
    path = saved(take, tmp_path / "take.glb")
    order = np.concatenate([np.unique(surface.faces) for surface in look.surfaces(head)])
    for frame in (0, 7, 19):
        expected = head.vertices(take).numpy()[frame, order]
        assert np.abs(posed_by_the_file(path, frame) - expected).max() < 1e-5  # Metres.


def test_nodes_and_names(tmp_path):
    document = json_of(saved(random_take(2), tmp_path / "take.glb"))
    assert [node["name"] for node in document["nodes"]] == ["face", "neck", "head", "left_eye", "right_eye"]
    assert document["meshes"][0]["extras"]["targetNames"] == list(arkit.SHAPES)
    assert [material["name"] for material in document["materials"]] == [
        *("face", "skin", "eyes", "teeth", "tongue", "lashes")
    ]
    assert {len(primitive["targets"]) for primitive in document["meshes"][0]["primitives"]} == {52}


# Files of other programs ------------------------------------------------------------------------------------------


def foreign(
    tmp_path: Path,
    names: list[str],
    times: list[float],
    values: np.ndarray,
    interpolation: str = "LINEAR",
    nodes: list[dict] | None = None,
    rotations: dict[int, np.ndarray] | None = None,
) -> Path:
    """A small animated GLB as another program might write it: one triangle with named morph targets."""
    builder = GltfBuilder("another program")
    triangle = np.eye(3, dtype="<f4")
    primitive = {
        "attributes": {"POSITION": builder.add_array(triangle, bounds=True)},
        "targets": [{"POSITION": builder.add_changes(triangle)} for _ in names],
    }
    builder.add("meshes", {"primitives": [primitive], "extras": {"targetNames": names}})
    for node in [{"mesh": 0, "name": "Body"}, *(nodes or [])]:
        builder.add("nodes", node)
    clock = builder.add_array(np.array(times, "<f4"), bounds=True)
    tracks = [(0, "weights", values)] + [(node, "rotation", turn) for node, turn in (rotations or {}).items()]
    animation = {"samplers": [], "channels": []}
    for number, (node, path, keys) in enumerate(tracks):
        kind = interpolation if path == "weights" else "LINEAR"
        output = keys.reshape(-1) if path == "weights" else keys
        animation["samplers"].append(
            {"input": clock, "output": builder.add_array(np.asarray(output, "<f4")), "interpolation": kind}
        )
        animation["channels"].append({"sampler": number, "target": {"node": node, "path": path}})
    builder.add("animations", animation)
    path = tmp_path / "foreign.glb"
    path.write_bytes(builder.glb())
    return path


def test_names_in_other_spellings(tmp_path):
    names = ["Basis", "JawOpen", "eyeBlink_L", "browInnerUp_L", "browInnerUp_R", "Face.mouth_smile_right"]
    values = np.array([[9, 0.1, 0.2, 0.3, 0.5, 0.6], [9, 0.7, 0.8, 0.9, 0.1, 0.2]])
    back = read_animation(foreign(tmp_path, names, [0, 1 / 25], values))
    assert back.fps == 25
    expected = {
        "jawOpen": (0.1, 0.7),
        "eyeBlinkLeft": (0.2, 0.8),
        "browInnerUp": (0.4, 0.5),
        "mouthSmileRight": (0.6, 0.2),
    }
    for name, weights in expected.items():
        assert back.channel(name) == pytest.approx(weights)
    assert np.abs(back.shapes).sum() == pytest.approx(sum(sum(weights) for weights in expected.values()))


def test_keys_set_by_hand_are_sampled_at_a_usual_rate(tmp_path):
    back = read_animation(foreign(tmp_path, ["jawOpen"], [0, 0.25, 1.0], np.array([0, 1, 0.25])))
    assert back.fps == 24 and back.frame_count == 25
    assert back.channel("jawOpen") == pytest.approx(np.interp(back.times, [0, 0.25, 1.0], [0, 1, 0.25]), abs=1e-6)


def test_steps_hold(tmp_path):
    back = read_animation(foreign(tmp_path, ["jawOpen"], [0, 0.5, 1.0], np.array([0.2, 0.8, 0.4]), "STEP"))
    assert np.array_equal(back.channel("jawOpen"), np.float32([0.2] * 12 + [0.8] * 12 + [0.4]))


def test_cubic_splines_are_cubic(tmp_path):
    # Of x = t^2 on 0..1: value 0, slope 0, then value 1, slope 2. A Hermite spline must reproduce it.
    keys = np.array([[0, 0, 0], [2, 1, 2]], float)
    back = read_animation(foreign(tmp_path, ["jawOpen"], [0, 1], keys, "CUBICSPLINE"))
    assert back.channel("jawOpen") == pytest.approx(back.times**2, abs=1e-6)


def test_values_beyond_the_range_are_cut(tmp_path):
    back = read_animation(foreign(tmp_path, ["jawOpen"], [0, 1 / 30], np.array([-0.5, 1.5])))
    assert np.array_equal(back.channel("jawOpen"), [0, 1])


def test_an_animation_that_starts_late_is_held_until_then(tmp_path):
    back = read_animation(foreign(tmp_path, ["jawOpen"], [2 / 24, 3 / 24], np.array([0.5, 1])))
    assert back.fps == 24
    assert back.channel("jawOpen") == pytest.approx([0.5, 0.5, 0.5, 1])


def test_bones_at_any_rest_pose_turn_the_head(tmp_path):
    """Blender exports bones along +y of their own frames, below a rotated armature."""
    angles = np.array([[0, 0, 0], [0.3, -0.2, 0.1], [-0.5, 0.4, 0.2]])
    turn = turns.matrices(turns.quaternions(angles))
    armature, rest = turns.quaternions(np.array([[0.4, 1.2, -0.7], [0.1, 0.9, 0.3]]))
    frame = turns.matrices(armature)
    local = frame.T @ turn @ frame @ turns.matrices(rest)
    nodes = [
        {"name": "Armature", "rotation": armature.tolist(), "scale": [0.01] * 3, "children": [2]},
        {"name": "rig:Head", "rotation": rest.tolist(), "translation": [0, 150, 3]},
    ]
    quaternion = Rotation.from_matrix(local).as_quat()
    path = foreign(tmp_path, ["jawOpen"], [0, 1 / 30, 2 / 30], np.zeros(3), nodes=nodes, rotations={2: quaternion})
    assert np.abs(read_animation(path).curves[:, arkit.HEAD] - angles).max() < 1e-5


def test_eyes_follow_the_lids_where_no_bone_turns_them(tmp_path):
    back = read_animation(foreign(tmp_path, ["eyeLookIn_L", "eyeLookOut_R"], [0, 1 / 30], np.array([[0, 0], [1, 1]])))
    assert back.channel("leftEyeYaw")[1] == pytest.approx(arkit.EYE_YAW_PER_LOOK)
    assert back.channel("rightEyeYaw")[1] == pytest.approx(arkit.EYE_YAW_PER_LOOK)


# Damaged files ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return foreign(tmp_path_factory.mktemp("small"), ["jawOpen", "x"], [0, 0.5, 1], np.linspace(0, 1, 6).reshape(3, 2))


DAMAGES = {
    "no animation": (lambda d: d.pop("animations"), "no animation in it moves morph targets with ARKit's names"),
    "other names": (
        lambda d: d["meshes"][0]["extras"].update(targetNames=["a", "b"]),
        "export the animation of the shape keys",
    ),
    "old version": (lambda d: d["asset"].update(version="1.0"), "asset version is '1.0', not 2.0"),
    "compressed": (
        lambda d: d.update(extensionsRequired=["KHR_draco_mesh_compression"]),
        "export it without compression",
    ),
    "claimed frames": (lambda d: d["accessors"][-1].update(count=10**9), "'count' is 1000000000, not a whole number"),
    "many claimed frames": (
        lambda d: d["accessors"][-1].update(count=10**6),
        "do not fit into the 24 bytes of bufferViews",
    ),
    "huge number": (lambda d: d["bufferViews"][-1].update(byteLength=10**400), "not a whole number in"),
    "wrong index": (
        lambda d: d["accessors"][-1].update(bufferView=77),
        "index into bufferViews is 77, not a whole number",
    ),
    "text index": (
        lambda d: d["animations"][0]["channels"][0].update(sampler="0"),
        "'sampler' is '0', not a whole number",
    ),
    "object list": (lambda d: d.update(nodes={"a": 1}), "'nodes' is not an array"),
    "interpolation": (
        lambda d: d["animations"][0]["samplers"][0].update(interpolation="X"),
        "unknown interpolation 'X'",
    ),
    "count of values": (lambda d: d["animations"][0]["samplers"][0].update(output=0), "values for 3 keys of 2 numbers"),
    "circle": (lambda d: d["nodes"].append({"children": [1]}), "its nodes form a circle"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named(tmp_path, small, damage):
    change, message = DAMAGES[damage]
    document = json_of(small)
    data = small.read_bytes()
    binary = data[20 + struct.unpack_from("<I", data, 12)[0] + 8 :]
    document["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    change(document)
    path = tmp_path / "damaged.gltf"
    path.write_text(json.dumps(document))
    with pytest.raises(TalkerError) as caught:
        read_animation(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"glTF", "it ends within the header"),
        (struct.pack("<4sIIII", b"glTF", 2, 20, 99, 0x4E4F534A), "a chunk of 99 bytes reaches beyond its end"),
        (struct.pack("<4sII", b"glTF", 2, 10**9) + bytes(20), "it claims 1000000000 bytes but has 32"),
        (struct.pack("<4sII", b"glTF", 1, 32) + bytes(20), "GLB version 1, not 2"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{", "its JSON is damaged"),
        (b"[]", "its JSON is not an object"),
        (b"\xff\xfe", "its JSON is not UTF-8 text"),
    ],
)
def test_what_is_no_gltf_is_refused(tmp_path, content, message):
    path = tmp_path / "bad.glb"
    path.write_bytes(content)
    with pytest.raises(TalkerError, match=message):
        read_animation(path)


def mutated(data: bytes, generator: np.random.Generator) -> bytes:
    """The file with a few bytes changed, cut or repeated; mostly where the JSON is."""
    out = bytearray(data)
    for _ in range(generator.integers(1, 6)):
        place = int(generator.integers(0, max(len(out), 1)))
        choice = generator.integers(0, 4)
        if choice == 0:
            out[place : place + 1] = bytes([generator.integers(0, 256)])
        elif choice == 1:
            out[place : place + 1] = generator.choice([b"9", b"-", b"e", b"0", b"[", b"{", b'"', b",", b"9999999"])
        elif choice == 2:
            del out[place : place + int(generator.integers(1, 20))]
        else:
            out[place:place] = out[place : place + int(generator.integers(1, 40))]
    return bytes(out)


def fuzz(path: Path, seed_file: Path, rounds: int) -> int:
    """Read mutations of a file; anything but a TalkerError or an animation fails. Returns how many were readable."""
    generator = np.random.default_rng(rounds)
    data, readable = seed_file.read_bytes(), 0
    for _ in range(rounds):
        changed = bytearray(mutated(data, generator))
        if changed[:4] == b"glTF" and len(changed) > 20 and generator.random() < 0.9:
            # Keep the lengths consistent, so that the mutations reach the parts behind the header.
            text_end = changed.find(b"BIN\0") - 4
            if text_end > 20:
                struct.pack_into("<II", changed, 8, len(changed), text_end - 20)
                struct.pack_into("<I", changed, text_end, len(changed) - text_end - 8)
        path.write_bytes(changed)
        try:
            assert isinstance(read_animation(path), FaceAnimation)
            readable += 1
        except TalkerError:
            pass
    return readable


def test_mutated_files_are_read_or_refused(tmp_path, small):
    assert 0 < fuzz(tmp_path / "mutated.glb", small, 500) < 500


# Other programs ---------------------------------------------------------------------------------------------------

VALIDATE = """
import fs from 'fs';
import validator from 'gltf-validator';
for (const file of process.argv.slice(2)) {
  const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)), {uri: file, maxIssues: 0});
  console.log(JSON.stringify(report.issues));
}
"""


@pytest.mark.slow
def test_the_khronos_validator_finds_nothing(tmp_path):
    modules = os.environ.get("TALKER_NODE_MODULES")
    if shutil.which("node") is None or modules is None or not (Path(modules) / "gltf-validator").is_dir():
        pytest.skip("needs node and TALKER_NODE_MODULES=<folder with the npm package gltf-validator>")
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "validate.mjs").write_text(VALIDATE)
    takes = [random_take(60, audio=Audio(np.zeros(16000), 16000)), random_take(1)]
    takes += [FaceAnimation.load(TAKES / f"{name}.csv") for name in TAKE_NAMES if TAKES.is_dir()]
    files = [
        saved(take, tmp_path / f"{number}{suffix}") for number, take in enumerate(takes) for suffix in (".glb", ".gltf")
    ]
    run = subprocess.run(
        ["node", "validate.mjs", *(file.name for file in files)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    reports = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(reports) == len(files)
    for report in reports:
        assert (report["numErrors"], report["numWarnings"]) == (0, 0), report["messages"][:5]


def test_pygltflib_reads_the_same_weights(tmp_path):
    pygltflib = pytest.importorskip("pygltflib", reason="an independent reader: pip install pygltflib")
    take = random_take(30)
    document = pygltflib.GLTF2().load(str(saved(take, tmp_path / "take.glb")))
    animation = document.animations[0]
    channel = next(channel for channel in animation.channels if channel.target.path == "weights")
    accessor = document.accessors[animation.samplers[channel.sampler].output]
    view = document.bufferViews[accessor.bufferView]
    values = np.frombuffer(document.binary_blob(), "<f4", accessor.count, view.byteOffset).reshape(-1, 52)
    assert np.array_equal(values, take.shapes)
    assert document.meshes[0].extras["targetNames"] == list(arkit.SHAPES)


@pytest.mark.skipif(not TAKES.is_dir(), reason="needs the real takes in ../shared/data/livelink_takes")
@pytest.mark.parametrize("name", TAKE_NAMES)
def test_real_takes_come_back(tmp_path, name):
    take = FaceAnimation.load(TAKES / f"{name}.csv")
    back = read_animation(saved(take, tmp_path / "take.glb"))
    assert back.fps == take.fps and back.frame_count == take.frame_count
    assert np.abs(back.shapes - take.shapes).max() <= 1e-6
    assert np.abs(back.curves - take.curves).max() < 1e-4


def test_a_head_of_ones_own_is_exported(tmp_path):
    own = saved(random_take(2), tmp_path / "own.glb")
    write_animation(random_take(3), tmp_path / "again.glb", options=ExportOptions(head=own))
    before, after = (json_of(tmp_path / name)["meshes"][0]["primitives"] for name in ("own.glb", "again.glb"))
    assert len(before) == len(after)
