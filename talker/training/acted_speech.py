"""Acted speech: which emotion each recording of a corpus was spoken in, as its file name tells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from talker.errors import TalkerError
from talker.models.voice_emotion import BORED

_EMODB = {"N": "neutral", "F": "happy", "T": "sad", "A": "fear", "E": "disgusted", "W": "angry", "L": BORED}
_JAVANESE = ("neutral", "sad", "happy", "surprised", "fear", "angry")
_RAVDESS = ("neutral", "neutral", "happy", "sad", "angry", "fear", "disgusted", "surprised")
"""Calm, 02, counts as neutral: talker's emotions do not tell them apart."""


@dataclass(frozen=True)
class Recording:
    """One acted utterance.

    Attributes:
        path: Sound file.
        corpus: Name of its folder.
        speaker: Unique within the corpus.
        label: What was acted.
        detail: What else the corpus says about it: "calm", "strong" or nothing.
    """

    path: Path
    corpus: str
    speaker: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Corpus:
    """How a corpus names its files, and whether what was learned from it may be shipped.

    Attributes:
        labels: Everything that it acts.
        may_ship: Its licence lets the weights be part of talker.
        read: The recording that a file name stands for.
    """

    labels: tuple[str, ...]
    may_ship: bool
    read: Callable[[Path], Recording]


def _read_emodb(path: Path) -> Recording:
    return Recording(path, "emodb", path.stem[:2], _EMODB[path.stem[5]])


def _read_javanese(path: Path) -> Recording:
    actor, _, emotion = path.stem.split("_")[0].split("-")
    return Recording(path, "javanese_audio", actor, _JAVANESE[int(emotion) - 1])


def _read_ravdess(path: Path) -> Recording:
    _, _, emotion, intensity, _, _, actor = path.stem.split("-")
    detail = "calm" if emotion == "02" else "strong" if intensity == "02" else ""
    return Recording(path, "ravdess", actor, _RAVDESS[int(emotion) - 1], detail)


CORPORA: dict[str, Corpus] = {
    "emodb": Corpus(tuple(_EMODB.values()), True, _read_emodb),
    "javanese_audio": Corpus(_JAVANESE, True, _read_javanese),
    "ravdess": Corpus(tuple(dict.fromkeys(_RAVDESS)), False, _read_ravdess),
}
TRAINING_CORPORA = tuple(name for name, corpus in CORPORA.items() if corpus.may_ship)


def find_recordings(data: Path, names: Sequence[str]) -> list[Recording]:
    """Everything that the named corpora hold below `data`, in the order of the file names."""
    found = []
    for name in names:
        files = sorted(path for path in (data / name).glob("*") if path.suffix in (".opus", ".flac", ".wav"))
        found += [CORPORA[name].read(path) for path in files]
    if not found:
        raise TalkerError(f"{data} holds none of the folders {', '.join(names)}; give their parent with --data")
    return found
