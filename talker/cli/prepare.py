"""Data sets into shards."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from talker.cli.output import Flag, OptionalName, OptionalPath, say, told
from talker.errors import TalkerError
from talker.export.registry import DEFAULT_OPTIONS


@dataclass(frozen=True)
class Prepare:
    """Turn a data set into shards to train from: sound, face curves and what is known of every clip.

    Videos are tracked, and sound and picture brought into step.

    Clips that would teach the wrong thing are left out: quality.html shows the worst first.

    A run that was interrupted continues where it was when it is given again.

    For example:
      talker prepare mead MEAD/ -o shards/mead --jobs 8 --landmarker face_landmarker.task
      talker prepare videos talks/ --table who.csv -o shards/talks --landmarker face_landmarker.task
      talker prepare talker data -o shards/talker --sets grid_s1 javanese --sound opus
    """

    kind: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="KIND")]
    """Its layout: mead, ravdess, crema-d, grid, beat, beat2, 3d-etf, vocaset, livelink, emoface, videos or talker."""
    root: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="ROOT")]
    """Its folder."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the shards."""
    views: Annotated[tuple[str, ...], tyro.conf.arg(metavar="VIEW")] = ("front",)
    """Cameras to use (mead)."""
    table: OptionalPath = None
    """CSV with path, speaker, emotion, level, transcript, recording (videos)."""
    sets: Annotated[tuple[str, ...], told("SET")] = ()
    """Which of its sets (talker); all of them when not given."""
    licence: OptionalName = None
    """Terms of the clips, when they are not those of the data set as published."""
    may_ship: Flag = False
    """With --licence: weights trained on the clips may be given to anybody for any use."""
    sound: Literal["flac", "opus"] = "flac"
    """How sound is stored; opus is ten times smaller."""
    no_landmarks: Flag = False
    """Leave the landmarks out of the shards."""
    clips_per_shard: int = 200
    """How many clips share a file."""
    validation: float = 0.1
    """Share of the speakers to validate on."""
    test: float = 0.1
    """Share of the speakers to test on."""
    jobs: int = 1
    """Worker processes on this machine."""
    ray: Annotated[str | None, told("ADDRESS")] = None
    """Ray cluster to use instead; its machines must see ROOT and DIR under the same paths."""
    landmarker: OptionalPath = None
    """MediaPipe's face_landmarker.task; $TALKER_LANDMARKER when not given."""
    rig_model: OptionalPath = None
    """Your SMPL-X model (beat2) or FLAME model (vocaset)."""

    def run(self) -> int:
        """Prepare and report."""
        from talker.datasets.catalogue import find_kind, read_clips
        from talker.datasets.clip_work import Settings
        from talker.datasets.prepare import PrepareOptions, prepare
        from talker.datasets.source import ClipSource, Licence

        find_kind(self.kind)
        if self.may_ship and self.licence is None:
            raise TalkerError("--may-ship goes with --licence: say under which terms")
        terms = None if self.licence is None else Licence(self.licence, self.may_ship)

        def reader() -> Iterator[ClipSource]:
            clips = read_clips(self.kind, self.root.resolve(), self.views, self.table, self.sets)
            return (clip.under(terms) for clip in clips)

        options = PrepareOptions(self.clips_per_shard, self.validation, self.test, self.jobs, self.ray)
        settings = Settings(
            sound=self.sound,
            landmarks=not self.no_landmarks,
            landmarker=self.landmarker,
            options=replace(DEFAULT_OPTIONS, rig_model=None if self.rig_model is None else self.rig_model.resolve()),
        )
        summary = prepare(reader, self.output, settings, options)
        for fault in summary.faults[:20]:
            print(f"talker: {fault}", file=sys.stderr)  # noqa: T201
        total = sum(summary.verdicts.values())
        say(f"{self.output}: {summary.kept} of {total} clips, {summary.kept_seconds / 60:.1f} minutes; quality.html")
        return 0 if summary.kept == total else 1 if summary.kept else 2
