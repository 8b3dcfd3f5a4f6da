"""One input or a thousand: where each result goes, and how a batch survives its bad files."""

import csv
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from talker.batch_list import LIST_EXTENSION, read_list
from talker.errors import TalkerError
from talker.export.registry import FORMATS, Format, format_for
from talker.files import atomic_output

if TYPE_CHECKING:
    from talker.direction.direct import Direction

SOUND_EXTENSIONS = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff"),
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
)
"""What is taken from a folder; a file that is named on the command line may have any extension."""

_DEFAULT_EXTENSION = ".csv"


@dataclass(frozen=True)
class Job:
    """One file to read and one to write, with what a list says about it: settings by name, and where it says so."""

    source: Path
    target: Path
    settings: Mapping[str, str] = field(default_factory=dict, compare=False)
    place: str = field(default="", compare=False)

    def directed(self, changes: Mapping[str, Any]) -> "Direction":
        """The direction of this job: what was asked of all, then what the list says of this one."""
        from talker.direction.direct import Direction
        from talker.direction.edit import changed_by

        direction = changed_by(Direction(), changes)
        try:
            return changed_by(direction, self.settings)
        except TalkerError as error:
            raise TalkerError(f"{self.place}: {error}") from error


@dataclass(frozen=True)
class _Source:
    """A file to read, its place below the output folder (without extension, unless a list says it), its settings."""

    path: Path
    output: Path
    extension_told: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    place: str = ""


def plan(
    inputs: Sequence[Path], output: Path, format: str | None = None, rig: str | None = None, lists: bool = False
) -> list[Job]:
    """Pair every input with its output; whatever can be wrong with names is an error before any work starts.

    `output` is a file for one input file when its extension is known (or `format` is given and it has any extension).
    Otherwise it is a folder, and the files in it are named after the inputs; what was found in a folder keeps its
    place in the tree. Where `lists` are welcome, a .csv stands for the files it lists.
    """
    if not inputs:
        raise TalkerError("nothing to do: give at least one sound file or folder")
    sources = [found for path in inputs for found in _sources_of(path, lists)]
    many = len(inputs) > 1 or inputs[0].is_dir() or (lists and _is_list(inputs[0]))
    if not many and _names_a_file(output, format):
        format_for(output, format, rig)
        jobs = [Job(inputs[0], output)]
    else:
        # A folder named like a file, `all.glb`, still says what to fill it with.
        told = format is None and rig is None and _names_a_file(output, None)
        extension = output.suffix if told else _folder_format(format, rig).extension
        if output.exists() and not output.is_dir():
            raise TalkerError(f"{output} is a file and no output's name; give a folder, or a file of a known extension")
        jobs = [_job(source, output, extension, format, rig) for source in sources]
    _refuse_collisions(jobs)
    return jobs


def run_batch(
    jobs: Sequence[Job],
    work: Callable[[Job], str],
    say: Callable[[str], None] = print,
    report: Path | None = None,
) -> int:
    """Do every job, `say` what `work` returns, and list the failures at the end.

    Args:
        jobs: What to do.
        work: Does one job and says how it went.
        say: Prints a line.
        report: A CSV to write: a row for every job.

    Returns:
        Exit status: 0 all done, 1 some failed, 2 all failed. The error of a single job without a report is raised.
    """
    if len(jobs) == 1 and report is None:
        say(work(jobs[0]))
        return 0
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if report is not None:
        _write_report(report, [])  # A place that cannot be written to is known before the work and not after.
    failures: list[str] = []
    rows: list[tuple[Any, ...]] = []
    columns = (TextColumn("{task.description}"), *Progress.get_default_columns()[1:2], MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(jobs))
        for job in jobs:
            progress.update(bar, description=job.source.name.replace("[", r"\["))
            begin, reason = time.monotonic(), ""
            try:
                say(work(job))
            except (TalkerError, OSError, MemoryError, RuntimeError) as error:
                reason = str(error) or type(error).__name__
                failures.append(reason if str(job.source) in reason else f"{job.source}: {reason}")
            seconds = f"{time.monotonic() - begin:.2f}"
            rows.append((job.source, job.target, "failed" if reason else "done", seconds, reason))
            progress.advance(bar)
    if report is not None:
        _write_report(report, rows)
    for failure in failures:
        print(f"talker: error: {failure}", file=sys.stderr)  # noqa: T201
    if failures:
        print(f"talker: {len(failures)} of {len(jobs)} files failed", file=sys.stderr)  # noqa: T201
    return 0 if not failures else 2 if len(failures) == len(jobs) else 1


def _write_report(path: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    with atomic_output(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "output", "status", "seconds", "message"), *rows])


def _is_list(path: Path) -> bool:
    return path.suffix.lower() == LIST_EXTENSION and not path.is_dir()


def _sources_of(path: Path, lists: bool) -> list[_Source]:
    """The sound files meant by an argument."""
    if lists and _is_list(path):
        return [
            _Source(row.path, row.output, row.output_told, row.settings, f"{path}, line {row.line}")
            for row in read_list(path)
        ]
    if not path.is_dir():
        return [_Source(path, Path(path.name).with_suffix(""))]
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SOUND_EXTENSIONS and p.is_file())
    if not files:
        raise TalkerError(f"{path} holds no sound files ({' '.join(SOUND_EXTENSIONS)})")
    return [_Source(file, file.relative_to(path).with_suffix("")) for file in files]


def _job(source: _Source, folder: Path, extension: str, format: str | None, rig: str | None) -> Job:
    """A source with its output in a folder; a list may name outputs of other formats."""
    target = folder / source.output
    if source.extension_told and _names_a_file(target, format):
        format_for(target, format, rig)
    else:
        target = target.with_name(target.name + extension)
    return Job(source.path, target, source.settings, source.place)


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
