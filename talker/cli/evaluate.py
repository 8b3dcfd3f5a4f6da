"""How well a face talks, in figures."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from talker.cli.output import OptionalPath, say, say_table
from talker.errors import TalkerError

if TYPE_CHECKING:
    import numpy as np

    from talker.evaluation.clips import Clip
    from talker.evaluation.talking import Score, System


@dataclass(frozen=True)
class Evaluate:
    """Judge how well faces talk: those of a model, of Rhubarb, or takes from anywhere.

    For example:
      talker evaluate --sets shards -o report
      talker evaluate --sets shards --model mine --rhubarb rhubarb/rhubarb -o report
      talker evaluate theirs/*.csv --truth tracked/ -o report
    """

    takes: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[TAKE ...]")] = ()
    """Takes to judge instead of a model, of any format; see --truth."""
    truth: OptionalPath = None
    """What the takes should have been: a take, or a folder of takes with the same names."""
    sets: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="SHARDS")] = ()
    """Folders of shards that `talker prepare` made; talking faces whose landmarks were measured are judged."""
    split: Literal["validation", "test", "train"] = "validation"
    """Part of the sets."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Weights to judge: "default", or a folder written by `talker train`."""
    rhubarb: Annotated[Path | None, tyro.conf.arg(metavar="PROGRAM")] = None
    """Judge Rhubarb Lip Sync's mouths on the same clips, too; what it says is kept for the next time."""
    recogniser: Literal["phonetic", "pocketSphinx"] = "phonetic"
    """Rhubarb's way to hear: any language, or English words, which takes it about ten times as long."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = None
    """Folder for report.html (with curves of the best and worst clips), figures.csv and clips.csv."""

    def run(self) -> int:
        """Gather scores, sum them up, print, write."""
        if bool(self.takes) == bool(self.sets) or bool(self.takes) != (self.truth is not None):
            raise TalkerError("give either --sets SHARDS, or TAKES and their --truth (see talker evaluate --help)")
        from talker.evaluation.report import table, write_report
        from talker.evaluation.talking import summarise

        scores = list(self._scores_of_takes() if self.takes else self._scores_of_sets())
        summaries = summarise(scores)
        say_table(table(summaries))
        if self.output is not None:
            write_report(self.output, scores, summaries)
            say(f"{self.output}: report.html, figures.csv, clips.csv")
        return 0

    def _scores_of_sets(self) -> "Iterator[Score]":
        from talker.evaluation.clips import clips_of_shards
        from talker.evaluation.talking import score

        systems = self._systems()
        clips = list(clips_of_shards(self.sets, self.split))
        if not clips:
            raise TalkerError(f"no {self.split} clip of {', '.join(map(str, self.sets))} has measured landmarks")
        for name, system in systems.items():
            begin = time.perf_counter()
            yield from score(name, system, clips)
            say(f"{name}: {len(clips)} clips in {time.perf_counter() - begin:.0f} s")

    def _systems(self) -> "dict[str, System]":
        from talker.inference import load_model
        from talker.rigs.fit import cache_dir

        model = load_model(self.model)

        def talks(clip: "Clip") -> "np.ndarray":
            return model.curves(clip.samples)

        systems: dict[str, System] = {self.model: talks}
        if self.rhubarb is not None:
            from talker.evaluation.rhubarb import Rhubarb

            program = Rhubarb(self.rhubarb, cache_dir() / "rhubarb")
            systems["rhubarb"] = lambda clip: program.curves(clip.samples, self.recogniser)
        return systems

    def _scores_of_takes(self) -> "Iterator[Score]":
        from talker.evaluation.clips import clip_of_take
        from talker.evaluation.talking import score_curves
        from talker.export.registry import read_animation
        from talker.models.speech_encoder import FEATURE_FPS

        for path in self.takes:
            clip = clip_of_take(read_animation(self._truth_of(path)), path.stem)
            yield score_curves("takes", clip, read_animation(path).resample(FEATURE_FPS).curves)

    def _truth_of(self, take: Path) -> Path:
        assert self.truth is not None
        if not self.truth.is_dir():
            if len(self.takes) > 1:
                raise TalkerError(f"--truth {self.truth} is one take for {len(self.takes)}: give a folder of them")
            return self.truth
        found = sorted(path for path in self.truth.iterdir() if path.stem == take.stem)
        if not found:
            raise TalkerError(f"--truth {self.truth} holds no take named {take.stem}")
        return found[0]
