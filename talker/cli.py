"""The command line: one small class per verb; each parses, calls and prints."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

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
from talker.files import atomic_output

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
class Preview:
    """Look at a take: as a video with its sound, as a page for the browser, or as a still picture.

    For example:
      talker preview take.csv -o take.mp4 --side-view --curve-strip
      talker preview take.csv -o take.html --audio take.mov
      talker preview take.csv -o face.png --time 1.2
    """

    input: Annotated[Path, tyro.conf.Positional]
    """File to read."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
    """File to write: .mp4, .html, or .png."""
    time: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """Moment a PNG shows; without it, twelve moments spread over the take."""
    fps: OptionalRate = None
    """Frames per second to show; those of the input when not given."""
    input_format: OptionalName = None
    """Input format, when the content does not say it (see `talker formats`)."""
    audio: OptionalPath = None
    """Sound to play along."""
    options: Annotated[ExportOptions, tyro.conf.arg(name="")] = DEFAULT_OPTIONS
    """What single formats need to know."""

    def run(self) -> int:
        """Read and draw."""
        still = self.output.suffix.lower() == ".png"
        if not still and format_for(self.output).name not in ("mp4", "html"):
            raise TalkerError(
                f"{self.output}: a preview is an .mp4, .html or .png file; `talker convert` writes others"
            )
        if self.time is not None and not still:
            raise TalkerError("--time chooses the moment of a .png; an .mp4 or .html shows the whole take")
        animation = read_animation(self.input, self.input_format, self.options)
        if self.audio is not None:
            animation = replace(animation, audio=read_audio(self.audio))
        if self.fps is not None:
            animation = animation.resample(self.fps)
        if still:
            from talker.render.stills import write_still

            count = write_still(animation, self.output, self.time, self.options)
            _say(f"{self.output}: {count} of {animation.frame_count} frames")
        else:
            written = write_animation(animation, self.output, options=self.options)
            _say(f"{self.output}: {written.name}, {animation.frame_count} frames at {animation.fps:g} fps")
        return 0


@dataclass(frozen=True)
class Track:
    """Turn talking video into face curves.

    For example:
      talker track interview.mp4 -o interview.npz --preview
      talker track videos/ -o takes --person anna --landmarker face_landmarker.task
      talker track talk.mov -o takes --format livelink-csv
    """

    inputs: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="VIDEO [VIDEO ...]", help_behavior_hint="(one or more)"),
    ]
    """Video files, or folders of them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
    """Folder for the takes, named after the videos; or a file for one video."""
    landmarker: OptionalPath = None
    """MediaPipe's face_landmarker.task; $TALKER_LANDMARKER when not given."""
    download_landmarker: bool = False
    """Fetch that file from its makers (3.8 MB, Apache-2.0) when it is not there; its sha256 is checked."""
    person: OptionalName = None
    """All videos show this one person: learn the resting face from all of them together."""
    preview: bool = False
    """Write <name>.preview.mp4 as well: the video and the solved head side by side."""
    rig: OptionalName = None
    """Rig to write where the format leaves a choice (see `talker rigs list`)."""
    format: OptionalName = None
    """Output format; npz, which keeps sound and confidence, when neither this nor the extension says another."""
    options: Annotated[ExportOptions, tyro.conf.arg(name="")] = DEFAULT_OPTIONS
    """What single formats and the preview need to know."""

    def run(self) -> int:
        """Plan the outputs, then track file by file (a person's files all together)."""
        from talker.batch import plan, run_batch

        format = self.format or (None if self.output.suffix else "npz")
        jobs = plan(self.inputs, self.output, format, self.rig)
        from talker.tracking.batch import TrackingBatch

        batch = TrackingBatch(self.landmarker, self.download_landmarker, self.person, self.preview, self.options)
        batch.prepare(jobs)
        return run_batch(jobs, lambda job: batch.work(job, self.format, self.rig), say=_say)


