"""The Unreal scripts: run against a fake editor that records the keys and is held against the real API."""

import ast
import importlib.util
import inspect
import json
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import fake_unreal
import numpy as np
import pytest
import unreal_stub
from fake_unreal import AnimSequence, FakeUnreal, FrameRate, LevelSequence, Skeleton

from talker.animation import FaceAnimation
from talker.export.registry import ExportOptions, write_animation
from talker.rigs import arkit, metahuman

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    ROOT / "talker/export/unreal_scripts/sequence.py",
    ROOT / "talker/export/unreal_scripts/board.py",
    ROOT / "examples/unreal/import_livelink_csv.py",
]
SKELETON = "/Game/MetaHumans/Common/Face/Face_Archetype_Skeleton"
needs_stub = pytest.mark.skipif(
    unreal_stub.stub_text() is None, reason="unreal-stub is not installed: pip install --no-deps unreal-stub==0.3"
)


def take(count: int = 31, fps: float = 30.0) -> FaceAnimation:
    time = np.linspace(0, 1, count)
    animation = FaceAnimation.from_channels(
        {
            "jawOpen": np.abs(np.sin(7 * time)),
            "mouthClose": 0.1,
            "jawRight": 0.5 * time,
            "mouthSmileLeft": time,
            "eyeLookOutLeft": 0.5,
            "eyeBlinkRight": time > 0.5,
            "headYaw": 0.3 * time,
        },
        fps,
    )
    return FaceAnimation(arkit.eye_angles_from_looks(animation.curves), fps)


def run(monkeypatch: pytest.MonkeyPatch, unreal: ModuleType, script: Path, **settings: Any) -> FakeUnreal:
    """Run a script as the editor does, perhaps with other settings at its top."""
    text = script.read_text("utf-8")
    for name, value in settings.items():
        text, count = re.subn(rf"(?m)^{name} = [^#\n]*", f"{name} = {value!r}  ", text)
        assert count == 1, name
    script.write_text(text, "utf-8")
    monkeypatch.setitem(sys.modules, "unreal", unreal)
    runpy.run_path(str(script))
    return unreal


def write(folder: Path, animation: FaceAnimation, target: str) -> Path:
    path = folder / "my take 1.py"
    write_animation(animation, path, "unreal-py", options=ExportOptions(target=target))
    return path


@pytest.mark.parametrize("fps", [30.0, 60.0, 24.0, 30000 / 1001])
def test_sequence_keys_equal_the_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fps: float):
    original = take(fps=fps)
    assets: dict[str, Any] = {SKELETON: Skeleton()}
    unreal = run(monkeypatch, FakeUnreal(assets), write(tmp_path, original, "sequence"))
    sequence = assets["/Game/Talker/my_take_1"]
    assert sequence.get_editor_property("skeleton") is assets[SKELETON]
    assert sequence.controller.open_brackets == 0
    assert sequence.controller.rate[0] / sequence.controller.rate[1] == pytest.approx(fps, rel=1e-9)
    assert sequence.controller.frames == original.frame_count - 1
    head = {"HeadYaw", "HeadPitch", "HeadRoll", "HeadControlSwitch"}
    assert set(sequence.curves) == set(metahuman.CURVE_INDEX) | head
    expected = metahuman.arkit_to_curves(original.curves)
    for name, column in metahuman.CURVE_INDEX.items():
        times, values = np.array(sequence.curves[name]).T
        if len(values) == 1:
            assert np.ptp(expected[:, column]) < 1e-5, name
            assert values[0] == pytest.approx(expected[0, column], abs=6e-6)
        else:
            np.testing.assert_allclose(times, original.times, atol=1e-9)
            np.testing.assert_allclose(values, expected[:, column], atol=6e-6, err_msg=name)
    assert len(sequence.curves["CTRL_expressions_jawOpen"]) == original.frame_count
    assert sequence.curves["HeadYaw"][-1][1] == pytest.approx(np.degrees(0.3), abs=1e-4)
    assert sequence.curves["HeadControlSwitch"] == [(0.0, 0.0)]
    assert "/Game/Talker/my_take_1" in unreal.messages[-1]


