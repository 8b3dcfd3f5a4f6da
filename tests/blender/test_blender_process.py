"""What happens when Blender is missing, is something else, fails, crashes or hangs. Needs no Blender."""

import os
from pathlib import Path

import pytest

from talker.errors import TalkerError
from talker.export import blender
from talker.export.registry import ExportOptions, write_animation

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins for Blender are shell scripts")


def stand_in(folder: Path, body: str, version: str = "Blender 9.9.9") -> Path:
    """A program that says it is Blender; in `body`, $JOB is the job folder and $OUT the file to write."""
    program = folder / "blender"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit; fi\n'
        f'while [ "$1" != -- ]; do shift; done\nJOB=$2 OUT=$3\n{body}\n'
    )
    program.chmod(0o755)
    return program


def failure(take, tmp_path, program: Path | None) -> str:
    """The message of a failed export, which must leave nothing behind."""
    folder = tmp_path / "out"
    with pytest.raises(TalkerError) as caught:
        write_animation(take, folder / "take.fbx", options=ExportOptions(blender=program))
    assert not folder.exists()  # It was made for the output alone.
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_success_moves_the_file(take, tmp_path) -> None:
    body = 'test -s "$JOB/scene.npz" && test -s "$JOB/sound.wav" && echo made > "$OUT"; echo "[talker] progress 0.5"\n'
    program = stand_in(tmp_path, body + 'echo noise; echo "[talker] done"')
    write_animation(take, tmp_path / "take.blend", options=ExportOptions(blender=program))
    assert (tmp_path / "take.blend").read_text() == "made\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["blender", "take.blend"]


def test_no_blender(take, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TALKER_BLENDER", raising=False)
    message = failure(take, tmp_path, None)
    assert "need Blender, and none is on PATH" in message and "--blender" in message and "pip install bpy" in message
    assert "no program" in failure(take, tmp_path, tmp_path / "nowhere")


def test_the_environment_names_blender(tmp_path, monkeypatch) -> None:
    program = stand_in(tmp_path, "")
    monkeypatch.setenv("TALKER_BLENDER", str(program))
    assert blender.find_blender() == program


def test_another_program(take, tmp_path) -> None:
    assert "neither a Blender nor a Python" in failure(take, tmp_path, stand_in(tmp_path, "", version="cat 1.0"))


def test_a_python_without_bpy(take, tmp_path) -> None:
    python = stand_in(tmp_path, "", version="Python 3.11.2")
    python.write_text(
        python.read_text().replace("while", 'echo "[talker] error python has no module bpy"; exit 1; while')
    )
    assert "has no module bpy" in failure(take, tmp_path, python)


def test_an_error_inside(take, tmp_path) -> None:
    program = stand_in(tmp_path, 'echo "[talker] error Blender 3.4.1 was built without Alembic"; exit 1')
    assert failure(take, tmp_path, program).endswith("Blender 3.4.1 was built without Alembic")


def test_a_crash(take, tmp_path) -> None:
    program = stand_in(tmp_path, 'echo "Error: out of memory"; echo "Writing: crash.txt"; kill -SEGV $$')
    message = failure(take, tmp_path, program)
    assert "crashed (signal 11)" in message and message.endswith("Error: out of memory")


def test_an_early_end(take, tmp_path) -> None:
    assert "stopped with exit status 7" in failure(take, tmp_path, stand_in(tmp_path, "exit 7"))


def test_silence(take, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(blender, "_SILENCE_SECONDS", 0.5)
    assert "gave no sign of life" in failure(take, tmp_path, stand_in(tmp_path, "exec sleep 60"))
