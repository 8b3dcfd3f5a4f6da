"""Options that direct a performance, shared by the commands that make one and that change one."""

from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from talker.cli.output import Flag, told

_Repeated = tyro.conf.UseAppendAction


@dataclass(frozen=True)
class Directing:
    """How the line is played; what is not given stays as it is, or as it usually is.

    Emotions are neutral, happy, sad, surprised, fear, disgusted, angry and contempt.
    """

    emotion: Annotated[str | None, told("EMOTION")] = None
    """`happy`, `happy:0.6+sad:0.2`, `vad(-0.5,0.6,0.2)`, `neutral@0 happy@1.2`, a file of keys, or `auto` (heard)."""
    intensity: Annotated[float | None, told("0..2")] = None
    """Strength of all emotions; 1 is as they are written."""
    no_blinks: Flag = False
    """No blinks."""
    no_gaze: Flag = False
    """Eyes that never leave what they look at."""
    no_head: Flag = False
    """A still head."""
    no_breath: Flag = False
    """No breath to be seen."""
    look_at: Annotated[str | None, told("PLACE")] = None
    """`camera`, `X,Y,Z` in metres, or places over time: `left@2 camera@4`."""
    cuts: Annotated[str | None, told("SECONDS")] = None
    """Times at which the picture cuts, as in `--cuts "2.0 5.5"`: no blink comes in the first frames after one."""
    au: Annotated[tuple[str, ...], _Repeated, tyro.conf.arg(metavar="AU=VALUE@FROM-TO")] = ()
    """Hold an action unit, whatever the face does otherwise: `AU12L=0.6@1.0-2.0`."""
    shift: Annotated[float | None, told("SECONDS")] = None
    """Show the face later than the sound; negative: earlier."""
    seed: Annotated[int | None, told("N", "--variation")] = None
    """Another number, another performance; the same number, the same bytes."""
    set: Annotated[tuple[str, ...], _Repeated, tyro.conf.arg(metavar="NAME=VALUE")] = ()
    """Any other setting, such as `mouth=1.2`, `brows.smooth=0.2` or `blinks=1.5`; a wrong name lists them all."""

    def changes(self) -> dict[str, Any]:
        """What was given, as `talker.edit` takes it."""
        from talker.direction.edit import parse_changes

        given: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("emotion", "intensity", "look_at", "cuts", "shift", "seed")
            if getattr(self, name) is not None
        }
        switched_off = [name for name in ("blinks", "gaze", "head", "breath") if getattr(self, f"no_{name}")]
        given |= dict.fromkeys(switched_off, 0.0)
        if self.au:
            given["action_units"] = " ".join(self.au)
        return given | parse_changes(self.set)
