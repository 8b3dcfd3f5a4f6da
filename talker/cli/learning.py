"""Weights of your own: train them, stage by stage."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from talker.cli.lessons import FilmedFaces, NativeFaces, Pace
from talker.cli.menu import Menu
from talker.cli.output import Flag, OptionalName, OptionalPath, say
from talker.errors import TalkerError

if TYPE_CHECKING:
    from talker.training.native import NativeLessons

_MOODS = 0.5  # Share of the crops whose moods a motion prior sees.

_Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
_Weights = Annotated[str, tyro.conf.arg(metavar="NAME")]
_Pace = Annotated[Pace, tyro.conf.OmitArgPrefixes]
_Faces = Annotated[FilmedFaces, tyro.conf.OmitArgPrefixes]
_Native = Annotated[NativeFaces, tyro.conf.OmitArgPrefixes]


@dataclass(frozen=True)
class TrainSpeech:
    """Train the speech encoder: it learns to hear as Whisper's encoders do, and to name phones.

    A step hears 64 seconds of speech and takes one to two seconds on two CPU cores.

    For example:
      talker train speech --data data --packages downloads --shards shards -o hearing
      torchrun --nproc-per-node 4 -m talker train speech --data data --packages downloads -o hearing
    """

    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the sets speechocean762, grid_s1, javanese_audio, emodb and facegood, or of some of them."""
    packages: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder with the packages that hold Whisper's encoders; a missing one is told with the command to fetch it."""
    output: _Output
    """Folder for the weights, and for history.csv and history.png, which tell with every checkpoint how they do."""
    synthesised: OptionalPath = None
    """Folder made by `python -m talker.training.synthesis`: speech whose phones are known to the frame."""
    cache: OptionalPath = None
    """Folder to keep what the teacher hears, 2 GB for 5 hours of speech; inside the output folder by default."""
    align: OptionalName = None
    """Speech encoder that tells where in GRID's words their phones lie, such as an earlier run's: `default`, or DIR."""
    start: OptionalName = None
    """Speech encoder to go on from, `default` or DIR; by default, the lower half of Whisper base."""
    faces: _Faces = field(default_factory=FilmedFaces)
    pace: _Pace = field(default=Pace(6000, 5e-4))

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.speech import train_speech

        with processes.together():
            train_speech(
                self.data,
                self.packages,
                self.output,
                self.pace.options(),
                synthesised=self.synthesised,
                cache=self.cache,
                resume=self.pace.resume,
                say=say,
                align=self.align,
                start=self.start,
                faces=self.faces.lessons() if self.faces.shards else None,
            )
        return 0


@dataclass(frozen=True)
class TrainPrior:
    """Train a motion prior: what faces do, whatever is said. A talker can be trained to speak through it.

    A step sees 72 seconds of motion and takes less than a second on one CPU core.

    For example:
      talker train prior --shards shards -o prior
      talker train talker --shards shards --prior prior -o mine
    """

    output: _Output
    """Folder for the weights, their history, and channels.csv: what is lost of each channel."""
    faces: _Faces = field(default_factory=FilmedFaces)
    native: _Native = field(default_factory=NativeFaces)
    pace: _Pace = field(default=Pace(2000, 1e-3))

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.prior import train_prior

        lessons = _native_lessons(self.faces, self.native) or self.faces.lessons(moods=_MOODS, heard=False)
        with processes.together():
            train_prior(lessons, self.output, self.pace.options(), resume=self.pace.resume, say=say)
        return 0


@dataclass(frozen=True)
class TrainTalker:
    """Train what moves the face by what a speech encoder hears, from shards that `talker prepare` made.

    A step hears 72 seconds of speech and takes one to two seconds on one CPU core.

    For example:
      talker prepare talker data -o shards
      talker train talker --shards shards -o mine
      torchrun --nproc-per-node 4 -m talker train talker --shards shards more --encoder hearing -o mine
    """

    output: _Output
    """Folder for the weights, usable with `talker animate --model` from the first checkpoint on, and their history."""
    encoder: _Weights = "default"
    """Speech encoder to hear with, which stays as it is: `default`, or the folder of another."""
    prior: OptionalPath = None
    """Motion prior to speak through, made by `talker train prior`; without it, straight to the curves."""
    no_exchange: Flag = False
    """Learn every crop only in the emotion that it was acted in, instead of under others, too."""
    styles: Flag = False
    """Learn the manner of every speaker as a style."""
    faces: _Faces = field(default_factory=FilmedFaces)
    native: _Native = field(default_factory=NativeFaces)
    pace: _Pace = field(default=Pace(1500, 1e-3))

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.talker import train_talker

        lessons = _native_lessons(self.faces, self.native, self.styles) or self.faces.lessons(
            exchange=not self.no_exchange, styles=self.styles
        )
        with processes.together():
            train_talker(
                lessons,
                self.output,
                self.pace.options(),
                self.encoder,
                prior=self.prior,
                resume=self.pace.resume,
                say=say,
            )
        return 0