def test_sequence_is_updated_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    skeleton = Skeleton()
    sequence = AnimSequence("/Game/Faces/Line", skeleton)
    sequence.curves["old"] = [(0.0, 1.0)]
    assets = {"/Game/Mine/Face": skeleton, "/Game/Faces/Line": sequence}
    settings = {"FOLDER": "/Game/Faces", "NAME": "Line", "SKELETON": "/Game/Mine/Face", "HEAD_CONTROL": 1.0}
    run(monkeypatch, FakeUnreal(assets), write(tmp_path, take(1), "sequence"), **settings)
    assert "old" not in sequence.curves
    assert sequence.controller.frames == 1  # The engine allows no sequence of length 0.
    assert sequence.curves["HeadControlSwitch"] == [(0.0, 1.0)]


@pytest.mark.parametrize(
    ("assets", "message"),
    [
        ({}, f"no skeleton at {SKELETON}"),
        ({SKELETON: object()}, f"no skeleton at {SKELETON}"),
        ({SKELETON: Skeleton(), "/Game/Talker/my_take_1": object()}, "is no animation sequence"),
        ({SKELETON: Skeleton(), "/Game/Talker/my_take_1": AnimSequence("", Skeleton())}, "has another skeleton"),
    ],
)
def test_sequence_errors_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assets: dict, message: str):
    with pytest.raises(RuntimeError, match=f"talker: .*{re.escape(message)}.*(Set|set) "):
        run(monkeypatch, FakeUnreal(assets), write(tmp_path, take(), "sequence"))


@pytest.mark.parametrize(("rate", "start"), [((30, 1), 0), ((60, 1), 100), ((24, 1), -10), ((30000, 1001), 0)])
def test_board_keys_equal_the_controls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: tuple[int, int], start: int
):
    """Keys lie on the frames of the Level Sequence; at its own rate they are the take's values."""
    original = take()
    level = LevelSequence(FrameRate(*rate), start, start + 10, ["Body_CtrlRig", "Face_ControlBoard_CtrlRig_0"])
    run(monkeypatch, FakeUnreal({}, level), write(tmp_path, original, "board"))
    body, face = level.rigs
    assert not body.keys
    assert set(face.keys) == set(metahuman.nodes())
    board = metahuman.arkit_to_board(original.curves)
    fps = rate[0] / rate[1]
    count = int((original.frame_count - 1) * fps / 30 + 1e-6) + 1
    assert level.end == start + count
    for name, axes in metahuman.nodes().items():
        frames, values = zip(*face.keys[name], strict=True)
        columns = board[:, [metahuman.CONTROL_INDEX[axis.name] for axis in axes]]
        if len(frames) == 1:
            assert np.ptp(columns) == 0 or np.ptp(columns, axis=0).max() < 1e-5, name
        else:
            assert frames == tuple(range(start, start + count))
        times = (np.array(frames) - start) / fps
        expected = np.stack([np.interp(times, original.times, column) for column in columns.T], axis=1)
        np.testing.assert_allclose(np.reshape(values, (len(frames), -1)), expected, atol=1e-5, err_msg=name)
    assert face.keys["CTRL_L_nose_wrinkleUpper"] == [(start, 1.0)]
    assert len(face.keys["CTRL_C_jaw"]) == count


def test_board_of_the_second_metahuman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    level = LevelSequence(FrameRate(30), 0, 500, ["Face_ControlBoard_CtrlRig", "Face_ControlBoard_CtrlRig"])
    run(monkeypatch, FakeUnreal({}, level), write(tmp_path, take(), "board"), RIG_NUMBER=2, START_FRAME=7)
    assert not level.rigs[0].keys
    assert level.rigs[1].keys["CTRL_C_jaw"][0][0] == 7
    assert level.end == 500


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (None, "no Level Sequence is open. Open "),
        (LevelSequence(FrameRate(30), 0, 9, []), "has 0 Control Rigs .*its Control Rigs: none.* Add the MetaHuman"),
        (LevelSequence(FrameRate(30), 0, 9, ["Body_CtrlRig"]), "its Control Rigs: Body_CtrlRig"),
    ],
)
def test_board_errors_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: LevelSequence | None, message: str
):
    with pytest.raises(RuntimeError, match=f"talker: .*{message}"):
        run(monkeypatch, FakeUnreal({}, level), write(tmp_path, take(), "board"))


