"""`talker edit`: direct a finished take anew."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from talker.cli.directing import Directing
from talker.cli.output import Export, OptionalName, OptionalRate, say
from talker.errors import TalkerError
from talker.export.registry import DEFAULT_OPTIONS, format_for, read_animation, write_animation


@dataclass(frozen=True)
class Edit:
    """Change the emotion, blinks, gaze, head, parts of the face or timing of a take, without the network.

    The take is an .npz by `talker animate`: it keeps what it was made from, so changes can be undone.

    Written to an .html, before and after are shown side by side.

    For example:
      talker edit take.npz -o calmer.npz --set emotion.strength=0.5 --set blinks=off
      talker edit take.npz -o compare.html --emotion "sad@0 happy@2" --set mouth=1.2
      talker edit take.npz -o final.csv --au AU12L=0.6@1.0-2.0 --set brows.smooth=0.2 --shift 0.04
    """

    input: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TAKE")]
    """Take to change."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
    """File to write; .npz can be edited again."""
    rig: OptionalName = None
    """Rig to write where the extension leaves a choice (see `talker rigs list`)."""
    fps: OptionalRate = None
    """Frames per second to write; those of the input when not given."""
    format: OptionalName = None
    """Output format, when the extension does not say it (see `talker formats`)."""
    directing: Annotated[Directing, tyro.conf.OmitArgPrefixes] = field(default_factory=Directing)
    export: Export = DEFAULT_OPTIONS
    """What single formats need to know."""

    def run(self) -> int:
        """Read, direct anew, write."""
        from talker.direction.edit import edit

        chosen = format_for(self.output, self.format, self.rig)
        if self.output.resolve() == self.input.resolve():
            raise TalkerError(f"{self.output} is the input; choose another name for the output")
        take = read_animation(self.input)
        try:
            edited = edit(take, self.directing.changes(), self.fps)
        except TalkerError as error:
            raise TalkerError(f"{self.input}: {error}") from error
        if chosen.name == "html":
            from talker.export.html import write_comparison

            write_comparison(take, edited, self.output, self.export)
            say(f"{self.output}: html, before and after")
        else:
            say(f"{self.output}: {write_animation(edited, self.output, self.format, self.rig, self.export)}")
        return 0
