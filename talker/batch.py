"""One input or a thousand: where each result goes, and how a batch survives its bad files."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from talker.errors import TalkerError
from talker.export.registry import FORMATS, Format, format_for

SOUND_EXTENSIONS = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff"),
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
)
"""What is taken from a folder; a file that is named on the command line may have any extension."""

_DEFAULT_EXTENSION = ".csv"


@dataclass(frozen=True)
class Job:
    """One file to read and one to write."""

    source: Path
    target: Path


def plan(inputs: Sequence[Path], output: Path, format: str | None = None, rig: str | None = None) -> list[Job]:
    """Pair every input with its output; whatever can be wrong with names is an error before any work starts.

    `output` is a file for one input file when its extension is known (or `format` is given and it has any extension).
    Otherwise it is a folder, and the files in it are named after the inputs; what was found in a folder keeps its
    place in the tree.
    """
    if not inputs:
        raise TalkerError("nothing to do: give at least one sound file or folder")
    sources = [found for path in inputs for found in _files_of(path)]
    if len(inputs) == 1 and not inputs[0].is_dir() and _names_a_file(output, format):
        format_for(output, format, rig)
        jobs = [Job(inputs[0], output)]
    else:
        # A folder named like a file, `all.glb`, still says what to fill it with.
        told = format is None and rig is None and _names_a_file(output, None)
        extension = output.suffix if told else _folder_format(format, rig).extension
        if output.exists() and not output.is_dir():
            raise TalkerError(f"{output} is a file and no output's name; give a folder, or a file of a known extension")
        jobs = [Job(source, output / place.with_name(place.stem + extension)) for source, place in sources]
    _refuse_collisions(jobs)
    return jobs


def run_batch(jobs: Sequence[Job], work: Callable[[Job], str], say: Callable[[str], None] = print) -> int:
    """Do every job, `say` what `work` returns, and list the failures at the end.

    Returns:
        Exit status: 0 all done, 1 some failed, 2 all failed. The error of a single job is raised instead.
    """
    if len(jobs) == 1:
        say(work(jobs[0]))
        return 0
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    failures: list[str] = []
    columns = (TextColumn("{task.description}"), *Progress.get_default_columns()[1:2], MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(jobs))
        for job in jobs:
            progress.update(bar, description=job.source.name.replace("[", r"\["))
            try:
                say(work(job))
            except (TalkerError, OSError, MemoryError, RuntimeError) as error:
                reason = str(error) or type(error).__name__
                failures.append(reason if str(job.source) in reason else f"{job.source}: {reason}")
            progress.advance(bar)
    for failure in failures:
        print(f"talker: error: {failure}", file=sys.stderr)  # noqa: T201
    if failures:
        print(f"talker: {len(failures)} of {len(jobs)} files failed", file=sys.stderr)  # noqa: T201
    return 0 if not failures else 2 if len(failures) == len(jobs) else 1


def _files_of(path: Path) -> list[tuple[Path, Path]]:
    """The sound files meant by an argument, each with its place below the output folder."""
    if not path.is_dir():
        return [(path, Path(path.name))]
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SOUND_EXTENSIONS and p.is_file())
    if not files:
        raise TalkerError(f"{path} holds no sound files ({' '.join(SOUND_EXTENSIONS)})")
    return [(file, file.relative_to(path)) for file in files]


def _names_a_file(output: Path, format: str | None) -> bool:
    if output.is_dir():
        return False
    if format is not None:
        return bool(output.suffix)
    try:
        format_for(output)
    except TalkerError:
        return False
    return True


def _folder_format(format: str | None, rig: str | None) -> Format:
    """What to fill a folder with: the named format, else a table of the rig's curves, else the rig's first format."""
    if format is None and rig is not None:
        speaking = [f for f in FORMATS if f.rig == rig]
        if speaking and not any(f.extension == _DEFAULT_EXTENSION for f in speaking):
            return speaking[0]
    return format_for(Path(f"any{_DEFAULT_EXTENSION}"), format, rig)


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    sources: dict[Path, Path] = {}
    for job in jobs:
        if job.target.resolve() == job.source.resolve():
            raise TalkerError(f"{job.target} is an input; choose another name for the output")
        if job.target in sources:
            raise TalkerError(
                f"{sources[job.target]} and {job.source} would both become {job.target}; animate them into two folders"
            )
        sources[job.target] = job.source
