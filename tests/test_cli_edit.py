"""`talker animate` with a direction and `talker edit`, from files to files."""

import numpy as np
import pytest

from talker import cli
from talker.animation import FaceAnimation
from talker.audio import Audio, write_wav
from talker.resources import checkpoints_dir
from talker.rigs import arkit

GRID = checkpoints_dir().parent / "examples" / "grid.wav"


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    path = tmp_path_factory.mktemp("takes") / "línea 音.npz"
    assert run("animate", GRID, "-o", path, "--emotion", "neutral@0 angry@1", "--intensity", 0.8) == 0
    return path


def curves(path):
    return FaceAnimation.load(path).curves


def test_a_direction_reaches_the_face(take, tmp_path):
    assert run("animate", GRID, "-o", tmp_path / "neutral.npz") == 0
    brows = arkit.INDEX["browDownLeft"]
    lowered = curves(take)[:, brows] - curves(tmp_path / "neutral.npz")[:, brows]
    assert np.abs(lowered[:50]).max() < 0.1 and lowered[-60:].mean() > 0.3
    assert FaceAnimation.load(take).meta["emotion"][-1]["weights"] == {"neutral": 0.2, "angry": 0.8}


def test_auto_follows_the_voice(tmp_path):
    assert run("animate", GRID, "-o", tmp_path / "auto.npz", "--emotion", "auto", "--mood-reach", 2) == 0
    meta = FaceAnimation.load(tmp_path / "auto.npz").meta
    assert meta["direction"]["emotion"] == "auto" and len(meta["emotion"]) > 1


def test_animate_takes_every_setting(tmp_path):
    switched = ("--no-blinks", "--no-gaze", "--no-head", "--no-breath", "--set", "mouth=0", "--set", "brows=0")
    assert run("animate", GRID, "-o", tmp_path / "still.npz", *switched, "--au", "AU26=1@1-2", "--au", "AU1=E@1-2") == 0
    face = curves(tmp_path / "still.npz")
    assert face[90, arkit.INDEX["jawOpen"]] == pytest.approx(0.5) and face[90, arkit.INDEX["browInnerUp"]] == 1
    assert not face[:30, arkit.INDEX["jawOpen"]].any() and not face[:, arkit.HEAD].any()


def test_nobody_blinks_right_after_a_cut(take, tmp_path):
    shut_at = {}
    for cuts in ("", "0.6,1.2 2"):
        shut_at[cuts] = False
        for seed in range(12):
            setting = ("--set", "blinks=3", "--seed", seed, *(["--cuts", cuts] if cuts else []))
            assert run("edit", take, "-o", tmp_path / "x.npz", *setting) == 0
            lids = curves(tmp_path / "x.npz")[:, arkit.INDEX["eyeBlinkLeft"]]
            shut_at[cuts] |= any(lids[round(cut * 60) : round(cut * 60) + 5].max() > 0.3 for cut in (0.6, 1.2, 2))
    assert shut_at == {"": True, "0.6,1.2 2": False}
    assert FaceAnimation.load(tmp_path / "x.npz").meta["direction"]["finishing"]["cuts"] == [0.6, 1.2, 2.0]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("animate", GRID, "-o", tmp_path / f"{name}.npz", "--variation", seed, "--emotion", "happy") == 0
    a, b, c = ((tmp_path / f"{name}.npz").read_bytes() for name in "abc")
    assert a == b != c


def test_an_edit_of_nothing_copies_and_edits_can_be_undone(take, tmp_path, capsys):
    assert run("edit", take, "-o", tmp_path / "same.npz") == 0
    assert (tmp_path / "same.npz").read_bytes() == take.read_bytes()
    changes = ("--set", "emotion.strength=0.4", "--no-blinks", "--set", "mouth=1.3", "--au", "AU12L=0.6@1.0-2.0")
    assert run("edit", take, "-o", tmp_path / "other.npz", *changes) == 0
    back = ("--intensity", 0.8, "--set", "blinks=on", "--set", "mouth=1", "--set", "au=")
    assert run("edit", tmp_path / "other.npz", "-o", tmp_path / "back.npz", *back) == 0
    assert (tmp_path / "other.npz").read_bytes() != take.read_bytes() == (tmp_path / "back.npz").read_bytes()
    assert "same.npz: npz, 179 frames at 60 fps" in capsys.readouterr().out


