"""The command line: one small class per verb; each parses, calls and prints."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from talker.errors import TalkerError

# Heavy imports (torch, numpy) happen inside `run`, so that `talker --help` answers at once.


@dataclass(frozen=True)
class Convert:
    """Convert a take from one format to another, both told by their extensions.

    Examples:
      talker convert take.csv take.glb
      talker convert take.csv curves.csv --rig metahuman --fps 30
      talker convert take.npz take.fbx --blender /usr/bin/blender
    """

    input: Annotated[Path, tyro.conf.Positional]
    """File to read."""
    output: Annotated[Path, tyro.conf.Positional]
    """File to write."""
    rig: str | None = None
    """Rig to write where the extension leaves a choice: arkit, metahuman, emoface, viseme, flame, smplx."""
    fps: float | None = None
    """Frames per second to write; those of the input when not given."""
    format: str | None = None
    """Name of the output format, when the extension does not say it."""
    input_format: str | None = None
    """Name of the input format, when its content does not say it."""
    angle_unit: Literal["radians", "degrees"] = "radians"
    """Unit of head and eye angles in Live Link Face CSV."""
    head: Path | None = None
    """Your own head with ARKit-named shapes (GLB, glTF, a folder of OBJ files), instead of the default one."""
    model: Path | None = None
    """Your own FLAME or SMPL-X model file, for flame-npz and smplx-npz."""
    blender: Path | None = None
    """Blender program, or a Python that has bpy, for fbx, abc and blend."""
    target: Literal["sequence", "board"] = "sequence"
    """Where an Unreal script puts the curves: an animation sequence or the control board."""
    audio: Path | None = None
    """Sound to attach to the take."""

    def run(self) -> int:
        """Read, convert, write."""
        from dataclasses import replace

        from talker.audio import read_audio
        from talker.export.registry import ExportOptions, format_for, read_animation, write_animation

        options = ExportOptions(self.angle_unit, self.head, self.model, self.blender, target=self.target)
        format_for(self.output, self.format, self.rig)  # A misspelt output should not wait for a long input.
        animation = read_animation(self.input, self.input_format, options)
        if self.audio is not None:
            animation = replace(animation, audio=read_audio(self.audio))
        if self.fps is not None:
            animation = animation.resample(self.fps)
        written = write_animation(animation, self.output, self.format, self.rig, options)
        _say(f"{self.output}: {written.name}, {animation.frame_count} frames at {animation.fps:g} fps")
        return 0


@dataclass(frozen=True)
class Formats:
    """List the file formats talker reads and writes."""

    def run(self) -> int:
        """Print the table."""
        from rich.console import Console
        from rich.table import Table

        from talker.export.registry import available_formats

        table = Table("format", "extension", "rig", "reads", "writes", "what it is", box=None)
        for format in available_formats():
            reads, writes = ("yes" if able else "" for able in (format.readable, format.writable))
            table.add_row(format.name, format.extension, format.rig, reads, writes, format.summary)
        Console().print(table)
        return 0


# One line per verb.
Command = Annotated[Convert, tyro.conf.subcommand("convert")] | Annotated[Formats, tyro.conf.subcommand("formats")]


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 some inputs of a batch failed, 2 nothing could be done."""
    try:
        command = tyro.cli(Command, prog="talker", args=arguments, config=(tyro.conf.OmitSubcommandPrefixes,))
        return command.run()
    except TalkerError as error:
        print(f"talker: error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("talker: interrupted", file=sys.stderr)  # noqa: T201
        return 130


def _say(text: str) -> None:
    print(text)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
