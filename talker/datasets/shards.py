"""Shards: tar files whose members share a name per clip, as WebDataset reads them, and the same bytes every time.

`train-000003.tar` holds `<key>.flac` (or `.opus`), `<key>.curves.npz`, `<key>.landmarks.npz` and `<key>.json` for each
of its clips; `rows/train-000003.jsonl` tells how every clip that was meant for it fared. A shard that exists is whole.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talker.datasets.clip_work import Settings
from talker.datasets.finish_clip import Done, finish_clip
from talker.datasets.source import ClipSource
from talker.errors import TalkerError
from talker.files import atomic_output

ROWS_FOLDER = "rows"
_ESCAPED = {"%": "%25", ".": "%2E"}  # A key ends at its first dot.


@dataclass(frozen=True)
class ShardTask:
    """One shard to write: its name without extension, and the clips meant for it."""

    name: str
    clips: tuple[ClipSource, ...]


def shard_path(output: Path, name: str) -> Path:
    """The tar file."""
    return output / f"{name}.tar"


def rows_path(output: Path, name: str) -> Path:
    """The rows of the table that belong to it."""
    return output / ROWS_FOLDER / f"{name}.jsonl"


def key_of(set_name: str, clip_id: str) -> str:
    """`<set>/<id>` with its dots escaped."""
    return "".join(_ESCAPED.get(letter, letter) for letter in f"{set_name}/{clip_id}")


def write_shard(task: ShardTask, output: Path, settings: Settings) -> None:
    """Finish the clips and write the shard, unless it is there."""
    finished = ((key_of(clip.set, clip.id), finish_clip(clip, settings)) for clip in task.clips)
    write_finished(task.name, finished, output)


def write_finished(name: str, clips: Iterable[tuple[str, Done]], output: Path) -> None:
    """Write a shard of clips and their keys, unless it is there; its rows are there before it is."""
    path = shard_path(output, name)
    if path.is_file():
        return
    rows = []
    with atomic_output(path) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
            for key, done in clips:
                _add(archive, key, done)
                rows.append({"key": key, "shard": name, **done.row})
        with atomic_output(rows_path(output, name)) as temporary_rows:
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            temporary_rows.write_text(lines, encoding="utf-8")


def _add(archive: tarfile.TarFile, key: str, done: Done) -> None:
    for extension, data in sorted(done.members.items()):
        member = tarfile.TarInfo(f"{key}.{extension}")  # Owner, group and time are 0.
        member.size = len(data)
        member.mode = 0o644
        archive.addfile(member, io.BytesIO(data))


def read_rows(output: Path, names: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of all shards (or of those named), one at a time."""
    paths = sorted((output / ROWS_FOLDER).glob("*.jsonl")) if names is None else [rows_path(output, n) for n in names]
    for path in paths:
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def read_samples(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The clips of a shard: key, and members by extension."""
    key, members = "", dict[str, bytes]()
    try:
        with tarfile.open(path, "r|") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                stem, _, extension = name.partition(".")
                place = f"{folder}/{stem}"
                if place != key and members:
                    yield key, members
                    members = {}
                key = place
                file = archive.extractfile(member)
                if file is not None:
                    members[extension] = file.read()
    except (tarfile.TarError, OSError) as error:
        raise TalkerError(f"{path}: not a readable shard ({str(error)[:80]}); prepare it again") from error
    if members:
        yield key, members
