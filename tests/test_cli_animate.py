import pytest

from talker import cli
from talker.animation import FaceAnimation
from talker.resources import checkpoints_dir

GRID = checkpoints_dir().parent / "examples" / "grid.wav"


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_a_wav_becomes_a_take(tmp_path, capsys):
    out = tmp_path / "out.npz"
    assert run("animate", GRID, "-o", out) == 0
    take = FaceAnimation.load(out)
    assert take.fps == 60 and take.audio is not None and take.duration == pytest.approx(take.audio.duration, abs=0.02)
    assert capsys.readouterr().out == f"{out}: npz, {take.frame_count} frames at 60 fps\n"


def test_a_folder_of_results_defaults_to_live_link_tables(tmp_path):
    assert run("animate", GRID, "-o", tmp_path / "takes", "--fps", 30) == 0
    assert [path.name for path in (tmp_path / "takes").iterdir()] == ["grid.csv"]
    assert FaceAnimation.load(tmp_path / "takes" / "grid.csv").frame_count == pytest.approx(90, abs=2)


def test_a_batch_finishes_the_good_files_and_lists_the_bad(tmp_path, capsys):
    sounds = tmp_path / "Töne 音"
    sounds.mkdir()
    (sounds / "good ß.wav").write_bytes(GRID.read_bytes())
    (sounds / "bad [1].wav").write_bytes(b"RIFFnot a wave file at all")
    assert run("animate", sounds, "-o", tmp_path / "out", "--format", "npz") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good ß.npz"]
    errors = capsys.readouterr().err
    assert "bad [1].wav" in errors and "1 of 2 files failed" in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.wav", "-o", "out.npz"], "no such file: missing.wav"),
        ([GRID, "-o", "out.npz", "--format", "np"], "did you mean 'npz'?"),
        ([GRID, "-o", "out.npz", "--rig", "viseme"], "'.npz'"),
        ([GRID, "-o", "out.npz", "--model", "nowhere"], "no model at nowhere"),
        ([GRID, "-o", "out.npz", "--device", "tpu9"], "choose cpu, cuda or auto"),
        ([GRID, "-o", "out.npz", "--fps", "0"], "frames per second"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run("animate", *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1 and captured.out == ""
    assert not list(tmp_path.iterdir())


def test_help_shows_real_examples(capsys):
    with pytest.raises(SystemExit):
        run("animate", "--help")
    assert "talker animate line.wav -o line.csv" in capsys.readouterr().out
