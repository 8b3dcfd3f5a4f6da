"""`talker animate`: a face from speech."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from talker.cli.directing import Directing
from talker.cli.output import Export, OptionalName, OptionalPath, Rate, say
from talker.export.registry import DEFAULT_OPTIONS, write_animation

if TYPE_CHECKING:
    from talker.batch import Job
    from talker.direction.direct import Direction
    from talker.inference import Model


@dataclass(frozen=True)
class Following:
    """How the mood follows the voice under `--emotion auto`."""

    mood_seconds: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 0.7
    """How fast: the time for two thirds of the way."""
    mood_reach: Annotated[float, tyro.conf.arg(metavar="FACTOR")] = 1.5
    """How far: 0 not at all, 1 as far as the voice goes."""
    mood_rest: Annotated[str, tyro.conf.arg(metavar="EMOTION")] = "neutral"
    """The mood when the voice says nothing special."""
    mood_voice: OptionalPath = None
    """Folder with more speech of the same person in various moods, all their lines, say: tells mood from voice."""


@dataclass(frozen=True)
class Animate:
    """Animate a face from speech.

    For example:
      talker animate line.wav -o line.csv
      talker animate line.wav -o line.html --emotion "neutral@0 happy:0.4@1.2 angry@3.5"
      talker animate line.wav -o line.csv --rig metahuman --fps 30 --emotion angry --intensity 0.8
      talker animate takes/ intro.mp3 script.csv -o animated --format glb --emotion auto
    """

    inputs: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="SOUND [SOUND ...]", help_behavior_hint="(one or more)"),
    ]
    """Sounds, videos, folders of them, or lists: a .csv with columns path, perhaps output, and settings by name."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
    """File to write; with several inputs, or without a known extension, a folder of files named after the inputs."""
    rig: OptionalName = None
    """Rig to write where the extension leaves a choice (see `talker rigs list`)."""
    fps: Rate = 60.0
    """Frames per second to write."""
    format: OptionalName = None
    """Output format, when the extension does not say it (see `talker formats`)."""
    report: OptionalPath = None
    """CSV to write with a row for every input: what became of it, and how long that took."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Weights to use: "default", or a folder written by `talker train`."""
    style: OptionalName = None
    """Speaker whose manner to take on, of those that the model has learnt."""
    device: Annotated[str, tyro.conf.arg(metavar="NAME")] = "auto"
    """Where to compute: cpu, cuda or auto."""
    directing: Annotated[Directing, tyro.conf.OmitArgPrefixes] = field(default_factory=Directing)
    following: Annotated[Following, tyro.conf.OmitArgPrefixes] = field(default_factory=Following)
    export: Export = DEFAULT_OPTIONS
    """What single formats need to know."""

    def run(self) -> int:
        """Plan the outputs, read all directions, load the model once, work through the files."""
        from talker.batch import Job, plan, run_batch
        from talker.direction.mood import Personality

        jobs = plan(self.inputs, self.output, self.format, self.rig, lists=True)
        following = self.following
        personality = Personality(
            following.mood_seconds, following.mood_reach, following.mood_rest, following.mood_voice
        )
        # A misspelt emotion in the last line of a list should not wait for the networks.
        directions = {job.target: job.directed(self.directing.changes()) for job in jobs}
        from talker.direction.animate import animate_as
        from talker.inference import load_model

        model = load_model(self.model, self.device)

        def work(job: Job) -> str:
            if model.talker.space.name != "arkit" and (said := self._natively(job, model, directions[job.target])):
                return said
            take = animate_as(
                job.source, directions[job.target], fps=self.fps, personality=personality, style=self.style, model=model
            )
            return f"{job.target}: {write_animation(take, job.target, self.format, self.rig, self.export)}"

        return run_batch(jobs, work, say, self.report)

    def _natively(self, job: "Job", model: "Model", direction: "Direction") -> str | None:
        """Write what a network says in a space of its own, if the output can hold it; what was written."""
        from talker.export.native import speaks_natively, write_native
        from talker.native_take import animate_native

        if not speaks_natively(model.talker.space, job.target, self.format, self.rig):
            return None
        take = animate_native(job.source, model, direction, self.style, self.fps)
        return f"{job.target}: {write_native(take, job.target, self.format, self.rig, self.export)}"
