"""Takes that exist: convert them, look at them, list their formats."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from talker.animation import FaceAnimation
from talker.audio import read_audio
from talker.cli.output import Export, OptionalName, OptionalPath, OptionalRate, say, say_table, told
from talker.errors import TalkerError
from talker.export.registry import (
    DEFAULT_OPTIONS,
    FORMATS,
    format_for,
    read_animation,
    write_animation,
)


@dataclass(frozen=True)
class Convert:
    """Convert a take from one format to another, both told by their extensions.

    For example:
      talker convert take.csv take.glb
      talker convert take.csv curves.csv --rig metahuman --fps 30
      talker convert take.npz take.fbx --blender /usr/bin/blender
    """

    input: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IN")]
    """File to read."""
    output: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """File to write."""
    rig: OptionalName = None
    """Rig to write where the extension leaves a choice (see `talker rigs list`)."""
    fps: OptionalRate = None
    """Frames per second to write; those of the input when not given."""
    format: OptionalName = None
    """Output format, when the extension does not say it (see `talker formats`)."""
    input_format: OptionalName = None
    """Input format, when the content does not say it."""
    input_angle_unit: Literal["radians", "degrees"] = "radians"
    """Unit of the head and eye columns in a Live Link Face CSV that is read."""
    audio: OptionalPath = None
    """Sound to attach to the take."""
    export: Export = DEFAULT_OPTIONS
    """What single formats need to know."""

    def run(self) -> int:
        """Read, convert, write."""
        format_for(self.output, self.format, self.rig)  # A misspelt output should not wait for a long input.
        written = write_animation(_load(self), self.output, self.format, self.rig, self.export)
        say(f"{self.output}: {written}")
        return 0


@dataclass(frozen=True)
class Preview:
    """Look at a take: as a video with its sound, as a page for the browser, or as a still picture.

    For example:
      talker preview take.csv -o take.mp4 --side-view --curve-strip
      talker preview take.csv -o take.html --audio take.mov
      talker preview take.csv -o face.png --time 1.2
    """

    input: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TAKE")]
    """File to read."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
    """File to write: .mp4, .html, or .png."""
    time: Annotated[float | None, told("SECONDS")] = None
    """Moment a PNG shows; without it, twelve moments spread over the take."""
    fps: OptionalRate = None
    """Frames per second to show; those of the input when not given."""
    input_format: OptionalName = None
    """Input format, when the content does not say it (see `talker formats`)."""
    input_angle_unit: Literal["radians", "degrees"] = "radians"
    """Unit of the head and eye columns in a Live Link Face CSV that is read."""
    audio: OptionalPath = None
    """Sound to play along."""
    export: Export = DEFAULT_OPTIONS
    """What single formats need to know."""

    def run(self) -> int:
        """Read and draw."""
        extension = self.output.suffix.lower()
        still = extension == ".png"
        if not still and extension not in (".mp4", ".html", ".htm"):
            raise TalkerError(
                f"{self.output}: a preview is an .mp4, .html or .png file; `talker convert` writes others"
            )
        if self.time is not None and not still:
            raise TalkerError("--time chooses the moment of a .png; an .mp4 or .html shows the whole take")
        animation = _load(self)
        if still:
            from talker.render.stills import write_still

            count = write_still(animation, self.output, self.time, self.export)
            say(f"{self.output}: {count} of {animation.frame_count} frames")
        else:
            say(f"{self.output}: {write_animation(animation, self.output, options=self.export)}")
        return 0


def _load(command: Convert | Preview) -> FaceAnimation:
    """The take that a command names, with the sound and at the rate it asks for."""
    if command.output.resolve() == command.input.resolve():
        raise TalkerError(f"{command.output} is the input; choose another name for the output")
    options = replace(command.export, angle_unit=command.input_angle_unit)
    animation = read_animation(command.input, command.input_format, options)
    if command.audio is not None:
        animation = replace(animation, audio=read_audio(command.audio))
    return animation if command.fps is None else animation.resample(command.fps)


@dataclass(frozen=True)
class Formats:
    """List the file formats talker reads and writes."""

    def run(self) -> int:
        """Print the table."""
        able = {True: "yes", False: ""}
        say_table(
            [
                {
                    **{"format": format.name, "extension": format.extension, "rig": format.rig},
                    **{"reads": able[format.readable], "writes": able[format.writable], "what it is": format.summary},
                }
                for format in FORMATS
            ]
        )
        return 0
