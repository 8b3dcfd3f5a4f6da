"""Lists of files to animate: what they may say, where results go, and what a bad one is told."""

from pathlib import Path

import pytest

from talker.batch import plan, run_batch
from talker.batch_list import read_list
from talker.errors import TalkerError


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "sub/b.flac", "Grüße 你好.wav", "solo.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def listed(folder, text):
    path = folder / "script.csv"
    path.write_text(text, encoding="utf-8")
    return path


SCRIPT = """\ufeffpath, emotion, Intensity, output
a.wav,neutral@0 happy:0.4@1.2,0.8,
sub/b.flac,,,

Grüße 你好.wav,"vad(-0.5, 0.6)",,scene 1/hello.glb
"""


def test_a_list_says_where_and_how(folder):
    jobs = plan([listed(folder, SCRIPT)], folder / "out", lists=True)
    assert [job.source for job in jobs] == [folder / "a.wav", folder / "sub/b.flac", folder / "Grüße 你好.wav"]
    targets = [job.target.relative_to(folder / "out").as_posix() for job in jobs]
    assert targets == ["a.csv", "sub/b.csv", "scene 1/hello.glb"]
    assert dict(jobs[0].settings) == {"emotion": "neutral@0 happy:0.4@1.2", "intensity": "0.8"}
    first, second, third = (job.directed({"emotion": "sad", "seed": 3}) for job in jobs)
    assert (first.emotion, first.intensity, first.seed) == ("neutral@0 happy:0.4@1.2", 0.8, 3)
    assert second.emotion == "sad"
    assert "fear" in third.emotion


def test_a_list_may_stand_beside_files_and_the_format_may_be_told(folder):
    jobs = plan([folder / "solo.wav", listed(folder, "path,output\na.wav,b\n")], folder / "out", "npz", lists=True)
    assert [job.target.name for job in jobs] == ["solo.npz", "b.npz"]
    one = plan([listed(folder, "path\na.wav\n")], folder / "all.html", lists=True)
    assert one[0].target == folder / "all.html/a.html"


def test_paths_from_elsewhere_keep_their_names_only(folder):
    path = listed(folder / "sub", f"path\n../a.wav\n{folder / 'solo.wav'}\n")
    assert [job.target.name for job in plan([path], folder / "out", lists=True)] == ["a.csv", "solo.csv"]
    assert {job.target.parent for job in plan([path], folder / "out", lists=True)} == {folder / "out"}


def test_without_lists_a_table_is_a_file_like_any_other(folder):
    path = listed(folder, "path\na.wav\n")
    assert plan([path], folder / "x.npz")[0].source == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Timecode,BlendshapeCount,EyeBlinkLeft\n0,61,0\n", "it is a take, which `talker convert` reads"),
        ("file,emotion\na.wav,sad\n", "it has no column 'path'; name the columns in its first line"),
        ("path,emotoin\na.wav,sad\n", "no such setting 'emotoin'; did you mean 'emotion'?"),
        ("path\n", "lists no files"),
        ("", "the file is empty"),
        ("path,emotion\n,sad\n", "script.csv, line 2: the cell 'path' is empty"),
        ("path,emotion\na.wav,vad(1,1)\n", "script.csv, line 2: more cells than columns; quote"),
        ("path,output\na.wav,../../x\n", "does not lie below the output folder"),
        ('path,output\n"a.wav\n', "not a CSV table"),
    ],
)
def test_a_bad_list_says_what_is_wrong(folder, text, message):
    with pytest.raises(TalkerError) as error:
        read_list(listed(folder, text))
    assert message in str(error.value) and "script.csv" in str(error.value)


def test_a_bad_setting_names_its_line(folder):
    jobs = plan([listed(folder, "path,emotion\na.wav,sad\nsolo.wav,angery\n")], folder / "out", lists=True)
    with pytest.raises(TalkerError, match=r"script.csv, line 3: no such emotion 'angery'; did you mean 'angry'"):
        jobs[1].directed({})


def test_the_report_has_a_row_for_every_job(folder, capsys):
    def work(job):
        if job.source.name == "solo.wav":
            raise TalkerError('it "crackles", badly')
        return "done"

    jobs = plan([folder / "a.wav", folder / "solo.wav"], folder / "out")
    assert run_batch(jobs, work, report=folder / "deep/report.csv") == 1
    lines = (folder / "deep/report.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "path,output,status,seconds,message" and len(lines) == 3
    assert lines[1].startswith(f"{folder / 'a.wav'},{folder / 'out/a.csv'},done,")
    assert lines[2].endswith(',"it ""crackles"", badly"')
    assert run_batch(jobs[1:], work, report=folder / "report.csv") == 2


def test_a_report_that_cannot_be_written_is_known_before_the_work(folder):
    def work(job):
        raise AssertionError("nothing should be done")

    with pytest.raises(TalkerError, match="it is a folder"):
        run_batch(plan([folder / "a.wav"], Path("out")), work, report=folder)
