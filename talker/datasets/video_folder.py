"""Any folder of talking videos, with or without a table of who says what and how.

The table is a CSV with the columns `path` (relative to the folder), and any of `speaker`, `emotion`, `level` (0..1],
`transcript`, `recording` (clips cut from one recording share the delay of their pictures). Without a table, videos of
one sub-folder show one person, and those right in the folder one person each.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from talker.datasets.source import UNKNOWN_LICENCE, VIDEO_EXTENSIONS, ClipSource, emotion_of, existing_folder, files_in
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.files import read_text

COLUMNS = ("path", "speaker", "emotion", "level", "transcript", "recording")


def read_video_folder(root: Path, table: Path | None = None) -> Iterator[ClipSource]:
    """The videos listed in the table, or all of them."""
    existing_folder(root)
    if table is not None:
        yield from _listed(root, table)
        return
    some = False
    for video in files_in(root, VIDEO_EXTENSIONS, deep=True):
        some = True
        place = video.relative_to(root)
        name = place.with_suffix("").as_posix()
        speaker = place.parent.as_posix() if place.parent != Path() else name
        yield ClipSource(place.as_posix(), root.resolve().name, speaker, UNKNOWN_LICENCE, video=video)
    if not some:
        raise TalkerError(f"{root} holds no video files ({' '.join(VIDEO_EXTENSIONS)})")


def _listed(root: Path, table: Path) -> Iterator[ClipSource]:
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(table), newline="")))
    except csv.Error as error:
        raise TalkerError(f"{table}: not readable as CSV ({error})") from error
    header = list(rows[0]) if rows else []
    if "path" not in header:
        raise TalkerError(f"{table}: the first line must name the columns {', '.join(COLUMNS)}; 'path' is missing")
    clips = [_clip(root, table, line, row) for line, row in enumerate(rows, start=2)]
    seen: set[str] = set()
    for clip in clips:
        if clip.id in seen:
            raise TalkerError(f"{table}: {clip.id} is listed more than once")
        seen.add(clip.id)
    yield from sorted(clips, key=lambda clip: (clip.speaker, clip.recording or "", clip.id))


def _clip(root: Path, table: Path, line: int, row: dict[str, str]) -> ClipSource:
    path = (row["path"] or "").strip()
    if not path:
        raise TalkerError(f"{table}: line {line} has no path")
    word, number = (row.get("emotion") or "").strip(), (row.get("level") or "").strip()
    emotion = emotion_of(word)
    if word and emotion is None:
        raise TalkerError(f"{table}: line {line}: no such emotion '{word}'; choices: {', '.join(EMOTIONS)}")
    try:
        level = float(number) if number else None
        return ClipSource(
            id=path,
            set=root.resolve().name,
            speaker=(row.get("speaker") or "").strip() or Path(path).with_suffix("").as_posix(),
            licence=UNKNOWN_LICENCE,
            video=root / path,
            emotion=emotion,
            level=level,
            transcript=(row.get("transcript") or "").strip() or None,
            recording=(row.get("recording") or "").strip() or None,
        )
    except (ValueError, TalkerError) as error:
        raise TalkerError(f"{table}: line {line}: level '{number}' is not a number in 0..1") from error
