"""The extension's own file readers and name matching, outside Blender, against talker's readers."""

import importlib
import json
import sys
import types

import numpy as np
import pytest
import torch
from blenders import EXTENSION, TAKES

from talker.animation import FaceAnimation
from talker.audio import Audio, write_wav
from talker.rigs import arkit
from talker.rigs.head_mesh import rotation
from talker.rigs.turns import matrices


def module(name: str) -> types.ModuleType:
    """A module of the extension, whose package itself needs Blender."""
    package = types.ModuleType("talker_face")
    package.__path__ = [str(EXTENSION)]
    sys.modules.setdefault("talker_face", package)
    return importlib.import_module(f"talker_face.{name}")


take_files, shape_names, turning = module("take_files"), module("shape_names"), module("turning")


def curves_of(found, count: int) -> np.ndarray:
    """(T, 61) in talker's order, linear between the rows, as Blender moves between keys."""
    curves = np.zeros((count, arkit.CHANNEL_COUNT))
    for name, source in shape_names.match(arkit.CHANNELS, found.curves).items():
        curves[:, arkit.INDEX[name]] = np.interp(np.arange(count), found.frames, found.curves[source])
    return curves


@pytest.mark.skipif(not TAKES.is_dir(), reason="the real takes in ../shared/data are not here")
@pytest.mark.parametrize("name", ["S07-001", "S88-001", "alex_rom_3", "alex_rom_4", "apfel", "facial"])
def test_real_takes_as_talker_reads_them(name) -> None:
    reference = FaceAnimation.load(TAKES / f"{name}.csv")
    found = take_files.read_take(TAKES / f"{name}.csv")
    assert found.fps == pytest.approx(reference.fps, abs=1e-3)
    assert found.frames[-1] < reference.frame_count
    curves = np.clip(curves_of(found, reference.frame_count)[:, : arkit.SHAPE_COUNT], 0, 1)
    np.testing.assert_allclose(curves, reference.shapes, atol=1e-5)


@pytest.mark.parametrize("extension", [".npz", ".csv", ".json", ".glb"])
def test_what_talker_writes(extension, take, tmp_path) -> None:
    from talker.export.registry import write_animation

    path = tmp_path / f"take{extension}"
    write_animation(take, path, name="a2f-json" if extension == ".json" else None)
    found = take_files.read_take(path)
    assert found.fps == pytest.approx(take.fps, abs=1e-2)
    assert found.frames.tolist() == list(range(take.frame_count))
    np.testing.assert_allclose(curves_of(found, take.frame_count), take.curves, atol=1e-5)
    if extension == ".npz":
        np.testing.assert_array_equal(found.sound[0], take.audio.samples)


@pytest.mark.parametrize("name", ["metahuman-csv", "metahuman-json", "viseme-csv", "viseme-json"])
def test_other_rigs_keep_their_names(name, take, tmp_path) -> None:
    from talker.export.registry import write_animation

    path = tmp_path / f"take.{name[-4:].lstrip('-')}"
    write_animation(take, path, name=name)
    found = take_files.read_take(path)
    assert len(found.frames) == take.frame_count and found.fps == pytest.approx(take.fps, abs=1e-2)
    if name.startswith("metahuman"):
        np.testing.assert_allclose(found.curves["HeadYaw"], take.channel("headYaw"), atol=1e-6)
        assert shape_names.match(["CTRL_expressions_jawOpen"], found.curves)
    else:
        keys = shape_names.match(["viseme_PP", "viseme_E", "viseme_sil"], found.curves)
        assert list(keys.values()) == ["PP", "E", "sil"]


def test_sound_beside_a_take(take, tmp_path) -> None:
    take.save(tmp_path / "take.csv")
    assert take_files.read_take(tmp_path / "take.csv").sound is None
    write_wav(Audio(np.zeros(160), 16000), tmp_path / "take.wav")
    assert take_files.read_take(tmp_path / "take.csv").sound == tmp_path / "take.wav"