def test_an_edit_writes_any_format_and_compares_in_a_page(take, tmp_path, capsys):
    assert run("edit", take, "-o", tmp_path / "x.csv", "--fps", 30, "--shift", -0.1) == 0
    assert FaceAnimation.load(tmp_path / "x.csv").fps == 30
    assert run("edit", take, "-o", tmp_path / "x.html", "--emotion", "sad") == 0
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert '"caption":"Before"' in page and '"caption":"After"' in page
    assert "before and after" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.npz", "--set", "blink=off"], "no such setting 'blink'; did you mean 'blinks'?"),
        (["-o", "x.npz", "--set", "blinks"], "'blinks' sets nothing; write name=value"),
        (["-o", "x.npz", "--emotion", "angery"], "did you mean 'angry'"),
        (["-o", "x.npz", "--emotion", "happy@x"], "is no time"),
        (["-o", "x.npz", "--au", "AU12"], "sets no action unit"),
        (["-o", "x.xyz"], "no format has the extension '.xyz'"),
        (["-o", "x.npz", "--cuts", "1 soon"], "'soon' in 'cuts=1 soon' is no time; write seconds"),
        (["-o", "x.npz", "--look-at", "nowhere"], "cannot look at 'nowhere'"),
    ],
)
def test_a_mistake_is_one_line(take, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run("edit", take, *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1 and captured.out == ""
    assert not list(tmp_path.iterdir())


def test_takes_without_layers_and_the_input_itself_are_refused(take, tmp_path, capsys):
    assert run("convert", take, tmp_path / "x.csv") == 0
    assert run("edit", tmp_path / "x.csv", "-o", tmp_path / "y.npz") == 2
    assert "only an .npz by `talker animate`" in capsys.readouterr().err
    assert run("edit", take, "-o", take) == 2
    assert "is the input" in capsys.readouterr().err
    assert run("edit", tmp_path / "missing.npz", "-o", tmp_path / "y.npz") == 2
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--emotion", "angery"], "no such emotion 'angery'; did you mean 'angry'?; choices: neutral, happy"),
        (["--emotion", "happy@later"], "'later' in 'happy@later' is no time"),
        (["--emotion", "scene.json"], "no such file: scene.json"),
        (["--intensity", "-1"], "an intensity of -1 is outside 0..2"),
        (["--mood-rest", "grumpy", "--emotion", "auto"], "no such emotion 'grumpy'"),
        (["--set", "brow=2"], "did you mean 'brows'"),
        (["--style", "nobody"], "knows no style 'nobody'"),
    ],
)
def test_a_mistaken_direction_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run("animate", GRID, "-o", "x.npz", *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_list_is_animated_with_a_report(tmp_path, capsys):
    tone = 0.1 * np.sin(np.arange(1600) / 8)
    write_wav(Audio(tone, 16_000), tmp_path / "kurz ß.wav")
    (tmp_path / "empty.wav").touch()
    script = "path,emotion,output\nkurz ß.wav,sad,\nempty.wav,,\nkurz ß.wav,happy@0,froh.npz\n"
    (tmp_path / "script.csv").write_text(script, encoding="utf-8")
    report = tmp_path / "report.csv"
    assert run("animate", tmp_path / "script.csv", "-o", tmp_path / "out", "--report", report) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["froh.npz", "kurz ß.csv"]
    assert FaceAnimation.load(tmp_path / "out/froh.npz").frame_count == 6
    assert [row.split(",")[2] for row in report.read_text(encoding="utf-8").splitlines()[1:]] == [
        *("done", "failed", "done")
    ]
    errors = capsys.readouterr().err
    assert "the file is empty" in errors and "1 of 3 files failed" in errors and "Traceback" not in errors


def test_a_bad_list_stops_before_any_work(tmp_path, capsys):
    (tmp_path / "script.csv").write_text(f"path,emotion\n{GRID},sad\n{GRID},angery\n")
    assert run("animate", tmp_path / "script.csv", "-o", tmp_path / "out") == 2
    assert "would both become" in capsys.readouterr().err
    (tmp_path / "script.csv").write_text(f"path,emotion,output\n{GRID},sad,a\n{GRID},angery,b\n")
    assert run("animate", tmp_path / "script.csv", "-o", tmp_path / "out") == 2
    assert "script.csv, line 3: no such emotion 'angery'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
