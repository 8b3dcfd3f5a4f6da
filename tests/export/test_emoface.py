"""EmoFace text: the older board's columns, 60 frames per second, and back."""

from pathlib import Path

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.registry import read_animation, write_animation
from talker.rigs import arkit, emoface, metahuman


def take(fps: float = 60.0, **channels: object) -> FaceAnimation:
    animation = FaceAnimation.from_channels(channels, fps)
    return FaceAnimation(arkit.eye_angles_from_looks(animation.curves), fps)


def columns_of(path: Path) -> dict[str, np.ndarray]:
    """Values by EmoFace's own column names, read without talker's reader."""
    rows = [[float(cell) for cell in line.split(",")] for line in path.read_text("ascii").splitlines()]
    return dict(zip(emoface.COLUMNS, np.array(rows).T, strict=True))


def test_columns():
    assert len(emoface.COLUMNS) == len(set(emoface.COLUMNS)) == 174
    assert emoface.COLUMNS[36] == "CTRL_L_eye_blink-translateY"  # EmoFace's blink code writes 36 and 105.
    assert emoface.COLUMNS[105] == "CTRL_R_eye_blink-translateY"
    assert emoface.COLUMNS[:2] == ("CTRL_C_eye-translateX", "CTRL_C_eye-translateY")  # And its gaze code 0 and 1.
    older = {name for name in emoface.CONTROLS if name not in metahuman.CONTROL_INDEX}
    assert len(older) == 12
    assert "CTRL_C_eye.tx" in older


def test_writes_named_controls(tmp_path: Path):
    path = tmp_path / "line.txt"
    write_animation(
        take(mouthSmileLeft=[0, 0.5, 1], jawOpen=0.4, mouthClose=0.4, tongueOut=1.0, jawRight=0.3, eyeWideLeft=0.2),
        path,
        rig="emoface",
    )
    columns = columns_of(path)
    np.testing.assert_allclose(columns["CTRL_L_mouth_cornerPull-translateY"], [0, 0.5, 1], atol=1e-6)
    assert columns["CTRL_R_mouth_cornerPull-translateY"].max() == 0
    assert (columns["CTRL_C_jaw-translateX"] == 0.3).all()
    assert (columns["CTRL_L_mouth_lipsTogetherU-translateY"] == 1).all()
    assert (columns["CTRL_L_eye_blink-translateY"] == -0.2).all()
    assert (columns["CTRL_C_tongue-translateY"] == -0.7).all()
    assert (columns["CTRL_C_tongue_narrowWide-translateY"] == 0.5).all()
    assert (columns["CTRL_L_nose_wrinkleUpper-translateY"] == 1).all()
    for name in ("CTRL_lookAtSwitch", "CTRL_neckCorrectivesMultiplyerU"):
        assert (columns[f"{name}-translateY"] == 0).all()
    assert all(len(cell.split(".")[1]) == 6 for cell in path.read_text("ascii").splitlines()[0].split(","))
    assert "-0.000000" not in path.read_text("ascii")


def test_shared_gaze_goes_to_the_common_eye_control(tmp_path: Path):
    path = tmp_path / "line.txt"
    write_animation(take(eyeLookOutLeft=0.5, eyeLookInRight=0.3), path, rig="emoface")
    columns = columns_of(path)
    assert columns["CTRL_C_eye-translateX"][0] == pytest.approx(0.4, abs=1e-6)  # To the left: positive.
    assert columns["CTRL_L_eye-translateX"][0] == pytest.approx(0.1, abs=1e-6)
    assert columns["CTRL_R_eye-translateX"][0] == pytest.approx(-0.1, abs=1e-6)
    back = read_animation(path)
    assert back.channel("eyeLookOutLeft")[0] == pytest.approx(0.5, abs=1e-5)
    assert back.channel("eyeLookInRight")[0] == pytest.approx(0.3, abs=1e-5)
    assert back.channel("leftEyeYaw")[0] < 0


def test_sixty_frames_per_second(tmp_path: Path):
    path = tmp_path / "line.txt"
    write_animation(take(30.0, jawOpen=np.linspace(0, 1, 30)), path, rig="emoface")
    back = read_animation(path)
    assert back.fps == 60
    assert back.frame_count == 60
    np.testing.assert_allclose(back.channel("jawOpen")[::2], np.linspace(0, 1, 30), atol=1e-5)


def test_comes_back(tmp_path: Path):
    random = np.random.default_rng(0)
    channels = {name: random.random(50) ** 2 for name in ("mouthFunnel", "browInnerUp", "mouthRollUpper", "cheekPuff")}
    original = take(jawOpen=np.linspace(0, 1, 50), mouthClose=np.linspace(0, 0.5, 50), noseSneerRight=0.7, **channels)
    path = tmp_path / "ünï.txt"
    write_animation(original, path, rig="emoface")
    np.testing.assert_allclose(read_animation(path).curves, original.curves, atol=3e-5)


def test_values_out_of_range_are_cut(tmp_path: Path):
    """EmoFace's network overshoots a little: -0.0005 on controls from 0 to 1."""
    path = tmp_path / "network.txt"
    values = np.zeros(174)
    values[emoface.COLUMN_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 1.02
    values[emoface.COLUMN_INDEX["CTRL_R_mouth_cornerPull.ty"]] = -0.0005
    path.write_text(",".join(str(value) for value in values) + "\n", encoding="ascii")
    animation = read_animation(path)
    assert animation.channel("mouthSmileLeft")[0] == 1
    assert animation.channel("mouthSmileRight")[0] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [lines[0], lines[1].rsplit(",", 1)[0]], "line 2 has 173 values, not 174; the line is damaged"),
        (lambda lines: ["hello"], "line 1 has 1 values, not 174; is it an EmoFace file?"),
        (lambda lines: [lines[0], "nan" + lines[1][8:]], "line 2, column 1 (CTRL_C_eye-translateX) is 'nan'"),
        (lambda lines: ["\n"], "it has 0 lines"),
    ],
)
def test_damage_is_one_clear_line(tmp_path: Path, change, message: str):
    path = tmp_path / "bad.txt"
    write_animation(take(jawOpen=[0, 1]), path, rig="emoface")
    path.write_text("\n".join(change(path.read_text("ascii").splitlines())), encoding="ascii")
    with pytest.raises(TalkerError) as caught:
        read_animation(path, "emoface-txt")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
