from pathlib import Path

import pytest

from talker.batch import Job, plan, run_batch
from talker.errors import TalkerError


@pytest.fixture
def sounds(tmp_path):
    for name in ("takes/a.wav", "takes/deep/b.flac", "takes/notes.txt", "solo.wav", "Grüße 你好.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_one_input_and_a_known_extension_is_a_file(sounds):
    assert plan([sounds / "solo.wav"], sounds / "x.npz") == [Job(sounds / "solo.wav", sounds / "x.npz")]


@pytest.mark.parametrize("out", ["out", "out.d", "v1.2"])
def test_an_output_without_a_known_extension_is_a_folder(sounds, out):
    assert plan([sounds / "solo.wav"], sounds / out)[0].target == sounds / out / "solo.csv"


def test_a_format_makes_any_extension_a_file_and_names_the_files_of_a_folder(sounds):
    assert plan([sounds / "solo.wav"], sounds / "x.dat", "npz")[0].target == sounds / "x.dat"
    assert plan([sounds / "solo.wav"], sounds / "out", "npz")[0].target == sounds / "out/solo.npz"


def test_several_inputs_and_folders_fill_a_folder_in_order(sounds):
    jobs = plan([sounds / "takes", sounds / "Grüße 你好.wav"], sounds / "out.csv")
    targets = [job.target.relative_to(sounds).as_posix() for job in jobs]
    assert targets == ["out.csv/a.csv", "out.csv/deep/b.csv", "out.csv/Grüße 你好.csv"]


def test_an_existing_folder_is_a_folder_whatever_its_name(sounds):
    (sounds / "out.npz").mkdir()
    assert plan([sounds / "solo.wav"], sounds / "out.npz")[0].target == sounds / "out.npz/solo.csv"


def test_what_would_overwrite_is_refused(sounds):
    (sounds / "solo.mp3").touch()
    with pytest.raises(TalkerError, match="would both become"):
        plan([sounds / "solo.wav", sounds / "solo.mp3"], sounds / "out")
    with pytest.raises(TalkerError, match="is an input"):
        plan([sounds / "solo.wav"], sounds / "solo.wav", "npz")
    with pytest.raises(TalkerError, match="is a file and no output's name"):
        plan([sounds / "takes"], sounds / "solo.wav")
    (sounds / "empty").mkdir()
    with pytest.raises(TalkerError, match="holds no sound files"):
        plan([sounds / "empty"], sounds / "out")


def test_misspelt_formats_and_rigs_are_refused_before_any_work(sounds):
    with pytest.raises(TalkerError, match="did you mean 'npz'"):
        plan([sounds / "solo.wav"], sounds / "out", "npy")
    with pytest.raises(TalkerError, match="no such rig 'arkti'; did you mean 'arkit'"):
        plan([sounds / "solo.wav"], sounds / "out", None, "arkti")


def test_a_batch_finishes_the_good_files(capsys):
    jobs = [Job(Path(f"{name}.wav"), Path(f"{name}.csv")) for name in ("good", "bad", "fine")]
    said = []

    def work(job):
        if job.source.stem == "bad":
            raise TalkerError("it crackles")
        return job.target.name

    assert run_batch(jobs, work, said.append) == 1
    assert said == ["good.csv", "fine.csv"]
    errors = capsys.readouterr().err
    assert "talker: error: bad.wav: it crackles" in errors and "1 of 3 files failed" in errors
    assert run_batch(jobs[1:2] * 2, work, said.append) == 2
    with pytest.raises(TalkerError, match="crackles"):
        run_batch(jobs[1:2], work, said.append)


def test_a_folder_named_like_a_file_says_what_to_fill_it_with(sounds):
    jobs = plan([sounds / "takes"], sounds / "all.glb")
    assert {job.target.suffix for job in jobs} == {".glb"}
    assert {job.target.suffix for job in plan([sounds / "takes"], sounds / "all.glb", "html")} == {".html"}


def test_a_batch_survives_what_no_one_expected(sounds, capsys):
    def work(job):
        if job.source.name == "solo.wav":
            raise MemoryError
        return "done"

    jobs = plan([sounds / "solo.wav", sounds / "takes"], sounds / "out")
    assert run_batch(jobs, work) == 1
    assert "solo.wav: MemoryError" in capsys.readouterr().err
