"""MEAD: `<subject>/video/<view>/<emotion>/level_<n>/<nnn>.mp4` with `<subject>/audio/<emotion>/level_<n>/<nnn>.m4a`.

48 actors (M003, W009, ...), eight emotions on three levels (neutral has one), seven cameras. Every subject comes as a
`video.tar` and an `audio.tar`; unpacked into folders of their own they give `video/video/`, which is read as well.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from talker.datasets.source import (
    FRONT,
    VIDEO_EXTENSIONS,
    ClipSource,
    Licence,
    emotion_of,
    existing_folder,
    files_in,
    folders_in,
    sound_beside,
)
from talker.errors import TalkerError, no_such

VIEWS = ("front", "down", "top", "left_30", "left_60", "right_30", "right_60")
LICENCE = Licence("MEAD, research only")
_LEVELS = 3


def read_mead(root: Path, views: Sequence[str] = (FRONT,)) -> Iterator[ClipSource]:
    """All clips of the chosen views; a subject without sound files uses the sound of its videos."""
    unknown = [view for view in views if view not in VIEWS]
    if unknown:
        raise no_such("MEAD view", unknown[0], VIEWS)
    subjects = [folder for folder in folders_in(existing_folder(root)) if (folder / "video").is_dir()]
    if not subjects:
        raise TalkerError(f"{root} does not look like MEAD: no <subject>/video/ below it; unpack the archives first")
    for subject in subjects:
        for view in views:
            yield from _read_view(subject, view)


def _read_view(subject: Path, view: str) -> Iterator[ClipSource]:
    pictures, sounds = _unpacked(subject / "video") / view, _unpacked(subject / "audio")
    if not pictures.is_dir():
        return
    for emotion in folders_in(pictures):
        for level in folders_in(emotion):
            number = level.name.rpartition("_")[2]
            for video in files_in(level, VIDEO_EXTENSIONS):
                yield ClipSource(
                    id=f"{subject.name}/{view}/{emotion.name}/{level.name}/{video.stem}",
                    set="mead",
                    speaker=subject.name,
                    recording=f"{subject.name}/{view}",
                    licence=LICENCE,
                    video=video,
                    audio=sound_beside(video, sounds / emotion.name / level.name),
                    emotion=emotion_of(emotion.name),
                    level=int(number) / _LEVELS if number in ("1", "2", "3") else None,
                    view=view,
                )


def _unpacked(folder: Path) -> Path:
    """`video/video` where the archive was unpacked into a folder of its own name."""
    return folder / folder.name if (folder / folder.name).is_dir() else folder
