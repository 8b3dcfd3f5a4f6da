"""How well a face talks, in figures."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from talker.cli.output import Flag, OptionalName, OptionalPath, say, say_table, told
from talker.errors import TalkerError

if TYPE_CHECKING:
    from talker.evaluation.clips import Clip
    from talker.evaluation.talking import Judge, Score, System


@dataclass(frozen=True)
class Evaluate:
    """Judge how well faces talk: those of a model, of Rhubarb, or takes from anywhere.

    For example:
      talker evaluate --sets shards -o report
      talker evaluate --sets shards --model mine --rhubarb rhubarb/rhubarb -o report
      talker evaluate --sets shards --emotions neutral happy angry
      talker evaluate theirs/*.csv --truth tracked/ -o report
      talker evaluate --sets shards --sounds sounds
      talker evaluate theirs/*.csv --sets shards -o report
    """

    takes: Annotated[tuple[Path, ...], tyro.conf.Positional, told("[TAKE ...]")] = ()
    """Takes, of any format, to judge instead: by --truth, or by the clips of --sets that they are named after."""
    truth: OptionalPath = None
    """What the takes should have been: a take, or a folder of takes of the same names."""
    sets: Annotated[tuple[Path, ...], told("SHARDS")] = ()
    """Folders that `talker prepare` made; clips whose landmarks were measured are judged."""
    split: Literal["validation", "test", "train"] = "validation"
    """Part of the sets."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Weights to judge: "default", or a folder written by `talker train`."""
    network: Flag = False
    """Judge what the network says, before it is finished."""
    emotions: Annotated[tuple[str, ...], told("LABEL")] = ()
    """Judge the model once under each of these emotions at full intensity; neutral when not given."""
    readers: OptionalName = None
    """Networks that judge, too, whether lips can be read and emotions seen: `readers_evaluation`, or a folder."""
    rhubarb: Annotated[Path | None, told("PROGRAM")] = None
    """Judge Rhubarb Lip Sync on the same clips, too; what it says is kept for the next time."""
    recogniser: Literal["phonetic", "pocketSphinx"] = "phonetic"
    """Rhubarb's way to hear: any language, or English words, which takes it about ten times as long."""
    sounds: OptionalPath = None
    """Only write the clips' sounds into this folder, in step with the landmarks, for other programs to animate."""
    output: Annotated[Path | None, told("DIR", "-o")] = None
    """Folder for report.html (with curves of the best and worst clips), figures.csv and clips.csv."""

    def run(self) -> int:
        """Gather scores, sum them up, print, write."""
        if bool(self.sets) == (self.truth is not None) or (self.truth is not None and not self.takes):
            raise TalkerError("say what to judge by: --sets SHARDS, or TAKES and their --truth")
        if self.sounds is not None:
            return self._write_sounds(self.sounds)
        from talker.evaluation.report import table, write_report
        from talker.evaluation.talking import summarise

        scores = list(self._scores_by_truth() if self.truth is not None else self._scores_by_sets())
        summaries = summarise(scores)
        say_table(table(summaries))
        if self.output is not None:
            write_report(self.output, scores, summaries)
            say(f"{self.output}: report.html, figures.csv, clips.csv")
        return 0

    def _write_sounds(self, folder: Path) -> int:
        from talker.audio import NETWORK_RATE, Audio, write_wav
        from talker.files import atomic_output

        clips = self._clips()
        for clip in clips:
            with atomic_output(folder / clip.set / f"{clip.name}.wav") as temporary:
                write_wav(Audio(clip.samples, NETWORK_RATE), temporary)
        say(f"{folder}: {len(clips)} sounds")
        return 0

    def _clips(self) -> "list[Clip]":
        from talker.evaluation.clips import clips_of_shards

        clips = list(clips_of_shards(self.sets, self.split))
        if not clips:
            raise TalkerError(f"no {self.split} clip of {', '.join(map(str, self.sets))} has measured landmarks")
        return clips

    def _scores_by_sets(self) -> "Iterator[Score]":
        from talker.evaluation.talking import score

        systems = dict(_takes_as_system(self.takes) if self.takes else self._models())
        if self.rhubarb is not None:
            systems["rhubarb"] = _rhubarb(self.rhubarb, self.recogniser)
        judges = self._judges(systems)
        clips = self._clips()
        if self.takes:
            named = {path.stem for path in self.takes}
            clips = [clip for clip in clips if clip.name in named]
            if not clips:
                raise TalkerError(f"{self.takes[0]}: no clip of the sets is named like this take, nor like the others")
        for name, system in systems.items():
            begin = time.perf_counter()
            yield from score(name, system, clips, judges[name])
            say(f"{name}: {len(clips)} clips in {time.perf_counter() - begin:.0f} s")

    def _judges(self, systems: "Iterable[str]") -> "dict[str, tuple[Judge, ...]]":
        """The usual ones, and those that look at faces; of systems named after an emotion, that must be seen, too."""
        from talker.evaluation.talking import JUDGES

        if self.readers is None:
            return dict.fromkeys(systems, JUDGES)
        from talker.evaluation.looking import emotion_judge, lips_judge
        from talker.models.readers import load_readers

        readers = load_readers(self.readers)
        lips = lips_judge(readers)
        labels = {name: name.rpartition(" ")[2] for name in systems}
        feels = {name: (emotion_judge(readers, label),) for name, label in labels.items() if label in self.emotions}
        return {name: (*JUDGES, lips, *feels.get(name, ())) for name in labels}

    def _models(self) -> "Iterator[tuple[str, System]]":
        from talker.emotion import require_emotion
        from talker.evaluation.talking import talked
        from talker.inference import load_model

        for label in self.emotions:
            require_emotion(label)
        model, name = load_model(self.model), Path(self.model).name

        yield from ((f"{name} {label}", partial(talked, model, emotion=label)) for label in self.emotions)
        if self.network:
            yield f"{name} unfinished", lambda clip: model.curves(clip.samples)
        elif not self.emotions:
            yield name, partial(talked, model)

    def _scores_by_truth(self) -> "Iterator[Score]":
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


def _takes_as_system(takes: Sequence[Path]) -> "Iterator[tuple[str, System]]":
    from talker.export.registry import read_animation
    from talker.models.speech_encoder import FEATURE_FPS

    by_name = {path.stem: path for path in takes}
    yield "takes", lambda clip: read_animation(by_name[clip.name]).resample(FEATURE_FPS).curves


def _rhubarb(program: Path, recogniser: Literal["phonetic", "pocketSphinx"]) -> "System":
    from talker.evaluation.rhubarb import Rhubarb
    from talker.rigs.fit import cache_dir

    rhubarb = Rhubarb(program, cache_dir() / "rhubarb")
    return lambda clip: rhubarb.curves(clip.samples, recogniser)
