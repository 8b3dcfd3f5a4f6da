"""New takes: a face from speech, a face from video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from talker.cli.output import OptionalName, OptionalPath, Rate, say
from talker.export.registry import DEFAULT_OPTIONS, ExportOptions, write_animation


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
    emotion: Annotated[str, tyro.conf.arg(metavar="EMOTION")] = "neutral"
    """A label, a mixture `happy:0.6+sad:0.2`, keys over time `neutral@0 happy:0.4@1.2 angry@3.5~0.8`, a JSON or CSV
    file of them, or `auto`: what the voice says."""
    intensity: Annotated[float, tyro.conf.arg(metavar="0..1")] = 1.0
    """Strength of all emotions."""
    rig: OptionalName = None
    """Rig to write where the extension leaves a choice (see `talker rigs list`)."""
    fps: Rate = 60.0
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
        from talker.direction.animate import animate
        from talker.inference import load_model

        model = load_model(self.model, self.device)

        def work(job: Job) -> str:
            animation = animate(job.source, emotion=self.emotion, intensity=self.intensity, fps=self.fps, model=model)
            return f"{job.target}: {write_animation(animation, job.target, self.format, self.rig, self.options)}"

        return run_batch(jobs, work, say=say)


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
        return run_batch(jobs, lambda job: batch.work(job, self.format, self.rig), say=say)
