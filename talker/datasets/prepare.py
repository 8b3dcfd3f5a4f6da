"""`talker prepare`: from a data set to shards, on one machine or many, however often it is interrupted.

Four passes, each over whatever is still missing: videos to landmarks, landmarks to resting faces, recordings to the
delay of their pictures, clips to shards.
What a pass has finished lies in the output folder, so a killed run continues where it was.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import talker.tracking
from talker.datasets.clip_work import (
    Settings,
    delay_path,
    is_tracked,
    learn_delay,
    learn_person,
    note_fault,
    person_path,
    track_clip,
)
from talker.datasets.plan import Plan, Reader, keep_plan, make_plan, people, recordings, shard_tasks
from talker.datasets.report import Summary, write_report
from talker.datasets.runner import LocalPool, RayPool
from talker.datasets.shards import ROWS_FOLDER, ShardTask, shard_path, write_shard
from talker.datasets.source import ClipSource
from talker.errors import TalkerError
from talker.resources import rigs_dir
from talker.tracking.sighting import sighting_file

WORK_FOLDER = ".work"
_TEMPORARY = ".talker-*"

Task = TypeVar("Task")


@dataclass(frozen=True)
class PrepareOptions:
    """How to prepare.

    Attributes:
        per_shard: Clips in a shard.
        validation, test: Shares of the speakers that are kept out of training.
        jobs: Worker processes on this machine.
        ray: Address of a Ray cluster to use instead.
    """

    per_shard: int = 200
    validation: float = 0.1
    test: float = 0.1
    jobs: int = 1
    ray: str | None = None

    def __post_init__(self) -> None:
        if self.per_shard < 1 or self.jobs < 1:
            raise TalkerError("a shard holds at least one clip, and there is at least one job")
        if min(self.validation, self.test) < 0 or self.validation + self.test >= 1:
            raise TalkerError(f"validation {self.validation:g} and test {self.test:g} leave no speaker to train on")


def tracker_digest() -> str:
    """Changes whenever landmarks may become other curves: with the tracker's code, the head and how it is seen."""
    folder = Path(talker.tracking.__file__).parent
    files = [*sorted(folder.glob("*.py")), rigs_dir() / "arkit" / "head.npz", sighting_file()]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def prepare(reader: Reader, output: Path, settings: Settings, options: PrepareOptions) -> Summary:
    """Make (or go on making) the shards of a data set; returns what came of it.

    `settings.work` is set by this function.
    """
    content = repr((replace(settings, work=Path(), landmarker=None), tracker_digest()))
    plan = make_plan(reader, (options.validation, options.test), options.per_shard, content)
    if plan.videos:
        from talker.tracking.landmarker import find_landmarker

        settings = replace(settings, landmarker=find_landmarker(settings.landmarker).resolve())
    keep_plan(plan, output)
    _clear_leftovers(output)
    settings = replace(settings, work=(output / WORK_FOLDER).resolve())
    with LocalPool(options.jobs) if options.ray is None else RayPool(options.ray) as pool:
        _work(pool, reader, plan, output.resolve(), settings, options.per_shard)
    summary = write_report(output)
    shutil.rmtree(settings.work, ignore_errors=True)
    return summary


def _work(
    pool: LocalPool | RayPool, reader: Reader, plan: Plan, output: Path, settings: Settings, per_shard: int
) -> None:
    def missing() -> Iterator[ShardTask]:
        return (t for t in shard_tasks(reader, plan, per_shard) if not shard_path(output, t.name).is_file())

    def films() -> Iterator[ClipSource]:
        return (clip for task in missing() for clip in task.clips if not is_tracked(clip, settings))

    def faces() -> Iterator[tuple[ClipSource, ...]]:
        return (clips for clips in people(reader) if not person_path(clips[0].person, settings).is_file())

    def late() -> Iterator[tuple[ClipSource, ...]]:
        return (clips for clips in recordings(reader) if not delay_path(clips[0], settings).is_file())

    def lost(clip: ClipSource, fault: str | None) -> None:
        if fault is not None:  # The worker died without a word.
            note_fault(clip, settings, f"{clip.video}: {fault}")

    faults: list[str] = []

    def unwritten(task: ShardTask, fault: str | None) -> None:
        if fault is not None:
            faults.append(f"{task.name}: {fault}")

    if not any(True for _ in missing()):
        return
    _pass(pool, "videos", partial(track_clip, settings=settings), films, lost)
    _pass(pool, "faces", partial(learn_person, settings=settings), faces, lambda clips, fault: None)
    _pass(pool, "delays", partial(learn_delay, settings=settings), late, lambda clips, fault: None)
    _pass(pool, "shards", partial(write_shard, output=output, settings=settings), missing, unwritten)
    if faults:
        raise TalkerError(f"{len(faults)} shards could not be written, the first being {faults[0]}")


def _pass(
    pool: LocalPool | RayPool,
    title: str,
    work: Callable[[Task], None],
    tasks: Callable[[], Iterator[Task]],
    heed: Callable[[Task, str | None], None],
) -> None:
    """One pass with a bar and the time it will still take; counting first costs no memory."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    total = sum(1 for _ in tasks())
    if not total:
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        bar = progress.add_task(title, total=total)

        def done(task: Task, fault: str | None) -> None:
            heed(task, fault)
            progress.advance(bar)

        pool.run(work, tasks(), done)


def _clear_leftovers(output: Path) -> None:
    """What a killed run was writing."""
    for folder in (output, output / ROWS_FOLDER):
        for leftover in folder.glob(_TEMPORARY):
            shutil.rmtree(leftover, ignore_errors=True)
