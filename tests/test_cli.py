"""The command line: what people see when something is wrong, what scripts rely on, how fast it answers."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

import talker
from talker.animation import FaceAnimation
from talker.cli import COMMANDS, main
from talker.cli.menu import Menu
from talker.emotion import EMOTIONS
from talker.rigs import arkit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a take, a sound and some traps."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(2).uniform(0, 1, (30, arkit.CHANNEL_COUNT)).astype(np.float32)
    FaceAnimation(random, 30).save("take.csv")
    soundfile.write("line.wav", np.zeros(16000), 16000)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "empty.csv").touch()
    (tmp_path / "plain").write_text("a file")
    lines = (tmp_path / "take.csv").read_text().splitlines()
    (tmp_path / "cut.csv").write_text("\n".join([*lines[:7], lines[7][:100]]))
    return tmp_path


def command(line: str) -> int:
    return main(line.split())


def status(arguments: Sequence[str]) -> int | str | None:
    """What the program exits with, whether its own code or the parser's ends it."""
    try:
        return main(list(arguments))
    except SystemExit as leaving:
        return leaving.code


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("convert missing.csv out.json", "no such file: missing.csv"),
        ("convert empty.csv out.json", "cannot read empty.csv: the file is empty"),
        ("convert folder.csv out.json", "cannot read folder.csv: it is a folder, not a file"),
        (
            "convert cut.csv out.json",
            "cut.csv: line 8 has 9 cells where the header has 63; the row is cut off: delete it",
        ),
        ("convert take.csv folder.csv", "cannot write folder.csv: it is a folder; give a file name"),
        (
            "convert take.csv plain/out.csv",
            "cannot write plain/out.csv: file exists; choose a folder you may write to",
        ),
        (
            "convert take.csv out.csv --rig visem",
            "no such rig 'visem'; did you mean 'viseme'?; "
            "choices: arkit, metahuman, emoface, viseme, vrm, flame, smplx",
        ),
        (
            "convert take.csv out.npz --rig viseme",
            "out.npz: no '.npz' format speaks the rig 'viseme'; that rig has viseme-csv (.csv), viseme-json (.json)",
        ),
        ("convert take.csv out.csv --fps 0", "--fps 0: frames per second lie in 1..1000"),
        ("convert take.csv out.csv --fps fast", "--fps fast: write frames per second as 30, 29.97 or 30000/1001"),
        ("convert take.csv out.csv --fps nan", "--fps nan: write frames per second as 30, 29.97 or 30000/1001"),
        ("convert take.csv out.csv --audio nope.wav", "no such file: nope.wav"),
        (
            "preview take.csv -o out.glb",
            "out.glb: a preview is an .mp4, .html or .png file; `talker convert` writes others",
        ),
        (
            "train prior --takes . --space flam -o prior",
            "no such space of takes 'flam'; did you mean 'flame'?; choices: flame, metahuman",
        ),
        (
            "convert take.csv out.csv --audio plain",
            "cannot read plain: no sound decoder understands it; convert it to WAV",
        ),
        (
            "rigs show arkti",
            "no such rig 'arkti'; did you mean 'arkit'?; choices: arkit, metahuman, emoface, viseme, vrm, flame, smplx",
        ),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    arguments: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(folder)
    assert command(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err == f"talker: error: {message}\n"
    assert captured.out == ""
    assert everything(folder) == before


@pytest.mark.parametrize(
    ("arguments", "beginning"),
    [
        ("convert take.csv out.avi", "out.avi: no format has the extension '.avi'; choose one of .npz, .csv, "),
        ("convert take.csv out", "out: no format has the extension ''; choose one of .npz, .csv, "),
        (
            "convert take.csv out.csv --format livelink",
            "no such format 'livelink'; did you mean 'livelink-csv'?; choices: npz, livelink-csv, ",
        ),
        (
            "convert line.wav out.csv",
            "line.wav: cannot read '.wav' files as animation; readable: .npz, .csv, ",
        ),
    ],
)
def test_choices_are_listed(arguments: str, beginning: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(folder)
    assert command(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"talker: error: {beginning}")
    assert error.count("\n") == 1
    assert everything(folder) == before


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["convrt", "take.csv", "out.csv"], "no such command 'convrt'; did you mean 'convert'?; `talker --help` lists"),
        (["rigs", "fitt"], "no such command 'fitt'; did you mean 'fit'?; `talker rigs --help` lists"),
        (["convert", "take.csv", "out.csv", "--fsp", "30"], "--fps"),
        (["convert", "take.csv", "out.csv", "--angle-unit", "gradians"], "degrees"),
        (["convert"], "File to read"),
        (["animate", "line.wav", "-o", "out.csv", "--intensity", "lots"], "could not convert string to float: 'lots'"),
        (["rigs"], "show"),
        ([], "convert"),
    ],
)
def test_misspelt_commands_exit_2_and_point_the_way(
    arguments: Sequence[str], hint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(arguments) == 2
    captured = capsys.readouterr()
    assert hint in captured.err
    assert "--help" in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_convert(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("convert take.csv out.npz --audio line.wav --fps 60") == 0
    assert capsys.readouterr().out == "out.npz: npz, 60 frames at 60 fps\n"
    back = FaceAnimation.load("out.npz")
    assert (back.fps, back.frame_count) == (60, 60)
    assert back.audio is not None and back.audio.duration == 1
    np.testing.assert_array_equal(back.curves[::2], FaceAnimation.load("take.csv").curves)


def test_the_input_is_never_the_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "take.csv").read_bytes()
    assert command("convert take.csv take.csv --fps 10") == 2
    assert "take.csv is the input" in capsys.readouterr().err
    assert (folder / "take.csv").read_bytes() == before


def test_fractions_are_rates(folder: Path) -> None:
    assert command("convert take.csv ntsc.npz --fps 30000/1001") == 0
    assert FaceAnimation.load("ntsc.npz").fps == 30000 / 1001


def test_convert_under_another_rig(folder: Path) -> None:
    assert command("convert take.csv mouth.csv --rig viseme") == 0
    assert (folder / "mouth.csv").read_text().startswith("time,sil,PP,")
    assert command("convert mouth.csv back.json --format a2f-json") == 0


def test_degrees_reach_reader_and_writer(folder: Path) -> None:
    FaceAnimation.from_channels({"headYaw": 1.0}, 30).save("turned.npz")
    assert command("convert turned.npz turned.csv --angle-unit degrees") == 0
    assert ",57.29" in (folder / "turned.csv").read_text()
    assert command("convert turned.csv back.npz --input-angle-unit degrees") == 0
    assert FaceAnimation.load("back.npz").channel("headYaw")[0] == pytest.approx(1.0)
    assert command("convert turned.csv radians.csv --input-angle-unit degrees") == 0
    assert FaceAnimation.load("radians.csv").channel("headYaw")[0] == pytest.approx(1.0)


def test_a_link_stays_and_a_pipe_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "link.npz").symlink_to("target.npz")
    assert command("convert take.csv link.npz") == 0
    assert (folder / "link.npz").is_symlink() and FaceAnimation.load("target.npz").fps > 0
    os.mkfifo(folder / "pipe.npz")
    assert command("convert take.csv pipe.npz") == 2
    assert "a device or a pipe" in capsys.readouterr().err


