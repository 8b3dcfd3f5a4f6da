"""Audio2Face, viseme and VRM files: layout, round trip, what is refused and how."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.registry import read_animation, write_animation
from talker.rigs import arkit, visemes, vrm


def take(frames: int = 40, fps: float = 30.0) -> FaceAnimation:
    random = np.random.default_rng(5).uniform(0, 1, (frames, arkit.CHANNEL_COUNT)).astype(np.float32)
    return FaceAnimation(arkit.eye_angles_from_looks(random), fps)


def speech(frames: int = 40, fps: float = 30.0) -> FaceAnimation:
    """A face that visemes can hold."""
    weights = np.zeros((frames, len(visemes.VISEMES)), np.float32)
    weights[np.arange(frames), np.arange(frames) % 15] = 1.0
    return FaceAnimation(visemes.to_curves(weights), fps)


def test_a2f_json_is_laid_out_as_the_exporter_does(tmp_path: Path) -> None:
    write_animation(take(), tmp_path / "take.json", "a2f-json")
    data = json.loads((tmp_path / "take.json").read_text())
    assert list(data)[:9] == [
        *("exportFps", "trackPath", "numPoses", "numFrames", "facsNames", "weightMat"),
        *("joints", "rotations", "translations"),
    ]
    assert (data["exportFps"], data["numPoses"], data["numFrames"]) == (30, 52, 40)
    assert data["facsNames"] == list(arkit.SHAPES)
    np.testing.assert_allclose(data["weightMat"], take().shapes, atol=1e-7)


@pytest.mark.parametrize("fps", [24, 29.97, 60])
def test_a2f_json_round_trip_keeps_everything(tmp_path: Path, fps: float) -> None:
    animation = FaceAnimation(take().curves * 0.9, fps)
    write_animation(animation, tmp_path / "take.json", "a2f-json")
    back = read_animation(tmp_path / "take.json")
    assert back.fps == fps
    np.testing.assert_allclose(back.curves, animation.curves, atol=1e-7)


def test_a_plain_audio2face_export_is_read(tmp_path: Path) -> None:
    data = {
        "exportFps": 60,
        "facsNames": ["JawOpen", "eyelookdownleft", "toeCurl"],
        "weightMat": [[1.2, 0.5, 7], [0, 0, 0]],
    }
    (tmp_path / "a2f.json").write_text(json.dumps(data))
    back = read_animation(tmp_path / "a2f.json")
    assert (back.fps, back.frame_count) == (60, 2)
    assert back.channel("jawOpen")[0] == 1  # A little over 1 is clipped.
    assert back.channel("leftEyePitch")[0] > 0.2  # The eye follows its lid.


@pytest.mark.parametrize("fps", [24, 29.97, 30, 60])
def test_a2f_csv_round_trip(tmp_path: Path, fps: float) -> None:
    animation = FaceAnimation(take().curves, fps)
    write_animation(animation, tmp_path / "animation_frames.csv", "a2f-csv")
    assert (tmp_path / "animation_frames.csv").read_text().startswith(",timeCode,blendShapes.EyeBlinkLeft,")
    back = read_animation(tmp_path / "animation_frames.csv")
    assert back.fps == fps
    kept = [i for i in range(arkit.CHANNEL_COUNT) if i not in range(*arkit.HEAD.indices(61))]
    np.testing.assert_allclose(back.curves[:, kept], animation.curves[:, kept], atol=1e-6)


def test_a2f_csv_as_the_sample_client_writes_it(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i / 30},0.25,{i / 10}" for i in range(10))
    (tmp_path / "frames.csv").write_text(f",timeCode,blendShapes.MouthClose,blendShapes.JawOpen\n{rows}\n")
    back = read_animation(tmp_path / "frames.csv")
    assert (back.fps, back.frame_count) == (30, 10)
    np.testing.assert_allclose(back.channel("jawOpen"), np.arange(10) / 10, atol=1e-6)


def test_lam_json(tmp_path: Path) -> None:
    path = tmp_path / "take.json"
    write_animation(take(), path, "lam-json")
    data = json.loads(path.read_text())
    assert data["metadata"]["frame_count"] == len(data["frames"]) == 40
    assert data["names"] == data["metadata"]["blendshape_names"] == list(arkit.SHAPES)
    assert data["frames"][3]["time"] == 0.1
    back = read_animation(path)
    assert back.fps == 30
    np.testing.assert_allclose(back.shapes, take().shapes, atol=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(metadata=[]), "'metadata' is no JSON object; export it again"),
        (lambda d: d["metadata"].pop("fps"), "the entry 'fps' is missing; it has frame_count, blendshape_names"),
        (lambda d: d["frames"][4].pop("weights"), "'frames' is not a list of objects with 'weights'; export it again"),
        (lambda d: d["frames"][4]["weights"].pop(), "frame 4 of 'weights' is 51 numbers where 52 are named"),
    ],
)
def test_damaged_lam_json_is_explained(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = tmp_path / "take.json"
    write_animation(take(), path, "lam-json")
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(TalkerError) as caught:
        read_animation(path, "lam-json")
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("name", "file"), [("viseme-csv", "take.csv"), ("viseme-json", "take.json"), ("vrm-json", "take.json")]
)
@pytest.mark.parametrize("fps", [25, 29.97, 60])
def test_visemes_come_back(tmp_path: Path, name: str, file: str, fps: float) -> None:
    rig = vrm if name == "vrm-json" else visemes
    animation = FaceAnimation(speech().curves, fps)
    write_animation(animation, tmp_path / file, name)
    back = read_animation(tmp_path / file)
    assert (back.fps, back.frame_count) == (fps, 40)
    np.testing.assert_allclose(back.curves, rig.to_curves(rig.from_curves(animation.curves)), atol=1e-4)


def test_viseme_files_name_their_columns(tmp_path: Path) -> None:
    write_animation(speech(), tmp_path / "take.csv", "viseme-csv")
    header, first, *_ = (tmp_path / "take.csv").read_text().splitlines()
    assert header == "time,sil,PP,FF,TH,DD,kk,CH,SS,nn,RR,aa,E,I,O,U"
    assert first.startswith("0.000000,1.00000,0.00000")
    write_animation(speech(), tmp_path / "take.json", "viseme-json")
    data = json.loads((tmp_path / "take.json").read_text())
    assert data["visemes"] == list(visemes.VISEMES)
    assert np.shape(data["weights"]) == (40, 15)


def changed(**entries: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update(entries)


A2F_FAULTS: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda d: d.pop("exportFps"), "the entry 'exportFps' is missing; it has trackPath, numPoses, "),
    (lambda d: d.pop("weightMat"), "the entry 'weightMat' is missing; it has "),
    (changed(exportFps="fast"), "'exportFps' is 'fast' where frames per second in 1..1000 go"),
    (changed(exportFps=1e9), "'exportFps' is 1000000000.0 where frames per second in 1..1000 go"),
    (changed(exportFps=10**4000), "'exportFps' is a huge number where frames per second in 1..1000 go"),
    (changed(numFrames=10**9), "'numFrames' says 1000000000 but 'weightMat' holds 40; export it again"),
    (changed(facsNames=["jawOpen"] * 52), "'facsNames' names jawOpen twice; keep one"),
    (changed(facsNames=None), "'facsNames' is None where a list of names is expected"),
    (changed(facsNames=[f"pose{i}" for i in range(52)]), "none of its 52 shapes has an ARKit name such as jawOpen"),
    (changed(weightMat=[]), "'weightMat' is a JSON list of 0 where one list of numbers per frame is expected"),
    (lambda d: d["weightMat"][3].pop(), "frame 3 of 'weightMat' is 51 numbers where 52 are named"),
    (lambda d: d["weightMat"].__setitem__(2, 0.5), "frame 2 of 'weightMat' is 0.5 where 52 are named"),
    (
        lambda d: d["weightMat"][5].__setitem__(17, None),
        "jawOpen is None in frame 5 of 'weightMat', not a finite number",
    ),
    (
        lambda d: d["weightMat"][5].__setitem__(17, "wide"),
        "jawOpen is 'wide' in frame 5 of 'weightMat', not a finite number",
    ),
    (
        lambda d: d["weightMat"][5].__setitem__(17, 85),
        "jawOpen is 85 in frame 5; weights lie in 0..1; divide percentages by 100",
    ),
    (lambda d: d["angleMat"].pop(), "'angleMat' holds 39 frames where 'weightMat' holds 40"),
    (
        lambda d: d["angleMat"][1].__setitem__(0, 45.0),
        "channel headYaw is 45 in frame 1, outside -3.142..3.142 (1 values in all)",
    ),
]


@pytest.mark.parametrize(("change", "message"), A2F_FAULTS, ids=[message[:30] for _, message in A2F_FAULTS])
def test_damaged_a2f_json_is_explained(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = tmp_path / "take.json"
    write_animation(take(), path, "a2f-json")
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(TalkerError) as caught:
        read_animation(path, "a2f-json")
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1 is not JSON (Expecting property name enclosed in double quotes); export it again"),
        ("[1, 2]", "the file holds a JSON list where an object is expected"),
        ('{"exportFps": NaN}', "it holds NaN, which is no JSON number; export it again"),
        ('{"exportFps": ' + "1" * 5000 + "}", "not readable as JSON (Exceeds the limit"),
        ("[" * 200_000, "not readable as JSON (maximum recursion depth exceeded"),
    ],
)
def test_what_is_not_json_is_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "take.json"
    path.write_text(text)
    with pytest.raises(TalkerError) as caught:
        read_animation(path, "a2f-json")
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,sil,PP\n", "there is a header but no row below it"),
        ("time,sil,PP\n0,1\n", "line 2 has 2 cells where the header has 3; the row is cut off: delete it"),
        ("time,sil,PP\n0,1,much\n", "line 2: PP 'much' is not a finite number; repair the cell or delete the row"),
        ("time,sil,PP\n0,1,0\n\n1e-1,nan,0\n", "line 4: sil 'nan' is not a finite number; repair the cell or delete"),
        ("time,sil,XX\n0,1,0\n", "'XX' is none of sil, PP, FF"),
        ("time,sil,PP\n0,1,0\n0,1,0\n", "line 3: its time does not come after that of line 2; is this one take?"),
        ("time,sil,PP\n0,1,50\n", "PP is 50 in frame 0; weights lie in 0..1; divide percentages by 100"),
        ("time,sil,PP\n0,1,0\n1e-5,1,0\n", "its rows follow at 100000 frames per second, not 1..1000"),
    ],
)
def test_damaged_viseme_tables_are_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "take.csv"
    path.write_text(text)
    with pytest.raises(TalkerError) as caught:
        read_animation(path)
    assert str(caught.value).startswith(f"{path}: {message}")
