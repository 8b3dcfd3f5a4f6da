"""Talking video whose file names say everything: RAVDESS, CREMA-D and GRID."""

from collections.abc import Iterator
from pathlib import Path

from talker.datasets.source import (
    VIDEO_EXTENSIONS,
    ClipSource,
    Licence,
    emotion_of,
    existing_folder,
    files_in,
    folders_in,
    sound_beside,
)
from talker.errors import TalkerError

RAVDESS_LICENCE = Licence("CC BY-NC-SA 4.0")
# Open Database License as far as remembered, not checked at its source: not for shipping until somebody has.
CREMA_D_LICENCE = Licence("ODbL 1.0, unchecked")
GRID_LICENCE = Licence("CC BY 4.0", may_ship=True)

_RAVDESS_EMOTIONS = (None, "neutral", None, "happy", "sad", "angry", "fear", "disgusted", "surprised")
"""By number from 1; 02 is calm."""

_RAVDESS_SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
_RAVDESS_SPEECH, _RAVDESS_WITH_SOUND = "01", "01"

_CREMA_D_LEVELS = {"LO": 1 / 3, "MD": 2 / 3, "HI": 1.0}
_CREMA_D_SENTENCES = {
    **{"IEO": "It's eleven o'clock", "TIE": "That is exactly what happened", "IOM": "I'm on my way to the meeting"},
    **{
        "IWW": "I wonder what this is about",
        "TAI": "The airplane is almost full",
        "MTI": "Maybe tomorrow it will be cold",
    },
    **{"IWL": "I would like a new alarm clock", "ITH": "I think I have a doctor's appointment"},
    **{"DFA": "Don't forget a jacket", "ITS": "I think I've seen this before"},
    **{"TSI": "The surface is slick", "WSI": "We'll stop in a couple of minutes"},
}

_DIGITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_GRID_WORDS = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvwxyz"},
    {"z": "zero", **dict(zip("123456789", _DIGITS, strict=True))},
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)


def read_ravdess(root: Path) -> Iterator[ClipSource]:
    """RAVDESS: videos `01-01-EE-II-SS-RR-AA.mp4` (with sound, speech, emotion, intensity, sentence, take, actor)."""
    for video in _videos(root):
        parts = video.stem.split("-")
        if len(parts) != 7 or parts[0] != _RAVDESS_WITH_SOUND or parts[1] != _RAVDESS_SPEECH:
            continue  # Songs, and copies without sound.
        yield named_like_ravdess(video.stem, video=video)


def named_like_ravdess(name: str, video: Path | None = None, audio: Path | None = None) -> ClipSource:
    """The clip that a RAVDESS file name describes."""
    _, _, emotion, intensity, sentence, _, actor = name.split("-")
    number = int(emotion) if emotion.isdigit() else 0
    label = _RAVDESS_EMOTIONS[number] if number < len(_RAVDESS_EMOTIONS) else None
    return ClipSource(
        id=name,
        set="ravdess",
        speaker=actor,
        recording=actor,
        licence=RAVDESS_LICENCE,
        video=video,
        audio=audio,
        emotion=label,
        level={"01": 0.5, "02": 1.0}.get(intensity),
        transcript=_RAVDESS_SENTENCES.get(sentence),
    )


def read_crema_d(root: Path) -> Iterator[ClipSource]:
    """CREMA-D: `1001_IEO_ANG_HI.flv` (actor, sentence, emotion, level); the sound in `AudioWAV/` is better."""
    for video in _videos(root):
        parts = video.stem.split("_")
        if len(parts) != 4:
            continue
        actor, sentence, emotion, level = parts
        yield ClipSource(
            id=video.stem,
            set="crema_d",
            speaker=actor,
            recording=actor,
            licence=CREMA_D_LICENCE,
            video=video,
            audio=sound_beside(video, root / "AudioWAV"),
            emotion=emotion_of(emotion),
            level=_CREMA_D_LEVELS.get(level),
            transcript=_CREMA_D_SENTENCES.get(sentence),
        )


def read_grid(root: Path) -> Iterator[ClipSource]:
    """GRID: `s1/bbaf2n.mpg`; talkers are the folders (videos right in the root are one talker's)."""
    existing_folder(root)
    for folder in [root, *folders_in(root)]:
        for video in files_in(folder, VIDEO_EXTENSIONS, deep=folder != root):
            yield ClipSource(
                id=video.relative_to(root).with_suffix("").as_posix(),
                set="grid",
                speaker=folder.name,
                recording=folder.name,
                licence=GRID_LICENCE,
                video=video,
                emotion="neutral",
                transcript=grid_sentence(video.stem),
            )


def grid_sentence(name: str) -> str | None:
    """`bbaf2n` -> "bin blue at f two now"; None for other names."""
    if len(name) != len(_GRID_WORDS) or not all(c in words for c, words in zip(name, _GRID_WORDS, strict=True)):
        return None
    return " ".join(words[c] for c, words in zip(name, _GRID_WORDS, strict=True))


def _videos(root: Path) -> Iterator[Path]:
    some = False
    for video in files_in(existing_folder(root), VIDEO_EXTENSIONS, deep=True):
        some = True
        yield video
    if not some:
        raise TalkerError(f"{root} holds no video files ({' '.join(VIDEO_EXTENSIONS)})")
