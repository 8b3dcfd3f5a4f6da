"""FBX, Alembic and .blend, written by Blender.

Blender's `bpy` pins an older numpy than talker, so Blender is never imported here: a job folder with the head and the
curves is handed to a Blender process, which runs `inside_blender/build_scene.py` and reports on its standard output.
"""

import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from talker.animation import FaceAnimation
from talker.audio import write_wav
from talker.errors import TalkerError
from talker.export.registry import ExportOptions
from talker.rigs import arkit
from talker.rigs.turns import quaternions

if TYPE_CHECKING:
    from talker.rigs.head_mesh import HeadMesh

SCRIPT = Path(__file__).parent / "inside_blender" / "build_scene.py"
PROGRAM_VARIABLE = "TALKER_BLENDER"

_SAYS = "[talker] "  # As in the script.
_SILENCE_SECONDS = 600.0  # The longest silent step, zipping an hour of FBX curves, takes a fraction of this.
_VERSION_SECONDS = 60.0
_NOT_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")  # Would lead a bpy Python to talker's own numpy.

_INSTALL = (
    "install it from blender.org, or `pip install bpy` in a Python environment of its own, "
    f"and name that blender or python program with --blender or {PROGRAM_VARIABLE}"
)


def write_fbx(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the head with keyed shape keys and bones for head and eyes, in centimetres."""
    _write(animation, path, options, ".fbx")


def write_abc(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write the positions of every vertex in every frame: 12 bytes each."""
    _write(animation, path, options, ".abc")


def write_blend(animation: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write a scene with keyed shape keys and bones, camera, lights, and the sound in the sequencer."""
    _write(animation, path, options, ".blend")


def _write(animation: FaceAnimation, path: Path, options: ExportOptions, extension: str) -> None:
    program = find_blender(options.blender)
    # Beside the output, where there is room for it and where it can be renamed.
    with tempfile.TemporaryDirectory(prefix=".talker-blender-", dir=path.parent) as folder:
        job = Path(folder).resolve()  # Blender refuses relative paths.
        output = job / f"face{extension}"
        _write_job(animation, job, options)
        _run(program, [str(job), str(output)], f"writing {extension}")
        shutil.move(output, path)


def find_blender(program: Path | None = None) -> Path:
    """The Blender program (or Python with `bpy`) to drive: the given one, `TALKER_BLENDER`, or `blender` on PATH."""
    wanted = program or os.environ.get(PROGRAM_VARIABLE)
    found = shutil.which(wanted or "blender")
    if found is None:
        problem = f"no program {wanted}" if wanted else "FBX, Alembic and .blend need Blender, and none is on PATH"
        raise TalkerError(f"{problem}; {_INSTALL}")
    return Path(found)


def _write_job(animation: FaceAnimation, folder: Path, options: ExportOptions) -> None:
    """Everything the script needs, in talker's own axes and units."""
    from talker.export.scene_head import joint_places, skin_weights
    from talker.rigs.user_mesh import load_head

    head = load_head(options.head)
    places = joint_places(head)
    joints_of_vertex, weights_of_vertex = skin_weights(head)
    curves = animation.curves
    arrays = {
        "fps": np.array(animation.fps),
        "shapes": np.array(arkit.SHAPES),
        "weights": animation.shapes,
        "head_turn": quaternions(curves[:, arkit.HEAD]),
        "eye_turn": np.stack([quaternions(curves[:, eye]) for eye in (arkit.LEFT_EYE, arkit.RIGHT_EYE)], axis=1),
        "neutral": head.neutral.numpy(),
        "deltas": head.deltas.numpy(),
        "joints": np.array(list(places)),
        "joint_places": np.array(list(places.values())),
        "skin_joints": joints_of_vertex,
        "skin_weights": weights_of_vertex,
    }
    np.savez(folder / "scene.npz", allow_pickle=False, **(arrays | _surfaces(head)))
    if animation.audio is not None:
        write_wav(animation.audio, folder / "sound.wav")


def _surfaces(head: "HeadMesh") -> dict[str, np.ndarray]:
    """Faces (F, 3), the material of each (F,), places of its corners in the material's picture (F, 3, 2); materials."""
    from talker.rigs import look

    surfaces = look.surfaces(head)
    arrays = {
        "faces": np.concatenate([surface.faces for surface in surfaces]),
        "material_of_face": np.repeat(np.arange(len(surfaces)), [len(surface.faces) for surface in surfaces]),
        "picture_places": np.concatenate(
            [
                np.zeros((*surface.faces.shape, 2))
                if surface.coordinates is None
                else surface.coordinates[surface.faces]
                for surface in surfaces
            ]
        ),
        "materials": np.array([surface.name for surface in surfaces]),
        "colours": np.array([surface.colour for surface in surfaces]),
        "roughness": np.array([surface.roughness for surface in surfaces]),
    }
    pictures = {f"picture_{s.name}": s.picture for s in surfaces if s.picture is not None}
    return arrays | pictures


def _run(program: Path, arguments: list[str], task: str) -> None:
    """Run the script in Blender to its end, showing its progress; any failure becomes one line."""
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    environment["PYTHONHASHSEED"] = "0"  # The FBX exporter numbers its objects by hash.
    said: deque[str] = deque(maxlen=100)
    ended, reached = "", 0.0
    with _process([*_command(program, environment), *arguments], environment) as process, _progress(task) as show:
        for line in _lines(process, program):
            if not line.startswith(_SAYS):
                said.append(line)
                continue
            verb, _, rest = line.removeprefix(_SAYS).partition(" ")
            if verb == "progress":
                reached = max(reached, float(rest))  # Exporters end by returning to the first frame.
                show(reached)
            else:
                ended = f"{verb} {rest}".strip()
        status = process.wait()
    if ended.startswith("error "):
        raise TalkerError(f"Blender could not finish {task}: {ended.removeprefix('error ')}")
    if ended != "done":
        how = f"crashed (signal {-status})" if status < 0 else f"stopped with exit status {status}"
        raise TalkerError(f"{program} {how} while {task}; its last word: {_last_word(said)}")


def _command(program: Path, environment: dict[str, str]) -> list[str]:
    """How to run the script with this program: Blender and Python want it differently, and either says which it is."""
    try:
        probe = subprocess.run(
            [program, "--version"], capture_output=True, env=environment, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TalkerError(f"cannot run {program}: {_reason(error)}; {_INSTALL}") from error
    version = (probe.stdout + probe.stderr).decode(errors="replace")
    if any(line.startswith("Blender ") for line in version.splitlines()):
        # One thread: Blender 3 adds up normals in whatever order its threads arrive, and FBX would differ every time.
        quiet = ("--background", "--factory-startup", "-noaudio", "--python-use-system-env", "--threads", "1")
        return [str(program), *quiet, "--python", str(SCRIPT), "--"]
    if version.startswith("Python "):
        return [str(program), str(SCRIPT)]
    raise TalkerError(f"{program} is neither a Blender nor a Python program; {_INSTALL}")


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """The running program with its output as text; it does not outlive the block."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        encoding="utf-8",
        errors="replace",
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _lines(process: "subprocess.Popen[str]", program: Path) -> Iterator[str]:
    """The lines the process prints, until it closes its output; long silence is an error."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_SILENCE_SECONDS)
        except queue.Empty:
            raise TalkerError(f"{program} gave no sign of life for {_SILENCE_SECONDS:.0f} s; stopped it") from None
        if line is None:
            return
        yield line


@contextmanager
def _progress(task: str) -> "Iterator":
    """A bar on the terminal for work that takes a while; nothing where standard error is not a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task(f"Blender: {task}", total=1.0)
        yield lambda share: bar.update(row, completed=share)


def _last_word(said: "deque[str]") -> str:
    """The most telling line a failed program printed: its last error, else its last line."""
    spoken = [line.strip() for line in said if line.strip()]
    errors = [line for line in spoken if "error" in line.lower() or "exception" in line.lower()]
    return (errors or spoken or ["nothing"])[-1][:200]


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer within {_VERSION_SECONDS:.0f} s"
    return getattr(error, "strerror", None) or str(error)