def test_a_failure_takes_back_its_folders(folder: Path) -> None:
    assert command("convert take.csv new/deep/x.npz --rig flame") == 2
    assert not (folder / "new").exists()


def test_json_without_a_rig_keeps_arkit(folder: Path) -> None:
    take = FaceAnimation.load("take.csv")
    take.save("take.json")
    np.testing.assert_allclose(FaceAnimation.load("take.json").shapes, take.shapes, atol=1e-5)


def test_what_was_written_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("convert take.csv take.txt") == 0
    assert "at 60 fps" in capsys.readouterr().out
    assert command("convert take.csv x.glb --format glb --rig metahuman") == 2
    assert "leave one of the two out" in capsys.readouterr().err


def test_formats_lists_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert ["livelink-csv", ".csv", "arkit", "yes", "yes"] in [row[:5] for row in rows]


# From outside.


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "talker", *arguments], capture_output=True, text=True, timeout=120)


def test_the_program_itself(folder: Path) -> None:
    good = run("convert", "take.csv", "Grüße 顔.json", "--format", "a2f-json")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout == "Grüße 顔.json: a2f-json, 30 frames at 30 fps\n"
    bad = run("convert", "cut.csv", "out.npz")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("talker: error: cut.csv: line 8 has 9 cells")
    assert not Path("out.npz").exists()


def commands(menu: Menu = COMMANDS, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command and menu."""
    yield words
    for name, entry in menu.entries.items():
        yield from commands(entry, *words, name) if isinstance(entry, Menu) else [(*words, name)]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_help_of_every_command(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has an example of itself, or nothing to choose; lines fit, and nobody has to know what None is."""
    monkeypatch.setenv("COLUMNS", "100")
    assert status([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(" ".join(["usage: talker", *words]))
    assert max(map(len, text.splitlines())) <= 100
    assert "None" not in text
    assert words[-1:] in (("list",), ("formats",)) or f"\n  {' '.join(['talker', *words])} " in text


def test_help_names_the_emotions(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert status(["animate", "--help"]) == 0
    assert f"Emotions are {', '.join(EMOTIONS[:-1])} and {EMOTIONS[-1]}." in capsys.readouterr().out


def test_menus_list_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {verb} " in text for verb in COMMANDS.entries)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"talker {talker.__version__}\n"


def test_programs_beside_the_command_tell_mistakes_alike(folder: Path) -> None:
    arguments = ["-m", "talker.training.emotion_statistics", "--shards", "nowhere", "-o", "table.json"]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    reason = "error: cannot read nowhere/manifest.jsonl: no such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", reason)


def cpu_seconds(*arguments: str) -> float:
    """Processor time of a Python process, the least of three: waiting for a busy machine does not count."""

    def once() -> float:
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    return min(once() for _ in range(3))


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="processor time of a child is measured on Unix only")
@pytest.mark.parametrize(("arguments", "limit"), [(["-c", "import talker"], 0.2), (["-m", "talker", "--help"], 0.5)])
def test_answers_at_once(arguments: list[str], limit: float) -> None:
    assert cpu_seconds(*arguments) < 2 * limit  # Twice: a shared machine's cores are slower when both are busy.


@pytest.mark.parametrize("module", ["talker", "talker.cli"])
def test_nothing_heavy_is_imported_before_it_is_used(module: str) -> None:
    code = (
        f"import sys, {module}; print([m for m in ('torch', 'scipy', 'librosa', 'av', 'trimesh') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names() -> None:
    for name in ("Audio", "FaceAnimation", "TalkerError"):
        assert getattr(talker, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Face'"):
        _ = talker.Face  # type: ignore[attr-defined]
    assert isinstance(talker.animate, Callable)