def _native_lessons(faces: FilmedFaces, native: NativeFaces, styles: bool = False) -> "NativeLessons | None":
    """Lessons in another motion space, when that was asked for."""
    from talker.training.native import NativeLessons

    if bool(faces.shards) == (native.takes is not None):
        raise TalkerError("give what to learn from: either --shards, or --takes with a --space")
    return None if native.takes is None else NativeLessons(native.takes, native.space, styles)


@dataclass(frozen=True)
class TrainPerceptual:
    """Go on training a talker until its drawn faces look right to a lip reader and a judge of emotions.

    A step hears 72 seconds of speech, draws 8 of them and takes about three seconds on a CPU core.

    For example:
      talker train perceptual --shards shards --start mine -o better
    """

    output: _Output
    """Folder for the weights, usable with `talker animate --model` from the first checkpoint on, and their history."""
    start: _Weights = "default"
    """Talker to begin with, made by `talker train talker`: `default`, or its folder."""
    readers: _Weights = "readers"
    """Who looks at its faces: `readers`, which come with talker, or a folder made by `talker train readers`."""
    faces: _Faces = field(default_factory=FilmedFaces)
    pace: _Pace = field(default=Pace(200, 2e-4))

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.perceptual import train_perceptual

        lessons = self.faces.lessons()
        with processes.together():
            train_perceptual(lessons, self.output, self.pace.options(), self.start, self.readers, self.pace.resume, say)
        return 0


@dataclass(frozen=True)
class TrainVoiceEmotion:
    """Train what hears the emotion in a voice, on top of a speech encoder.

    For example:
      talker train voice-emotion --data data -o mine/voice_emotion --cache features
    """

    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that holds the sets javanese_audio and emodb, or one of them."""
    output: _Output
    """Folder for the weights, usable with `talker hear --model`."""
    encoder: _Weights = "default"
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
    """Train a lip reader and a judge of emotions, by what drawn faces look like that really moved.

    Talkers are trained by one such pair, and judged by another with other pictures and another seed.

    A step sees 50 seconds of faces and takes a quarter of a second on one CPU core.

    For example:
      talker train readers --shards shards --data data -o readers
      talker train readers --shards shards --data data -o judges --for-evaluation --seed 1
    """

    shards: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR")]
    """Folders of shards: their training part is learnt from, their validation part judges."""
    output: _Output
    """Folder for the weights, and for history.csv and history.png, which tell with every checkpoint how they do."""
    data: OptionalPath = None
    """Folder that holds the set grid_s1: phones of its clips are then placed within the words that were said."""
    synthesised: OptionalPath = None
    """Folder made by `python -m talker.training.synthesis`: more speech, to which the default talker moves a face."""
    cache: OptionalPath = None
    """Folder to keep the pictures, 300 MB for an hour of faces; a temporary one by default."""
    clips: int = 240
    """Clips of each set that are drawn, at most; a picture takes one to two milliseconds on one CPU core."""
    for_evaluation: Flag = False
    """Draw heads less turned, other light and other amplitudes, for a pair that is kept for judging."""
    shippable: Flag = False
    """Learn only from clips under licences that let the weights be given to anybody."""
    pace: _Pace = field(default=Pace(600, 2e-3))

    def run(self) -> int:
        """Train and report."""
        from talker.training import processes
        from talker.training.reader_scenes import FOR_EVALUATION, FOR_TRAINING
        from talker.training.readers import ReaderData, train_readers

        data = ReaderData(self.shards, self.data, self.synthesised, shippable=self.shippable, clips=self.clips)
        variation = FOR_EVALUATION if self.for_evaluation else FOR_TRAINING
        options = self.pace.options(average=0.99)
        with processes.together():
            train_readers(data, self.output, options, variation, self.cache, self.pace.resume, say)
        return 0


TRAIN = Menu(
    "Train weights of your own, stage by stage.",
    {
        "speech": TrainSpeech,
        "prior": TrainPrior,
        "talker": TrainTalker,
        "readers": TrainReaders,
        "perceptual": TrainPerceptual,
        "voice-emotion": TrainVoiceEmotion,
    },
    "talker train talker --shards shards -o mine",
)
