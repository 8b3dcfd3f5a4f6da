"""Weights of your own: train them, stage by stage."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from talker.cli.output import OptionalName, OptionalPath, say
from talker.errors import TalkerError

if TYPE_CHECKING:
    from talker.training.course import Lessons
    from talker.training.native import NativeLessons

_MOODS = 0.5  # Share of the crops whose moods a motion prior sees.


@dataclass(frozen=True)
class TrainSpeech:
    """Train the speech encoder: it learns to hear as Whisper's encoders do, and to name phones.

    For example:
      talker train speech --data ../shared/data --packages downloads --synthesised synth --shards shards -o hearing
      torchrun --nproc-per-node 4 -m talker train speech --data ../shared/data --packages downloads -o hearing
    """

    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the sets speechocean762, grid_s1, javanese_audio, emodb and facegood, or of some of them."""
    packages: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder with the packages that hold Whisper's encoders; a missing one is told with the command to fetch it."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, and for history.csv and history.png, which tell with every checkpoint how they do."""
    synthesised: OptionalPath = None
    """Folder made by `python -m talker.training.synthesis`: speech whose phones are known to the frame."""
    cache: OptionalPath = None
    """Folder to keep what the teacher hears, 2 GB for 5 hours of speech; inside the output folder by default."""
    shards: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR")] = ()
    """Folders of shards whose faces show what to listen for, made by `talker prepare` or `talker.training.taught`."""
    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SET=WEIGHT")] = ()
    """How often to draw from a set of the shards, relative to the others; 1 where nothing is said, 0 for never."""
    shippable: bool = False
    """Of the shards, learn only from clips under licences that let the weights be given to anybody."""
    align: OptionalName = None
    """Speech encoder that tells where in GRID's words their phones lie, such as an earlier run's: `default`, or DIR."""
    steps: int = 6000
    """Optimiser steps; each hears 64 seconds of speech and takes one to two seconds on two CPU cores."""
    learning_rate: float = 5e-4
    """Peak learning rate."""
    seed: int = 0
    """Decides initial weights, batches and dropout."""
    bfloat16: bool = False
    """Compute in bfloat16: nearly twice as fast on processors that have it."""
    resume: bool = False
    """Continue from the last checkpoint in the output folder."""

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.course import Lessons
        from talker.training.loop import LoopOptions
        from talker.training.speech import train_speech

        options = LoopOptions(self.steps, self.learning_rate, self.seed, bfloat16=self.bfloat16)
        with processes.together():
            train_speech(
                self.data,
                self.packages,
                self.output,
                options,
                synthesised=self.synthesised,
                cache=self.cache,
                resume=self.resume,
                say=say,
                align=self.align,
                faces=Lessons(self.shards, _weights(self.weights), self.shippable) if self.shards else None,
            )
        return 0


