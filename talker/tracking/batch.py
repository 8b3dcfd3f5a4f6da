"""The files of one `talker track` command: one by one, or those of one person together."""

from collections.abc import Sequence
from pathlib import Path

from talker.animation import FaceAnimation
from talker.batch import Job
from talker.errors import TalkerError
from talker.export.registry import ExportOptions, write_animation
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.landmarker import find_landmarker
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.take import describe, find_face, takes_of
from talker.tracking.video import video_seconds


class TrackingBatch:
    """What the files of one command share: the landmarker's model, the head, and perhaps the person."""

    def __init__(
        self, landmarker: Path | None, download: bool, person: str | None, preview: bool, options: ExportOptions
    ) -> None:
        self._landmarker = find_landmarker(landmarker, download)
        self._person, self._preview, self._options = person, preview, options
        self._head = HeadMesh.load()
        self._known: dict[Path, tuple[LandmarkTrack, FaceAnimation]] = {}
        self._failed: dict[Path, TalkerError] = {}
        self._alone = False

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Track and solve the videos of one person together; what fails is reported when its turn comes."""
        self._alone = len(jobs) == 1
        if self._person is None:
            return
        tracks: dict[Path, LandmarkTrack] = {}
        for job in jobs:
            try:
                tracks[job.source] = self._watch(job.source)
            except TalkerError as error:
                self._failed[job.source] = error
        if tracks:
            takes = takes_of(list(tracks.values()), self._head, self._person)
            self._known = {source: (track, take) for (source, track), take in zip(tracks.items(), takes, strict=True)}

    def work(self, job: Job, format: str | None, rig: str | None) -> str:
        """Do one file; returns a line about it."""
        if job.source in self._failed:
            raise self._failed[job.source]
        if job.source in self._known:
            track, take = self._known[job.source]
        else:
            # Of several files the batch has a bar of its own, and a terminal shows one at a time.
            track = self._watch(job.source) if self._alone else find_face(job.source, self._landmarker)
            take = takes_of([track], self._head)[0]
        written = write_animation(take, job.target, format, rig, self._options)
        if self._preview:
            from talker.tracking.preview import write_preview

            write_preview(job.source, track, take, job.target.with_suffix(".preview.mp4"), self._options)
        return f"{job.target}: {written.format.name}, {describe(take)}"

    def _watch(self, video: Path) -> LandmarkTrack:
        """Find the face while a bar shows how far it is."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} s of the video"))
        with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task(video.name.replace("[", r"\["), total=video_seconds(video))
            return find_face(video, self._landmarker, lambda seconds: progress.update(bar, completed=seconds))
