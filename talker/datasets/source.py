"""`ClipSource`: one talking clip of any data set, before anything of it has been opened."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from talker.audio import Audio, read_audio
from talker.emotion import EMOTIONS
from talker.errors import TalkerError

FRONT = "front"

SPLITS = ("train", "validation", "test")

REST_LABELS = (None, "neutral")
"""Clips in whose silences the face is believed to be at rest."""

VIDEO_EXTENSIONS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".flv", ".wmv")
SOUND_EXTENSIONS = (".wav", ".flac", ".opus", ".ogg", ".mp3", ".m4a")

# The words that data sets use, as talker's labels. "Calm" and "boredom" are none of the eight.
_EMOTION_WORDS = {
    **{"anger": "angry", "angry": "angry", "ang": "angry"},
    **{"disgust": "disgusted", "disgusted": "disgusted", "dis": "disgusted"},
    **{"fear": "fear", "fearful": "fear", "fea": "fear", "afraid": "fear"},
    **{"happy": "happy", "happiness": "happy", "hap": "happy", "joy": "happy"},
    **{"sad": "sad", "sadness": "sad"},
    **{"surprise": "surprised", "surprised": "surprised", "contempt": "contempt"},
    **{"neutral": "neutral", "neu": "neutral"},
}


@dataclass(frozen=True)
class Licence:
    """The terms of a clip: their name, and whether weights trained on it may be given to anybody for any use."""

    name: str
    may_ship: bool = False


UNKNOWN_LICENCE = Licence("not stated")


@dataclass(frozen=True)
class TrackPlace:
    """A clip of a set that is tracked already: number `index` in the `tracks.npz` of `folder`."""

    folder: Path
    index: int


@dataclass(frozen=True)
class Motion:
    """A file of curves, and what kind of file it is: a format of `talker formats`, or one of `talker.datasets`."""

    path: Path
    format: str


@dataclass(frozen=True)
class ClipSource:
    """One clip: who speaks, how, and where its sound and its face are. Readers yield them speaker by speaker.

    Attributes:
        id: Its name, unique within the set.
        set: The data set.
        speaker: Who speaks, unique within the set.
        licence: Its terms.
        video: The film, for clips that are yet to be tracked.
        track: Landmarks that somebody has measured already.
        motion: Curves. Of video, track and motion at most one is given; none means sound alone.
        audio: The sound; the video's own when None.
        emotion: One of talker's eight labels, or None when nobody said.
        level: How strongly it is acted, of the strongest in the set: (0, 1], or None.
        transcript: What is said, or None.
        view: Where the camera stood.
        mouth_after_audio: Seconds by which the picture is known to be late, or None.
        recording: Clips of a set with the same one were cut from one recording, or made with one set of machines, so
            that their pictures are late alike; readers yield them one after the other. None when nobody knows.
        split: "train", "validation" or "test" when the set says so; else it goes by who speaks.
    """

    id: str
    set: str
    speaker: str
    licence: Licence
    video: Path | None = None
    track: TrackPlace | None = None
    motion: Motion | None = None
    audio: Path | None = None
    emotion: str | None = None
    level: float | None = None
    transcript: str | None = None
    view: str = FRONT
    mouth_after_audio: float | None = None
    recording: str | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.video, self.track, self.motion)) > 1:
            raise TalkerError(f"{self.id}: a clip is a video, a track or a file of curves, not several of them")
        if self.emotion is not None and self.emotion not in EMOTIONS:
            raise TalkerError(f"{self.id}: no such emotion '{self.emotion}'; choices: {', '.join(EMOTIONS)}")
        if self.level is not None and not 0 < self.level <= 1:
            raise TalkerError(f"{self.id}: level {self.level:g} lies outside 0..1")
        if self.split not in (None, *SPLITS):
            raise TalkerError(f"{self.id}: no such split '{self.split}'; choices: {', '.join(SPLITS)}")

    @property
    def file(self) -> Path | None:
        """The file to name when something is wrong with the clip."""
        track = None if self.track is None else self.track.folder
        motion = None if self.motion is None else self.motion.path
        return self.video or motion or self.audio or track

    @property
    def person(self) -> tuple[str, str, str]:
        """Clips with the same one share a resting face, as seen from one side."""
        return self.set, self.speaker, self.view

    def sound(self) -> Audio | None:
        """The sound, where it is a file of its own."""
        return None if self.audio is None else read_audio(self.audio)

    def under(self, licence: Licence | None) -> "ClipSource":
        """The same clip under other terms (None: its own)."""
        return self if licence is None else replace(self, licence=licence)


def emotion_of(word: str) -> str | None:
    """The label for a data set's word; None for words that are no emotion of ours."""
    return _EMOTION_WORDS.get(word.strip().lower())


def folders_in(folder: Path) -> list[Path]:
    """Its sub-folders, sorted; hidden ones are passed over."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def files_in(folder: Path, extensions: tuple[str, ...], deep: bool = False) -> Iterator[Path]:
    """Its files with these extensions, sorted within every folder; those of sub-folders too if `deep`."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in entries:
        if path.suffix.lower() in extensions and path.is_file():
            yield path
    if deep:
        for path in entries:
            if path.is_dir():
                yield from files_in(path, extensions, deep)


def sound_beside(path: Path, folder: Path | None = None) -> Path | None:
    """The sound file with the stem of `path`, in `folder` or beside it."""
    for extension in SOUND_EXTENSIONS:
        candidate = (folder or path.parent) / f"{path.stem}{extension}"
        if candidate.is_file():
            return candidate
    return None


def existing_folder(path: Path) -> Path:
    """`path` itself, or a one-line error."""
    if not path.is_dir():
        raise TalkerError(f"{path} is not a folder" if path.exists() else f"no such folder: {path}")
    return path