@dataclass(frozen=True)
class TrainPrior:
    """Train a motion prior: what faces do, whatever is said. A talker can be trained to speak through it.

    For example:
      talker train prior --shards shards -o prior
      talker train talker --shards shards --prior prior -o mine
    """

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, their history, and channels.csv: what is lost of each channel."""
    shards: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR")] = ()
    """Folders of shards: learnt from is their training part, judged by their validation part."""
    takes: OptionalPath = None
    """Instead of shards, a folder of takes in another motion space: train/NAME.wav, train/NAME.npz, validation/..."""
    space: Annotated[str, tyro.conf.arg(metavar="SPACE")] = "flame"
    """What the takes hold and the weights will speak: flame (.npz), or metahuman (.json with board, EmoFace's .txt)."""
    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SET=WEIGHT")] = ()
    """How often to draw from a set, relative to the others; 1 where nothing is said, 0 for never."""
    steps: int = 2000
    """Optimiser steps; each sees 72 seconds of motion and takes less than a second on one CPU core."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    seed: int = 0
    """Decides initial weights, batches and latents."""
    bfloat16: bool = False
    """Compute in bfloat16: nearly twice as fast on processors that have it."""
    shippable: bool = False
    """Learn only from clips under licences that let the weights be given to anybody."""
    resume: bool = False
    """Continue from the last checkpoint in the output folder."""

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.loop import LoopOptions
        from talker.training.prior import train_prior

        options = LoopOptions(self.steps, self.learning_rate, self.seed, bfloat16=self.bfloat16)
        lessons = _lessons(self)
        with processes.together():
            train_prior(lessons, self.output, options, resume=self.resume, say=say)
        return 0


@dataclass(frozen=True)
class TrainTalker:
    """Train what moves the face by what a speech encoder hears, from shards that `talker prepare` made.

    For example:
      talker prepare talker ../shared/data -o shards
      talker train talker --shards shards -o mine
      torchrun --nproc-per-node 4 -m talker train talker --shards shards other_shards --encoder hearing -o mine
    """

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, usable with `talker animate --model` from the first checkpoint on, and their history."""
    shards: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR")] = ()
    """Folders of shards: learnt from is their training part, judged by their validation part."""
    takes: OptionalPath = None
    """Instead of shards, a folder of takes in another motion space: train/NAME.wav, train/NAME.npz, validation/..."""
    space: Annotated[str, tyro.conf.arg(metavar="SPACE")] = "flame"
    """What the takes hold and the weights will speak: flame (.npz), or metahuman (.json with board, EmoFace's .txt)."""
    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SET=WEIGHT")] = ()
    """How often to draw from a set, relative to the others; 1 where nothing is said, 0 for never."""
    encoder: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Speech encoder to hear with, which stays as it is: `default`, or the folder of another."""
    prior: OptionalPath = None
    """Motion prior to speak through, made by `talker train prior`; without it, straight to the curves."""
    exchange: bool = True
    """Learn every crop under other emotions, too; else each in the emotion that it was acted in."""
    styles: bool = False
    """Learn the manner of every speaker as a style."""
    steps: int = 1500
    """Optimiser steps; each hears 72 seconds of speech and takes one to two seconds on one CPU core."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    seed: int = 0
    """Decides initial weights, batches and dropout."""
    bfloat16: bool = False
    """Compute in bfloat16: nearly twice as fast on processors that have it."""
    shippable: bool = False
    """Learn only from clips under licences that let the weights be given to anybody."""
    resume: bool = False
    """Continue from the last checkpoint in the output folder."""

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.loop import LoopOptions
        from talker.training.talker import train_talker

        options = LoopOptions(self.steps, self.learning_rate, self.seed, bfloat16=self.bfloat16)
        lessons = _lessons(self)
        with processes.together():
            train_talker(lessons, self.output, options, self.encoder, prior=self.prior, resume=self.resume, say=say)
        return 0


@dataclass(frozen=True)
class TrainPerceptual:
    """Go on training a talker: its faces are drawn, and have to look right to a lip reader and a judge of emotions.

    For example:
      talker train perceptual --shards shards --start mine -o better
    """

    shards: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR")]
    """Folders of shards: learnt from is their training part, judged by their validation part."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, usable with `talker animate --model` from the first checkpoint on, and their history."""
    start: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Talker to begin with, made by `talker train talker`: `default`, or its folder."""
    readers: Annotated[str, tyro.conf.arg(metavar="NAME")] = "readers"
    """Who looks at its faces: `readers`, which come with talker, or a folder made by `talker train readers`."""
    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SET=WEIGHT")] = ()
    """How often to draw from a set, relative to the others; 1 where nothing is said, 0 for never."""
    steps: int = 200
    """Optimiser steps; each hears 72 seconds of speech, draws 8 of them and takes about three seconds on a CPU core."""
    learning_rate: float = 2e-4
    """Peak learning rate."""
    seed: int = 0
    """Decides batches and dropout."""
    bfloat16: bool = False
    """Compute in bfloat16: nearly twice as fast on processors that have it."""
    shippable: bool = False
    """Learn only from clips under licences that let the weights be given to anybody."""
    resume: bool = False
    """Continue from the last checkpoint in the output folder."""

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.course import Lessons
        from talker.training.loop import LoopOptions
        from talker.training.perceptual import train_perceptual

        options = LoopOptions(self.steps, self.learning_rate, self.seed, bfloat16=self.bfloat16)
        lessons = Lessons(self.shards, _weights(self.weights), self.shippable)
        with processes.together():
            train_perceptual(lessons, self.output, options, self.start, self.readers, self.resume, say)
        return 0


def _lessons(command: "TrainPrior | TrainTalker") -> "Lessons | NativeLessons":
    from talker.training.course import Lessons
    from talker.training.native import NativeLessons

    if bool(command.shards) == (command.takes is not None):
        raise TalkerError("give what to learn from: either --shards, or --takes with a --space")
    styles = isinstance(command, TrainTalker) and command.styles
    if command.takes is not None:
        return NativeLessons(command.takes, command.space, styles)
    lessons = Lessons(command.shards, _weights(command.weights), command.shippable, styles=styles)
    if isinstance(command, TrainTalker):
        return replace(lessons, exchange=command.exchange)
    return replace(lessons, moods=_MOODS, heard=False)


def _weights(given: tuple[str, ...]) -> dict[str, float]:
    """Of texts such as "grid_s1=2"."""
    weights = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            weights[name] = float(number)
        except ValueError:
            weights[name] = -1.0
        if not 0 <= weights[name] < float("inf"):
            raise TalkerError(f"--weights {text}: write the name of a set and a number, such as grid_s1=0.5")
    return weights


@dataclass(frozen=True)
class TrainVoiceEmotion:
    """Train what hears the emotion in a voice, on top of a speech encoder.

    For example:
      talker train voice-emotion --data ../shared/data -o mine/voice_emotion --cache features
    """

    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that holds the sets javanese_audio and emodb, or one of them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, usable with `talker hear --model`."""
    encoder: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Speech encoder to listen with: `default`, or the folder of another."""
    cache: OptionalPath = None
    """Folder to keep what the encoder hears, 1 GB; a temporary one by default."""

    def run(self) -> int:
        """Train and report."""
        from talker.training.voice_emotion import train_voice_emotion

        train_voice_emotion(self.data, self.output, self.encoder, self.cache, say)
        return 0


@dataclass(frozen=True)
class TrainReaders:
    """Train what looks at talking faces: a lip reader and a judge of emotions, on drawn faces that really moved.

    Talkers are trained by one pair and judged by another, which has to differ in its pictures and its seed.

    For example:
      talker train readers --shards shards --data ../shared/data -o readers --cache pictures
      talker train readers --shards shards --data ../shared/data -o judges --cache pictures --for-evaluation --seed 1
    """

    shards: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR")]
    """Folders of shards: learnt from is their training part, judged by their validation part."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, and for history.csv and history.png, which tell with every checkpoint how they do."""
    data: OptionalPath = None
    """Folder that holds the set grid_s1: phones of its clips are then placed within the words that were said."""
    synthesised: OptionalPath = None
    """Folder made by `python -m talker.training.synthesis`: more speech, to which the default talker moves a face."""
    cache: OptionalPath = None
    """Folder to keep the pictures, 300 MB for an hour of faces; a temporary one by default."""
    clips: int = 240
    """Clips of each set that are drawn, at most; a picture takes one to two milliseconds on one CPU core."""
    for_evaluation: bool = False
    """Draw heads more turned, other light and other amplitudes, for a pair that is kept for judging."""
    steps: int = 600
    """Optimiser steps; each sees 50 seconds of faces and takes a quarter of a second on one CPU core."""
    learning_rate: float = 2e-3
    """Peak learning rate."""
    seed: int = 0
    """Decides initial weights, batches and dropout."""
    bfloat16: bool = False
    """Compute in bfloat16: nearly twice as fast on processors that have it."""
    shippable: bool = False
    """Learn only from clips under licences that let the weights be given to anybody."""
    resume: bool = False
    """Continue from the last checkpoint in the output folder."""

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.loop import LoopOptions
        from talker.training.reader_scenes import FOR_EVALUATION, FOR_TRAINING
        from talker.training.readers import ReaderData, train_readers

        options = LoopOptions(self.steps, self.learning_rate, self.seed, average=0.99, bfloat16=self.bfloat16)
        data = ReaderData(self.shards, self.data, self.synthesised, shippable=self.shippable, clips=self.clips)
        variation = FOR_EVALUATION if self.for_evaluation else FOR_TRAINING
        with processes.together():
            train_readers(data, self.output, options, variation, self.cache, self.resume, say)
        return 0


@dataclass(frozen=True)
class Train:
    """Train weights of your own, stage by stage."""

    stage: (
        Annotated[TrainSpeech, tyro.conf.subcommand("speech")]
        | Annotated[TrainPrior, tyro.conf.subcommand("prior")]
        | Annotated[TrainTalker, tyro.conf.subcommand("talker")]
        | Annotated[TrainReaders, tyro.conf.subcommand("readers")]
        | Annotated[TrainPerceptual, tyro.conf.subcommand("perceptual")]
        | Annotated[TrainVoiceEmotion, tyro.conf.subcommand("voice-emotion")]
    )
    """What to train."""

    def run(self) -> int:
        """Train it."""
        return self.stage.run()