def test_tables_without_times(tmp_path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("frame,JawOpen,odd\n0,0.25,1\n1,0.5,2\n")
    found = take_files.read_take(path, table_fps=24)
    assert found.fps == 24 and list(found.curves) == ["JawOpen", "odd"]
    assert found.curves["JawOpen"].tolist() == [0.25, 0.5]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "no row below the header"),
        ("a.csv", "Timecode,BlendShapeCount,JawOpen\n1:2,61,0\n", "not HH:MM:SS:FF.mmm"),
        ("a.csv", "time,jawOpen\n0,0\n0,1\n", "does not come after"),
        ("a.csv", "time,jawOpen\n0,nan\n1,0\n", "jawOpen is not a finite number in frame 0"),
        ("a.csv", "time,jawOpen\n0\n", "row 1 has 1 cells for 2 columns"),
        ("a.json", "[1, 2", "damaged or not what its name says"),
        ("a.json", '{"a": 1}', "no face curves in a layout known here"),
        ("a.glb", "glTF", "damaged or not what its name says"),
        ("a.npz", "PK", "damaged or not what its name says"),
        ("a.txt", "x", "cannot read '.txt' files"),
    ],
)
def test_damaged_files_say_why(name, content, message, tmp_path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(take_files.TakeError, match=message):
        take_files.read_take(tmp_path / name)


def test_lam_json(tmp_path) -> None:
    frames = [{"weights": [0.1, 0.2], "time": i / 30, "rotation": []} for i in range(3)]
    data = {"names": ["jawOpen", "mouthClose"], "metadata": {"fps": 30.0}, "frames": frames}
    (tmp_path / "lam.json").write_text(json.dumps(data))
    found = take_files.read_take(tmp_path / "lam.json")
    assert found.fps == 30 and found.curves["mouthClose"].tolist() == [0.2] * 3


def test_names_in_many_spellings() -> None:
    keys = {
        "eyeBlinkLeft": "eyeBlinkLeft",
        "EyeBlink_L": "eyeBlinkLeft",
        "eyeBlink.R": "eyeBlinkRight",
        "eyeBlinkR": "eyeBlinkRight",
        "blendShape1.JawOpen": "jawOpen",
        "CC_Base_Body_Jaw_Open": "jawOpen",
        "jawLeft": "jawLeft",
        "mouthSmile_l": "mouthSmileLeft",
        "cheekPuff_L": "cheekPuff",
        "browInnerUpRight": "browInnerUp",
        "Breathe": None,
        "tongue": None,
    }
    found = shape_names.match(keys, arkit.CHANNELS)
    assert {key: found.get(key) for key in keys} == keys


def test_regions_as_talker_has_them() -> None:
    for name in arkit.SHAPES:
        assert shape_names.region(name) == arkit.region(name)


def test_mirror_as_talker_does(take) -> None:
    curves = dict(zip(arkit.CHANNELS, take.curves.T, strict=True))
    mirrored = shape_names.mirrored(curves)
    np.testing.assert_array_equal(np.stack([mirrored[name] for name in arkit.CHANNELS], 1), take.mirrored().curves)


def test_rotations_as_the_head_turns() -> None:
    angles = np.random.default_rng(3).uniform(-1, 1, (50, 3))
    turns = turning.quaternions(angles)
    to_blender = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    there = matrices(turns[:, [1, 2, 3, 0]])
    here = to_blender @ rotation(torch.tensor(angles)).numpy() @ to_blender.T
    np.testing.assert_allclose(there, here, atol=1e-12)
    glb = matrices(np.stack([turns[:, 1], turns[:, 3], -turns[:, 2], turns[:, 0]], 1))
    np.testing.assert_allclose(glb, rotation(torch.tensor(angles)).numpy(), atol=1e-12)
    back = take_files.angles_of(np.stack([turns[:, 1], turns[:, 3], -turns[:, 2], turns[:, 0]], 1))
    np.testing.assert_allclose(back, angles, atol=1e-9)


def test_bones_of_usual_rigs() -> None:
    rigs = {
        ("neck", "head", "left_eye", "right_eye"): ("head", "left_eye", "right_eye"),
        ("mixamorig:Head", "mixamorig:LeftEye", "mixamorig:RightEye"): (
            "mixamorig:Head",
            "mixamorig:LeftEye",
            "mixamorig:RightEye",
        ),
        ("spine.006", "eye.L", "eye.R", "ear.L"): ("spine.006", "eye.L", "eye.R"),
        ("CC_Base_Head", "CC_Base_L_Eye", "CC_Base_R_Eye"): ("CC_Base_Head", "CC_Base_L_Eye", "CC_Base_R_Eye"),
        ("J_Bip_C_Head", "J_Adj_L_FaceEye", "J_Adj_R_FaceEye"): (
            "J_Bip_C_Head",
            "J_Adj_L_FaceEye",
            "J_Adj_R_FaceEye",
        ),
        ("hand", "foot"): (None, None, None),
    }
    for bones, expected in rigs.items():
        assert tuple(turning.find_bone(bones, joint) for joint in turning.JOINTS) == expected
