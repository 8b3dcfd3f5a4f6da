"""Rigs: what talker can drive, and fitting models of your own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from talker.cli.menu import Menu
from talker.cli.output import Flag, OptionalPath, say, say_json, say_table, told
from talker.files import atomic_output


@dataclass(frozen=True)
class RigsList:
    """List the rigs talker knows."""

    json: Flag = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Print the table."""
        from talker.rigs.catalogue import RIGS, formats_of

        if self.json:
            fields = ("name", "channels", "summary")
            say_json([{**{f: getattr(rig, f) for f in fields}, "formats": formats_of(rig)} for rig in RIGS])
            return 0
        say_table(
            [
                {"rig": rig.name, "channels": rig.channels, "what it is": rig.summary, "formats": formats_of(rig)}
                for rig in RIGS
            ]
        )
        return 0


@dataclass(frozen=True)
class RigsShow:
    """Show the controls of one rig: their names, ranges and meaning.

    For example:
      talker rigs show arkit
      talker rigs show metahuman --json
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RIG")]
    """Its name (see `talker rigs list`)."""
    json: Flag = False
    """Print JSON instead of tables."""

    def run(self) -> int:
        """Print the tables."""
        from talker.rigs.catalogue import describe, find_rig

        rig = describe(find_rig(self.name))
        if self.json:
            say_json(rig)
            return 0
        say(f"{rig['name']}: {rig['channels']}; {rig['summary']}; formats: {', '.join(rig['formats']) or 'none yet'}")
        for title, rows in rig["tables"].items():
            say(f"\n{title}")
            say_table(rows)
        return 0


@dataclass(frozen=True)
class RigsFit:
    """Fit your own FLAME or SMPL-X model to talker's head, and show how well its landmarks follow.

    Formats that need a fit make it by themselves, and keep it.

    Do it yourself to see the report, to let a landmarker help, or to get a file in the model's place.

    For example:
      talker rigs fit flame --model generic_model.pkl
      talker rigs fit smplx --model SMPLX_NEUTRAL.npz --landmarker face_landmarker.task -o fit.npz
    """

    kind: Annotated[Literal["flame", "smplx"], tyro.conf.Positional]
    """What the model is."""
    model: Annotated[Path, tyro.conf.arg(metavar="PATH")]
    """Model file as its makers distribute it (.pkl or .npz); it is read, never executed."""
    output: Annotated[Path | None, told("PATH", "-o")] = None
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
        say_table(fit.report())
        say(f"kept as {kept_path(self.model, kind)}")
        return 0


RIGS = Menu(
    "What talker can drive: rigs, their controls, and fitting models of your own.",
    {"list": RigsList, "show": RigsShow, "fit": RigsFit},
    "talker rigs show metahuman",
)
