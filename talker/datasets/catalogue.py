"""The kinds of data sets that `talker prepare` reads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from talker.datasets import curve_takes, named_video
from talker.datasets.mead import read_mead
from talker.datasets.source import FRONT, ClipSource
from talker.datasets.talker_sets import read_talker_sets
from talker.datasets.video_folder import read_video_folder
from talker.errors import TalkerError, no_such


@dataclass(frozen=True)
class Kind:
    """A layout of files: its name on the command line, what it is, and its reader."""

    name: str
    summary: str
    read: Callable[[Path], Iterator[ClipSource]]


KINDS: tuple[Kind, ...] = (
    Kind("mead", "MEAD: <subject>/video/<view>/<emotion>/level_<n>/*.mp4", read_mead),
    Kind("ravdess", "RAVDESS speech videos, 01-01-EE-II-SS-RR-AA.mp4", named_video.read_ravdess),
    Kind("crema-d", "CREMA-D videos, 1001_IEO_ANG_HI.flv", named_video.read_crema_d),
    Kind("grid", "GRID videos, s1/bbaf2n.mpg", named_video.read_grid),
    Kind("beat", "BEAT: ARKit JSON and WAV", curve_takes.read_beat),
    Kind("beat2", "BEAT2: SMPL-X npz and WAV (needs --rig-model)", curve_takes.read_beat2),
    Kind("3d-etf", "3D-ETF: 52 weights as npy and WAV", curve_takes.read_3d_etf),
    Kind("vocaset", "VOCASET: FLAME meshes as npy and WAV (needs --rig-model)", curve_takes.read_vocaset),
    Kind("livelink", "Live Link Face takes with their film or sound", curve_takes.read_livelink_takes),
    Kind("emoface", "EmoFace: text of 174 MetaHuman controls and WAV", curve_takes.read_emoface),
    Kind("videos", "any folder of talking videos, with a table if there is one", read_video_folder),
    Kind("talker", "the sets that talker's own weights come from", read_talker_sets),
)


def read_clips(
    kind: str,
    root: Path,
    views: Sequence[str] = (FRONT,),
    table: Path | None = None,
    sets: Sequence[str] = (),
) -> Iterator[ClipSource]:
    """The clips of a data set, lazily, speaker by speaker.

    Args:
        kind: One of `KINDS`.
        root: Its folder.
        views: Cameras (MEAD).
        table: Who says what and how (videos).
        sets: Which of the sets (talker); all when empty.
    """
    if sets and kind != "talker":
        raise TalkerError(f"--sets chooses among talker's own; {kind} is one")
    if tuple(views) != (FRONT,) and kind != "mead":
        raise TalkerError(f"--views chooses among MEAD's cameras; {kind} has one")
    if table is not None and kind != "videos":
        raise TalkerError(f"--table describes a folder of videos; {kind} says it all by its names")
    if kind == "mead":
        return read_mead(root, views)
    if kind == "talker":
        return read_talker_sets(root, sets)
    if kind == "videos":
        return read_video_folder(root, table)
    return find_kind(kind).read(root)


def find_kind(name: str) -> Kind:
    """The kind of this name."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise no_such("kind of data", name, [kind.name for kind in KINDS])
