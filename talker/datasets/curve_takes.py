"""Data sets that hold curves beside sound: BEAT, BEAT2, Live Link takes, EmoFace, 3D-ETF and VOCASET.

Everywhere a file of curves and a sound file share their name; they differ in where the two lie and what the name says.
"""

from collections.abc import Iterator
from pathlib import Path

from talker.datasets.source import (
    SOUND_EXTENSIONS,
    VIDEO_EXTENSIONS,
    ClipSource,
    Licence,
    Motion,
    emotion_of,
    existing_folder,
    files_in,
    folders_in,
)
from talker.errors import TalkerError

BEAT_LICENCE = Licence("BEAT, non-commercial research")
BEAT2_LICENCE = Licence("BEAT2, with SMPL-X's non-commercial terms")
EMOFACE_LICENCE = Licence("CC BY-NC 4.0")
ETF_LICENCE = Licence("3D-ETF, non-commercial research")
VOCASET_LICENCE = Licence("VOCASET, non-commercial research")
OWN_LICENCE = Licence("own recordings")

# BEAT's numbered recordings: the last number of each group, and how it is spoken.
_BEAT_GROUPS = (
    *((64, "neutral"), (72, "happy"), (80, "angry"), (86, "sad"), (94, "contempt")),
    *((102, "surprised"), (110, "fear"), (118, "disgusted")),
)
_BEAT_READ_SPEECH = ("0", "2", "4", "6")  # English, Chinese, Spanish, Japanese; the odd ones are conversations.


def read_beat(root: Path) -> Iterator[ClipSource]:
    """BEAT: `<speaker>/<speaker>_<name>_<kind>_<first>_<last>.json` with a .wav of the same name."""
    for motion, sound in _pairs(root, (".json",), "BEAT"):
        yield _beat_clip(motion.stem, "beat", BEAT_LICENCE, Motion(motion, "beat-json"), sound)


def read_beat2(root: Path) -> Iterator[ClipSource]:
    """BEAT2: `smplxflame_30/<name>.npz` with `wave16k/<name>.wav`; reading the curves needs the user's SMPL-X model."""
    for motion, sound in _pairs(root, (".npz",), "BEAT2"):
        yield _beat_clip(motion.stem, "beat2", BEAT2_LICENCE, Motion(motion, "smplx-npz"), sound)


def _beat_clip(name: str, set_name: str, licence: Licence, motion: Motion, sound: Path) -> ClipSource:
    parts = name.split("_")
    emotion = None
    if len(parts) == 5 and parts[2] in _BEAT_READ_SPEECH and parts[4].isdigit():
        emotion = next((label for last, label in _BEAT_GROUPS if int(parts[4]) <= last), None)
    return ClipSource(name, set_name, parts[0], licence, motion=motion, audio=sound, emotion=emotion)


def read_livelink_takes(root: Path) -> Iterator[ClipSource]:
    """Live Link Face takes: a CSV with a film or sound of the same name beside it; a folder's takes are one person's.

    The app's `_cal`, `_raw` and `_neutral` tables belong to one take: the calibrated one is taken.
    """
    tables = sorted(files_in(existing_folder(root), (".csv",), deep=True))
    takes = [path for path in tables if not path.stem.endswith(("_raw", "_neutral"))]
    calibrated = {path.with_name(path.stem.removesuffix("_cal")) for path in takes if path.stem.endswith("_cal")}
    for path in takes:
        if path.with_suffix("") in calibrated:
            continue
        sound = _beside(path.with_name(path.stem.removesuffix("_cal")), (*SOUND_EXTENSIONS, *VIDEO_EXTENSIONS))
        if sound is None:
            continue
        place = path.relative_to(root)
        yield ClipSource(
            id=place.with_suffix("").as_posix(),
            set="livelink",
            speaker=place.parts[0] if len(place.parts) > 1 else root.resolve().name,
            licence=OWN_LICENCE,
            motion=Motion(path, "livelink-csv"),
            audio=sound,
        )


def read_emoface(root: Path) -> Iterator[ClipSource]:
    """EmoFace: text files of 174 MetaHuman controls at 60 fps with sound of the same name; `<emotion>` in the path."""
    for motion, sound in _pairs(root, (".txt",), "EmoFace"):
        place = motion.relative_to(root)
        words = [word for part in (*place.parts[:-1], *motion.stem.split("_")) for word in part.split("-")]
        emotion = next((label for label in map(emotion_of, words) if label), None)
        yield ClipSource(
            id=place.with_suffix("").as_posix(),
            set="emoface",
            speaker="emoface",
            licence=EMOFACE_LICENCE,
            motion=Motion(motion, "emoface-txt"),
            audio=sound,
            emotion=emotion,
        )


def read_3d_etf(root: Path) -> Iterator[ClipSource]:
    """3D-ETF: `.npy` of 52 weights at 30 fps beside `.wav`; RAVDESS' names say who and how, HDTF's who."""
    from talker.datasets.named_video import named_like_ravdess

    for motion, sound in _pairs(root, (".npy",), "3D-ETF"):
        emotion = level = transcript = None
        speaker = motion.stem.rpartition("_")[0] or motion.stem
        if motion.stem.count("-") == 6:
            acted = named_like_ravdess(motion.stem)
            speaker, emotion, level, transcript = acted.speaker, acted.emotion, acted.level, acted.transcript
        yield ClipSource(
            id=motion.relative_to(root).with_suffix("").as_posix(),
            set="3d_etf",
            speaker=speaker,
            licence=ETF_LICENCE,
            motion=Motion(motion, "weights-npy"),
            audio=sound,
            emotion=emotion,
            level=level,
            transcript=transcript,
        )


def read_vocaset(root: Path) -> Iterator[ClipSource]:
    """VOCASET as FaceFormer lays it out: `vertices_npy/<subject>_sentence<nn>.npy` (30 fps) and `wav/` likewise."""
    for motion, sound in _pairs(root, (".npy",), "VOCASET"):
        yield ClipSource(
            id=motion.stem,
            set="vocaset",
            speaker=motion.stem.rpartition("_sentence")[0] or motion.stem,
            licence=VOCASET_LICENCE,
            motion=Motion(motion, "flame-vertices-npy"),
            audio=sound,
            emotion="neutral",
        )


def _pairs(root: Path, extensions: tuple[str, ...], name: str) -> Iterator[tuple[Path, Path]]:
    """Curve files that have a sound: beside them, or in any folder next to the one they are in."""
    some = False
    for motion in files_in(existing_folder(root), extensions, deep=True):
        folders = [motion.parent, *(folders_in(motion.parent.parent) if motion.parent != root else ())]
        sound = next((found for f in folders if (found := _beside(f / motion.stem, SOUND_EXTENSIONS))), None)
        if sound is not None:
            some = True
            yield motion, sound
    if not some:
        raise TalkerError(
            f"{root} does not look like {name}: no {extensions[0]} file has a sound file of the same name"
        )


def _beside(stem: Path, extensions: tuple[str, ...]) -> Path | None:
    candidates = (stem.with_name(stem.name + extension) for extension in extensions)
    return next((path for path in candidates if path.is_file()), None)
