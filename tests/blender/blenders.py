"""Which Blenders there are: TALKER_BPY_PYTHON (a Python with bpy) and TALKER_BLENDER (a program; else on PATH)."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

INSIDE = Path(__file__).parent / "inside"
EXTENSION = Path(__file__).parents[2] / "examples" / "blender"
TAKES = Path(__file__).parents[3] / "shared" / "data" / "livelink_takes"
TIMEOUT_SECONDS = 300


def find_program(variable: str, name: str | None) -> Path:
    found = os.environ.get(variable) or (name and shutil.which(name))
    if not found:
        pytest.skip(f"no Blender: set {variable}" + (f" or put {name} on PATH" if name else " to a Python with bpy"))
    return Path(found)


def run_inside(program: Path, script: str, *arguments: object, home: Path) -> str:
    """Run a script of this folder in Blender, its settings in `home`; returns what it printed."""
    is_python = "python" in program.name
    start = [program] if is_python else [program, "--background", "--factory-startup", "--python-exit-code", "1"]
    script_arguments = [INSIDE / script] if is_python else ["--python", INSIDE / script]
    done = subprocess.run(
        [*start, *script_arguments, "--", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")},
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