@dataclass(frozen=True)
class Train:
    """Train weights of your own.

    For example:
      talker train talker --data ../shared/data -o mine
      talker train talker --data ../shared/data -o mine --resume
    """

    stage: Annotated[Literal["talker"], tyro.conf.Positional]
    """What to train. talker: speech encoder and talker together, from tracked talking video."""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that holds the sets grid_s1 and javanese, or one of them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, usable with `talker animate --model` from the first checkpoint on."""
    steps: int = 3000
    """Optimiser steps; each hears 24 seconds of speech and takes about half a second on one CPU core."""
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
        able = {True: "yes", False: ""}
        _say_table(
            [
                {
                    **{"format": format.name, "extension": format.extension, "rig": format.rig},
                    **{"reads": able[format.readable], "writes": able[format.writable], "what it is": format.summary},
                }
                for format in available_formats()
            ]
        )
        return 0


@dataclass(frozen=True)
class RigsList:
    """List the rigs talker knows."""

    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Print the table."""
        from talker.rigs.catalogue import RIGS, formats_of

        if self.json:
            fields = ("name", "channels", "summary")
            _say_json([{**{f: getattr(rig, f) for f in fields}, "formats": formats_of(rig)} for rig in RIGS])
            return 0
        _say_table(
            [
                {"rig": rig.name, "channels": rig.channels, "what it is": rig.summary, "formats": formats_of(rig)}
                for rig in RIGS
            ]
        )
        return 0


@dataclass(frozen=True)
class RigsShow:
    """Show the controls of one rig: their names, ranges and meaning.

    Examples:
      talker rigs show arkit
      talker rigs show metahuman --json
    """

    name: Annotated[str, tyro.conf.Positional]
    """Rig (see `talker rigs list`)."""
    json: bool = False
    """Print JSON instead of tables."""

    def run(self) -> int:
        """Print the tables."""
        from talker.rigs.catalogue import describe, find_rig

        rig = describe(find_rig(self.name))
        if self.json:
            _say_json(rig)
            return 0
        _say(f"{rig['name']}: {rig['channels']}; {rig['summary']}; formats: {', '.join(rig['formats']) or 'none yet'}")
        for title, rows in rig["tables"].items():
            _say(f"\n{title}")
            _say_table(rows)
        return 0


@dataclass(frozen=True)
class RigsFit:
    """Fit your own FLAME or SMPL-X model to talker's head, and show how well its landmarks follow.

    Done by itself when first needed, and kept; do it yourself to see the report, to help it with MediaPipe's
    landmarker, or to make a file that can be used in place of the model.

    For example:
      talker rigs fit flame --model generic_model.pkl
      talker rigs fit smplx --model SMPLX_NEUTRAL.npz --landmarker face_landmarker.task -o fit.npz
    """

    kind: Annotated[Literal["flame", "smplx"], tyro.conf.Positional]
    """What the model is."""
    model: Annotated[Path, tyro.conf.arg(metavar="PATH")]
    """Model file as its makers distribute it (.pkl or .npz); it is read, never executed."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="PATH")] = None
    """Also write the fit here; `--rig-model` takes it in place of the model."""
    landmarker: OptionalPath = None
    """MediaPipe's face_landmarker.task, to look at the model as well as measure it."""

    def run(self) -> int:
        """Fit, keep, report."""
        from talker.rigs.fit import KINDS, fit_file, kept_path, progress_bar

        kind = KINDS[self.kind]
        with progress_bar() as progress:
            fit = fit_file(self.model, kind, self.landmarker, progress)
        if self.output is not None:
            with atomic_output(self.output) as temporary:
                fit.save(temporary)
        _say_table(fit.report())
        _say(f"kept as {kept_path(self.model, kind)}")
        return 0


@dataclass(frozen=True)
class Rigs:
    """Rigs: what talker can drive, their controls, and fitting models of your own."""

    # One line per action.
    action: (
        Annotated[RigsList, tyro.conf.subcommand("list")]
        | Annotated[RigsShow, tyro.conf.subcommand("show")]
        | Annotated[RigsFit, tyro.conf.subcommand("fit")]
    )

    def run(self) -> int:
        """Do it."""
        return self.action.run()


# One line per verb.
Command = (
    Annotated[Animate, tyro.conf.subcommand("animate")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Formats, tyro.conf.subcommand("formats")]
    | Annotated[Preview, tyro.conf.subcommand("preview")]
    | Annotated[Rigs, tyro.conf.subcommand("rigs")]
    | Annotated[Track, tyro.conf.subcommand("track")]
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


def _say_json(data: Any) -> None:
    import json

    _say(json.dumps(data, indent=2, ensure_ascii=False))


def _say_table(rows: list[dict[str, Any]]) -> None:
    """One line per row under the keys of the first one; columns that are empty throughout are left out."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    columns = [name for name in rows[0] if any(row[name] != "" for row in rows)]
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    # In a pipe a row stays one line, for `grep` and `cut`.
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 1000).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