def test_same_take_same_bytes_and_a_sensible_size(tmp_path: Path):
    first, second = (write(tmp_path / name, take(), "sequence").read_bytes() for name in ("a", "b"))
    assert first == second
    assert max(map(len, first.split(b"\n"))) <= 120
    assert len(first) < 12_000
    assert json.dumps("/tmp") not in first.decode("ascii")


def test_livelink_example_imports_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recording = tmp_path / "Anna.csv"
    recording.touch()
    script = tmp_path / "import.py"
    script.write_text(SCRIPTS[2].read_text("utf-8"), "utf-8")
    assets: dict[str, Any] = {}
    monkeypatch.setattr(sys, "argv", ["import.py", str(recording)])
    unreal = run(monkeypatch, FakeUnreal(assets), script)
    properties = assets["/Game/Talker/Anna"].properties
    assert properties["filename"] == str(recording)
    assert isinstance(properties["factory"], fake_unreal.LiveLinkFaceImporterFactory)
    assert properties["automated"]
    assert "/Game/Talker/Anna is ready" in unreal.messages[-1]
    monkeypatch.setattr(sys, "argv", ["import.py", "nothing.csv"])
    with pytest.raises(RuntimeError, match="give the path"):
        run(monkeypatch, unreal, script)


@needs_stub
def test_everything_the_scripts_name_exists_in_unreal():
    for script in SCRIPTS:
        for node in ast.walk(ast.parse(script.read_text("utf-8"))):
            match node:
                case ast.Attribute(ast.Attribute(ast.Name("unreal"), owner), name):
                    assert unreal_stub.member(owner, name), f"{script.name}: unreal.{owner}.{name}"
                case ast.Attribute(ast.Name("unreal"), name) if name != "LiveLinkFaceImporterFactory":
                    known = unreal_stub.class_definition(name) or unreal_stub.has_function(name)
                    assert known, f"{script.name}: unreal.{name}"


@needs_stub
def test_the_fake_editor_has_unreals_signatures():
    """So a script that runs in the fake editor calls only what Unreal has, with arguments that Unreal takes."""
    unreal = FakeUnreal({})
    classes = {name: value for name, value in vars(unreal).items() if isinstance(value, type)}
    own = {"Properties", "FakeUnreal", "LiveLinkFaceImporterFactory"}
    constructed = {"FrameRate", "FrameNumber", "Vector2D", "ScopedEditorTransaction", "ControlRigSequencerBindingProxy"}
    compared = 0
    for class_name, fake in classes.items():
        if class_name in own:
            continue
        assert unreal_stub.class_definition(class_name), class_name
        for method in vars(fake):
            if inspect.isroutine(getattr(fake, method)) and (not method.startswith("_") or class_name in constructed):
                names = list(inspect.signature(getattr(fake, method)).parameters)
                names = names[1:] if names[:1] == ["self"] else names
                if method.startswith("__") and method != "__init__":
                    continue
                assert unreal_stub.argument_names(class_name, method) == names, f"{class_name}.{method}"
                compared += 1
    assert compared > 25


@needs_stub
@pytest.mark.parametrize(
    ("class_name", "names"),
    [
        ("AnimSequence", ["skeleton", "controller"]),
        ("AnimSequenceFactory", ["target_skeleton"]),
        ("ControlRigSequencerBindingProxy", ["control_rig"]),
        ("FrameRate", ["numerator", "denominator"]),
        ("AssetImportTask", ["filename", "destination_path", "destination_name", "factory", "automated"]),
        ("AssetImportTask", ["replace_existing", "save", "imported_object_paths"]),
    ],
)
def test_properties_exist_in_unreal(class_name: str, names: list[str]):
    assert [name for name in names if not unreal_stub.has_editor_property(class_name, name)] == []


def test_scripts_run_on_unreals_oldest_python():
    """Unreal before 5.4 brings Python 3.9."""
    for script in SCRIPTS:
        ast.parse(script.read_text("utf-8"), feature_version=(3, 9))
    assert importlib.util.find_spec("talker.export.unreal") is not None
