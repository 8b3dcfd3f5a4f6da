"""The command line: one small class per verb; each parses, calls and prints."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from talker.audio import read_audio
from talker.errors import TalkerError
from talker.export.registry import (
    DEFAULT_OPTIONS,
    ExportOptions,
    available_formats,
    format_for,
    read_animation,
    write_animation,
)

# Heavy imports (torch above all) happen inside `run`, so that `talker --help` answers at once.


OptionalPath = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]
OptionalName = Annotated[str | None, tyro.conf.arg(metavar="NAME")]
OptionalRate = Annotated[float | None, tyro.conf.arg(metavar="FPS")]


@dataclass(frozen=True)
class Convert:
    """Convert a take from one format to another, both told by their extensions.

    For example:
      talker convert take.csv take.glb
      talker convert take.csv curves.csv --rig metahuman --fps 30
      talker convert take.npz take.fbx --blender /usr/bin/blender
    """

    input: Annotated[Path, tyro.conf.Positional]
    """File to read."""
    output: Annotated[Path, tyro.conf.Positional]
    """File to write."""
    rig: OptionalName = None
    """Rig to write where the extension leaves a choice (see `talker rigs list`)."""
    fps: OptionalRate = None
    """Frames per second to write; those of the input when not given."""
    format: OptionalName = None
    """Output format, when the extension does not say it (see `talker formats`)."""
    input_format: OptionalName = None
    """Input format, when the content does not say it."""
    audio: OptionalPath = None
    """Sound to attach to the take."""
    options: Annotated[ExportOptions, tyro.conf.arg(name="")] = DEFAULT_OPTIONS
    """What single formats need to know."""

    def run(self) -> int:
        """Read, convert, write."""
        format_for(self.output, self.format, self.rig)  # A misspelt output should not wait for a long input.
        animation = read_animation(self.input, self.input_format, self.options)
        if self.audio is not None:
            animation = replace(animation, audio=read_audio(self.audio))
        if self.fps is not None:
            animation = animation.resample(self.fps)
        written = write_animation(animation, self.output, self.format, self.rig, self.options)
        _say(f"{self.output}: {written.name}, {animation.frame_count} frames at {animation.fps:g} fps")
        return 0


@dataclass(frozen=True)
class Animate:
    """Animate a face from speech.

    For example:
      talker animate line.wav -o line.csv
      talker animate line.wav -o line.csv --rig metahuman --fps 30
      talker animate takes/ intro.mp3 -o animated --format glb
    """

    inputs: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="SOUND [SOUND ...]", help_behavior_hint="(one or more)"),
    ]
    """Sound or video files, or folders of them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
    """File to write; with several inputs, or without a known extension, a folder of files named after the inputs."""
    rig: OptionalName = None
    """Rig to write where the extension leaves a choice (see `talker rigs list`)."""
    fps: Annotated[float, tyro.conf.arg(metavar="FPS")] = 60.0
    """Frames per second to write."""
    format: OptionalName = None
    """Output format, when the extension does not say it (see `talker formats`)."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Weights to use: "default", or a folder written by `talker train`."""
    device: Annotated[str, tyro.conf.arg(metavar="NAME")] = "auto"
    """Where to compute: cpu, cuda or auto."""
    options: Annotated[ExportOptions, tyro.conf.arg(name="")] = DEFAULT_OPTIONS
    """What single formats need to know."""

    def run(self) -> int:
        """Plan the outputs, load the model once, work through the files."""
        from talker.batch import Job, plan, run_batch

        jobs = plan(self.inputs, self.output, self.format, self.rig)
        from talker.inference import animate, load_model

        model = load_model(self.model, self.device)

        def work(job: Job) -> str:
            animation = animate(job.source, fps=self.fps, model=model)
            written = write_animation(animation, job.target, self.format, self.rig, self.options)
            return f"{job.target}: {written.name}, {animation.frame_count} frames at {animation.fps:g} fps"

        return run_batch(jobs, work, say=_say)


@dataclass(frozen=True)
class Train:
    """Train weights of your own.

    For example:
      talker train talker --data ../shared/data -o checkpoints/mine
      talker train talker --data ../shared/data -o checkpoints/mine --resume
    """

    stage: Annotated[Literal["talker"], tyro.conf.Positional]
    """What to train. talker: speech encoder and talker together, from tracked talking video."""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that holds the sets grid_s1 and javanese, or one of them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, usable with `talker animate --model` from the first checkpoint on."""
    steps: int = 3000
    """Optimiser steps; each hears 48 seconds of speech and takes about a second on one CPU core."""
    learning_rate: float = 8e-4
    """Peak learning rate."""
    seed: int = 0
    """Decides initial weights, batches and dropout."""
    bfloat16: bool = False
    """Compute in bfloat16: nearly twice as fast on processors that have it."""
    resume: bool = False
    """Continue from the last checkpoint in the output folder."""

    def run(self) -> int:
        """Train and report."""
        from talker.training.loop import LoopOptions
        from talker.training.talker import train_talker

        options = LoopOptions(self.steps, self.learning_rate, self.seed, bfloat16=self.bfloat16)
        train_talker(self.data, self.output, options, resume=self.resume, say=_say)
        return 0


@dataclass(frozen=True)
class Formats:
    """List the file formats talker reads and writes."""

    def run(self) -> int:
        """Print the table."""
        from rich.console import Console
        from rich.table import Table

        table = Table("format", "extension", "rig", "reads", "writes", "what it is", box=None)
        for format in available_formats():
            reads, writes = ("yes" if able else "" for able in (format.readable, format.writable))
            table.add_row(format.name, format.extension, format.rig, reads, writes, format.summary)
        Console().print(table)
        return 0


# One line per verb.
Command = (
    Annotated[Animate, tyro.conf.subcommand("animate")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Formats, tyro.conf.subcommand("formats")]
    | Annotated[Train, tyro.conf.subcommand("train")]
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 some inputs of a batch failed, 2 nothing could be done."""
    try:
        command = tyro.cli(Command, prog="talker", args=arguments, config=(tyro.conf.OmitSubcommandPrefixes,))
        return command.run()
    except TalkerError as error:
        print(f"talker: error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except BrokenPipeError:  # The reader of our output, `head` say, has seen enough.
        sys.stdout = None
        return 0
    except KeyboardInterrupt:
        print("talker: interrupted", file=sys.stderr)  # noqa: T201
        return 130


def _say(text: str) -> None:
    print(text)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
