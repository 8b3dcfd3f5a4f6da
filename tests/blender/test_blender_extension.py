"""The extension inside Blender 5 and Debian's Blender 3.4: validated, built, installed, used on several objects."""

import importlib.util
import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from blenders import EXTENSION, TAKES, run_inside

from talker.animation import FaceAnimation
from talker.export.registry import ExportOptions, write_animation
from talker.rigs import arkit
from talker.rigs.head_mesh import rotation

pytestmark = [pytest.mark.slow, pytest.mark.blender]


def packed(folder):
    """The zip that `pack.py` makes."""
    spec = importlib.util.spec_from_file_location("pack", EXTENSION / "pack.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pack(folder)


def use(program, tmp_path, take, calls, frames) -> dict[str, np.ndarray]:
    """Run the operator in a scene with talker's head; calls without a path get the take as .npz."""
    write_animation(replace(take, audio=None), tmp_path / "head.blend", options=ExportOptions(blender=program))
    take.save(tmp_path / "line.npz")
    calls = [{"filepath": str(tmp_path / "line.npz"), **call} for call in calls]
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"calls": calls, "frames": frames}), encoding="utf-8")
    out = tmp_path / "out.npz"
    run_inside(program, "use_extension.py", packed(tmp_path), tmp_path / "head.blend", job, out, home=tmp_path)
    with np.load(out) as arrays:
        return dict(arrays)


def shapes(found: dict[str, np.ndarray]) -> np.ndarray:
    """(frames, 52) values of the head's shape keys in talker's order."""
    names = found["names"].tolist()
    return found["values"][:, [names.index(name) for name in arkit.SHAPES]]


def test_take_on_several_objects(any_blender, take, tmp_path) -> None:
    frames = [0, 13, 49]
    found = use(any_blender, tmp_path, take, [{}], frames)
    assert found["enabled"] and found["menu"]
    assert found["results"].tolist() == ["FINISHED"]
    assert found["bones"].tolist() == ["head", "left_eye", "right_eye"]
    assert str(found["drop"]) == (".npz;.csv;.json" if tuple(found["version"]) >= (4, 1) else "")
    np.testing.assert_allclose(shapes(found), take.shapes[frames], atol=1e-6)
    names = found["names"].tolist()
    for key, channel in (("Teeth_JawOpen", "jawOpen"), ("mouthSmile_L", "mouthSmileLeft")):
        np.testing.assert_allclose(found["values"][:, names.index(key)], take.channel(channel)[frames], atol=1e-6)
    np.testing.assert_allclose(found["time"], [0, take.frame_count - 1, take.fps], atol=1e-4)
    assert found["strips"].tolist() == ["line 0 True"]
    # The bones' own axes differ from talker's, but not by how much they turn.
    for joint, angles in enumerate((arkit.HEAD, arkit.LEFT_EYE, arkit.RIGHT_EYE)):
        turn = rotation(torch.tensor(take.curves[frames, angles])).numpy()
        cosine = (np.trace(turn, axis1=1, axis2=2) - 1) / 2
        np.testing.assert_allclose(2 * found["quaternions"][:, joint, 0] ** 2 - 1, cosine, atol=1e-5)


def test_options(any_blender, take, tmp_path) -> None:
    calls = [
        {"start_frame": 0, "set_scene": False, "add_sound": False},  # The scene runs at the take's rate already.
        {"start_frame": 20, "mirror": True, "scale": 0.5, "regions": ["mouth"], "turn_joints": False},
    ]
    found = use(any_blender, tmp_path, take, calls, [10, 30])
    assert found["results"].tolist() == ["FINISHED", "FINISHED"]
    before, after = shapes(found)
    np.testing.assert_allclose(before, take.shapes[10], atol=1e-6)
    expected = take.shapes[30].copy()
    mouth = [i for i, name in enumerate(arkit.SHAPES) if name.startswith("mouth")]
    expected[mouth] = 0.5 * take.mirrored().shapes[10][mouth]
    np.testing.assert_allclose(after, expected, atol=1e-6)
    assert found["strips"].tolist() == ["line 20 True"]
    np.testing.assert_allclose(found["time"][:2], [20, 20 + take.frame_count - 1])


def test_an_object_turns_as_the_eye(any_blender, take, tmp_path) -> None:
    found = use(any_blender, tmp_path, take, [{"settings": {"left_eye": "Eye"}}], [7, 8])
    turn = rotation(torch.tensor(take.curves[7, arkit.LEFT_EYE])).numpy()
    to_blender = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    np.testing.assert_allclose(found["eye"][0, :3, :3], to_blender @ turn @ to_blender.T, atol=1e-5)
    head, left, right = np.abs(np.diff(found["quaternions"], axis=0)[0]).max(axis=1) > 1e-3
    assert head and right and not left, "an object chosen for an eye spares its bone"


def test_messages(bpy_python, take, tmp_path) -> None:
    (tmp_path / "broken.csv").write_text("Timecode,BlendShapeCount,JawOpen\n00:00:00:00.000,61,x\n")
    (tmp_path / "other.csv").write_text("time,unknown,names\n0,1,2\n")
    calls = [{"filepath": str(tmp_path / name)} for name in ("broken.csv", "other.csv", "missing.npz", "take.txt")]
    found = use(bpy_python, tmp_path, take, calls, [0])
    broken, other, missing, wrong = found["results"].tolist()
    assert "broken.csv: a cell is not a number" in broken
    assert "no shape key of Head is named like a curve of the take; it has eyeBlinkLeft" in other
    assert "missing.npz: cannot open the file" in missing
    assert "cannot read '.txt' files; supported: .npz, .csv, .json, .glb" in wrong
    assert not found["strips"].size and (found["values"] == 0).all()


@pytest.mark.skipif(not TAKES.is_dir(), reason="the real takes in ../shared/data are not here")
def test_real_take(any_blender, tmp_path) -> None:
    path = TAKES / "apfel.csv"
    frames = [3, 500, 1890]
    found = use(any_blender, tmp_path, FaceAnimation.load(path), [{"filepath": str(path)}], frames)
    np.testing.assert_allclose(shapes(found), FaceAnimation.load(path).shapes[frames], atol=1e-5)


def test_blender_validates_and_builds_it(bpy_python, tmp_path) -> None:
    where = "import bpy; print(bpy.utils.resource_path('LOCAL'))"
    local = subprocess.run([bpy_python, "-c", where], capture_output=True, text=True, check=True).stdout.split()[-1]
    tool = [bpy_python, f"{local}/scripts/addons_core/bl_pkg/cli/blender_ext.py"]
    steps = (
        ["validate", EXTENSION],
        ["validate", packed(tmp_path)],
        ["build", "--source-dir", EXTENSION, "--output-dir", tmp_path / "built"],
    )
    (tmp_path / "built").mkdir()
    for step in steps:
        done = subprocess.run([*tool, *step], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [file.name for file in (tmp_path / "built").iterdir()] == ["talker_face-0.1.0.zip"]
