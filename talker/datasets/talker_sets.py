"""The sets that talker's own weights come from, each in a folder of its name: tracked already, or sound alone."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from talker.datasets.named_video import grid_sentence, named_like_ravdess
from talker.datasets.source import (
    SOUND_EXTENSIONS,
    ClipSource,
    Licence,
    Motion,
    TrackPlace,
    existing_folder,
    files_in,
    sound_beside,
)
from talker.errors import TalkerError, no_such
from talker.files import read_arrays, read_text

_JAVANESE_EMOTIONS = ("neutral", "sad", "happy", "surprised", "fear", "angry")
_EMODB_EMOTIONS = {"W": "angry", "E": "disgusted", "A": "fear", "F": "happy", "T": "sad", "N": "neutral"}  # L: boredom


HELD_OUT_GRID_CLIPS = 100
"""The last ones: GRID's one man cannot be a stranger, but he can say something new."""

HELD_OUT_SPEAKERS = {"javanese": ("03", "07"), "javanese_audio": ("03", "07"), "emodb": ("13", "14")}
"""Who is never trained on, in any of their sets."""


def read_talker_sets(root: Path, sets: Sequence[str] = ()) -> Iterator[ClipSource]:
    """The known sets below `root` (all of them, or those named), or `root` itself when it is one."""
    existing_folder(root)
    for name in sets:
        if name not in READERS:
            raise no_such("set", name, READERS)
        if not (root / name).is_dir():
            raise TalkerError(f"{root} holds no folder {name}")
    folders = [root] if root.name in READERS else [root / n for n in sets or READERS if (root / n).is_dir()]
    if not folders:
        raise TalkerError(f"{root} holds none of the folders {', '.join(READERS)}")
    for folder in folders:
        yield from READERS[folder.name](folder)


def _grid(folder: Path) -> Iterator[ClipSource]:
    names = _tracked(folder)
    for index, name in enumerate(names):
        yield ClipSource(
            **_measured(folder, index, name),
            speaker="s1",
            recording="s1",
            split="validation" if len(names) - index <= HELD_OUT_GRID_CLIPS else "train",
            licence=Licence("CC BY 4.0", may_ship=True),
            emotion="neutral",
            transcript=grid_sentence(name),
        )


def _javanese(folder: Path) -> Iterator[ClipSource]:
    """Ids are `aa-bb-cc_nn`: actor, sentence, emotion, take. The terms of the pictures were never stated."""
    for index, name in sorted(enumerate(_tracked(folder)), key=lambda entry: entry[1]):
        yield ClipSource(
            **_measured(folder, index, name),
            speaker=name[:2],
            recording=name[:2],
            split=_split("javanese", name[:2]),
            licence=Licence("sound MIT, picture not stated", may_ship=True),
            emotion=_JAVANESE_EMOTIONS[int(name[6:8]) - 1],
        )


def _strangers(folder: Path) -> Iterator[ClipSource]:
    """Ids are `<video>.<part>`; by how much the pictures are late is known. Somebody must stay a stranger."""
    path = folder / "mouth_after_audio_ms.json"
    late = json.loads(read_text(path)) if path.is_file() else {}
    for index, name in sorted(enumerate(_tracked(folder)), key=lambda entry: entry[1]):
        yield ClipSource(
            **_measured(folder, index, name),
            speaker=name.rpartition(".")[0],
            recording=name.rpartition(".")[0],
            split="validation",
            licence=Licence("CC BY-NC 4.0"),
            mouth_after_audio=late[name] / 1000 if name in late else None,
        )


def _facegood(folder: Path) -> Iterator[ClipSource]:
    for motion in files_in(folder, (".npy",)):
        sound = sound_beside(motion)
        if sound is not None:
            licence = Licence("MIT", may_ship=True)
            yield ClipSource(
                motion.stem, "facegood", "facegood", licence, motion=Motion(motion, "facegood-npy"), audio=sound
            )


def _javanese_audio(folder: Path) -> Iterator[ClipSource]:
    for sound in files_in(folder, SOUND_EXTENSIONS):
        yield ClipSource(
            sound.stem,
            folder.name,
            sound.stem[:2],
            Licence("MIT", may_ship=True),
            audio=sound,
            split=_split("javanese_audio", sound.stem[:2]),
            emotion=_JAVANESE_EMOTIONS[int(sound.stem[6:8]) - 1],
        )


def _ravdess(folder: Path) -> Iterator[ClipSource]:
    for sound in sorted(files_in(folder, SOUND_EXTENSIONS), key=lambda path: (path.stem[-2:], path.stem)):
        yield named_like_ravdess(sound.stem, audio=sound)


def _emodb(folder: Path) -> Iterator[ClipSource]:
    for sound in files_in(folder, SOUND_EXTENSIONS):
        yield ClipSource(
            sound.stem,
            "emodb",
            sound.stem[:2],
            Licence("free use", may_ship=True),
            audio=sound,
            split=_split("emodb", sound.stem[:2]),
            emotion=_EMODB_EMOTIONS.get(sound.stem[5]),
        )


def _speechocean(folder: Path) -> Iterator[ClipSource]:
    """Ids are four digits of the speaker after a zero, then the utterance."""
    path = folder / "transcripts.json"
    transcripts = json.loads(read_text(path)) if path.is_file() else {}
    for sound in files_in(folder, SOUND_EXTENSIONS):
        yield ClipSource(
            sound.stem,
            "speechocean762",
            sound.stem[:5],
            Licence("free use", may_ship=True),
            audio=sound,
            transcript=transcripts.get(sound.stem, {}).get("text"),
        )


READERS: dict[str, Callable[[Path], Iterator[ClipSource]]] = {
    "grid_s1": _grid,
    "javanese": _javanese,
    "first_impressions": _strangers,
    "facegood": _facegood,
    "javanese_audio": _javanese_audio,
    "ravdess": _ravdess,
    "emodb": _emodb,
    "speechocean762": _speechocean,
}


def _split(name: str, speaker: str) -> str:
    return "validation" if speaker in HELD_OUT_SPEAKERS[name] else "train"


def _tracked(folder: Path) -> list[str]:
    return [str(name) for name in read_arrays(folder / "tracks.npz", required=("ids",), only=("ids",))["ids"]]


def _measured(folder: Path, index: int, name: str) -> dict[str, Any]:
    sound = sound_beside(folder / "audio" / f"{name}.any")  # Names have dots in them, so an extension to replace.
    return {"id": name, "set": folder.name, "track": TrackPlace(folder, index), "audio": sound}
