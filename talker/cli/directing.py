"""Options that direct a performance, shared by the commands that make one and that change one."""

from dataclasses import dataclass
from typing import Annotated, Any

import tyro


def _told(metavar: str, *aliases: str) -> Any:
    """An option that changes nothing until it is given: a default of None would say nothing in the help."""
    return tyro.conf.arg(metavar=metavar, aliases=aliases or None, help_behavior_hint="")


_Off = Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")]
_Repeated = tyro.conf.UseAppendAction


@dataclass(frozen=True)
class Directing:
    """How the line is played; what is not given stays as it is, or as it usually is."""

    emotion: Annotated[str | None, _told("EMOTION")] = None
    """A label, a mixture `happy:0.6+sad:0.2`, affect `vad(-0.5,0.6,0.2)`, keys over time
    `neutral@0 happy:0.4@1.2 angry@3.5~0.8`, a JSON or CSV file of them, or `auto`: what the voice says."""
    intensity: Annotated[float | None, _told("0..2")] = None
    """Strength of all emotions; 1 is as they are written."""
    no_blinks: _Off = False
    """No blinks."""
    no_gaze: _Off = False
    """Eyes that never leave what they look at."""
    no_head: _Off = False
    """A still head."""
    no_breath: _Off = False
    """No breath to be seen."""
    look_at: Annotated[str | None, _told("PLACE")] = None
    """`camera`, `X,Y,Z` in metres, or places over time: `left@2 camera@4`."""
    cuts: Annotated[str | None, _told("SECONDS")] = None
    """Times at which the picture cuts, as in `--cuts "2.0 5.5"`: no blink comes in the first frames after one."""
    au: Annotated[tuple[str, ...], _Repeated, tyro.conf.arg(metavar="AU=VALUE@FROM-TO")] = ()
    """Hold an action unit, whatever the face does otherwise: `AU12L=0.6@1.0-2.0`."""
    shift: Annotated[float | None, _told("SECONDS")] = None
    """Show the face later than the sound; negative: earlier."""
    seed: Annotated[int | None, _told("N", "--variation")] = None
    """Another number, another performance; the same number, the same bytes."""
    set: Annotated[tuple[str, ...], _Repeated, tyro.conf.arg(metavar="NAME=VALUE")] = ()
    """Any other setting: `mouth=1.2`, `brows.smooth=0.2`, `articulation=0.8`, `asymmetry=0.2`, `blinks=1.5` ...; a
    wrong name lists them all."""

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
