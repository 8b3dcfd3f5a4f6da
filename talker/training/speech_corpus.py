"""Speech to learn hearing from: recordings, what is known of their phones, and what a teacher hears in them."""

import json
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.audio import NETWORK_RATE, read_audio
from talker.datasets.phone_times import emodb_phones, grid_words
from talker.errors import TalkerError
from talker.files import atomic_output, read_text
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES, frame_count
from talker.phones import SILENCE, VOWELS, TimedPhone, index
from talker.training.synthesis.corpus import read_manifest
from talker.training.teachers import LICENCE, LISTENING, WhisperTeacher

UNKNOWN = -1
"""Label of a frame whose phone nobody told."""

SPEECH_SETS = ("speechocean762", "grid_s1", "javanese_audio", "emodb", "facegood")
"""Sets of ../shared/data that weights may be shipped from; "synthesised" joins them where it was made."""

HELD_OUT: dict[str, tuple[str, ...]] = {"javanese_audio": ("03-", "07-"), "emodb": ("13", "14")}
"""Speakers, by how their recordings' names begin, that no training hears."""

_PAUSE_BELOW_LOUD, _PAUSE_FRAMES = 30.0, 5  # dB; shorter ones are the closures of stops beside the vowel.

_SOUNDS = (".opus", ".flac", ".wav")


@dataclass(frozen=True)
class Recording:
    """One recording.

    Attributes:
        id: Its name within the set.
        set: The set it belongs to.
        held_out: Kept away from training.
        samples: (N,) int16 at 16 kHz: half the memory of floats.
        labels: (ceil(N / 320),) int8 phone of each frame, `UNKNOWN` where nobody told.
        transcript: Its phones in order, without times; empty when unknown.
    """

    id: str
    set: str
    held_out: bool
    samples: np.ndarray
    labels: np.ndarray
    transcript: tuple[int, ...] = ()

    @property
    def frames(self) -> int:
        """At 50 Hz."""
        return len(self.labels)

    def sound(self) -> np.ndarray:
        """(N,) float32."""
        return self.samples.astype(np.float32) / 32768.0


def read_corpus(
    data: Path,
    synthesised: Path | None,
    say: Callable[[str], None] = print,
    sets: Sequence[str] = SPEECH_SETS,
) -> list[Recording]:
    """The recordings of every one of the sets that is there, and what was synthesised."""
    readers: dict[str, Iterator[Recording]] = {
        name: read_set(data / name, synthesised) for name in sets if (data / name).is_dir()
    }
    if synthesised is not None:
        readers["synthesised"] = read_synthesised(synthesised)
    corpus = []
    for name, reader in readers.items():
        recordings = list(reader)
        minutes = sum(len(recording.samples) for recording in recordings) / NETWORK_RATE / 60
        say(f"{name}: {len(recordings)} recordings, {minutes:.0f} minutes")
        corpus += recordings
    if not corpus:
        raise TalkerError(f"{data} holds none of {', '.join(sets)}; give their parent with --data")
    return corpus


def read_set(folder: Path, synthesised: Path | None = None, only: Container[str] | None = None) -> Iterator[Recording]:
    """One of `SPEECH_SETS`, or the recordings in it that `only` names."""
    spans, orders = _known_phones(folder, synthesised)
    held_out = HELD_OUT.get(folder.name)
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _SOUNDS):
        if only is not None and path.stem not in only:
            continue
        samples = _int16(read_audio(path).resample(NETWORK_RATE).samples)
        yield Recording(
            path.stem,
            folder.name,
            held_out is not None and path.stem.startswith(held_out),
            samples,
            frame_labels(spans.get(path.stem, ()), frame_count(len(samples))),
            tuple(index(phone) for phone in orders.get(path.stem, ())),
        )


def _known_phones(
    folder: Path, synthesised: Path | None
) -> tuple[dict[str, Sequence[TimedPhone]], dict[str, Sequence[str]]]:
    """By recording: phones with times, and phones in order without times."""
    if folder.name == "emodb":
        return dict(emodb_phones(folder)), {}
    if folder.name == "grid_s1":
        words = grid_words(folder)
        silences = {
            name: [(SILENCE, word.start, word.end) for word in said if word.phones == (SILENCE,)]
            for name, said in words.items()
        }
        orders = {
            name: [phone for word in said for phone in word.phones if phone != SILENCE] for name, said in words.items()
        }
        return dict(silences), dict(orders)
    path = synthesised / f"{folder.name}_phones.json" if synthesised else None
    return {}, json.loads(read_text(path)) if path and path.is_file() else {}


def read_synthesised(folder: Path, splits: Sequence[str] = ("train", "test")) -> Iterator[Recording]:
    """What `python -m talker.training.synthesis` made; "test" is said by voices that no training hears."""
    for entry in read_manifest(folder):
        if entry["split"] not in splits:
            continue
        samples = _int16(read_audio(folder / f"{entry['id']}.flac").samples)
        labels = frame_labels(entry["phones"], frame_count(len(samples)))
        labels = with_pauses(labels, samples / 32768.0)
        yield Recording(entry["id"], "synthesised", entry["split"] == "test", samples, labels)


def with_pauses(labels: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """Silence where a vowel is said to go on although nothing sounds: a synthesiser counts a pause to what precedes it.

    One in twelve frames of the unseen voices' rounded vowels was such a pause.
    """
    from scipy.ndimage import binary_opening

    half = HOP_SAMPLES // 2
    around = np.pad(sound, (half, HOP_SAMPLES + half))[: len(labels) * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    level = 10 * np.log10(np.square(around).mean(axis=1) + 1e-10)
    quiet = level < np.percentile(level, 90) - _PAUSE_BELOW_LOUD if len(level) else level > 0
    pause = binary_opening(quiet, np.ones(_PAUSE_FRAMES)) & np.isin(labels, [index(vowel) for vowel in VOWELS])
    return np.where(pause, index(SILENCE), labels).astype(labels.dtype)


def frame_labels(spans: Sequence[TimedPhone], count: int) -> np.ndarray:
    """(count,) int8: the phone that is spoken at each frame's centre."""
    labels = np.full(count, UNKNOWN, np.int8)
    for phone, start, end in spans:
        first, last = (int(np.ceil(seconds * FEATURE_FPS)) for seconds in (start, end))
        labels[first:last] = index(phone)
    return labels


def _int16(samples: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(samples * 32767.0), -32768, 32767).astype(np.int16)


def some_sounds(corpus: Sequence[Recording], count: int = 1000) -> list[np.ndarray]:
    """Recordings of all sets, mixed: enough to measure what is common to all speech."""
    order = np.random.default_rng(0).permutation(len(corpus))[:count]
    return [corpus[i].sound() for i in order]


class TeacherFeatures:
    """A teacher's features of a corpus, computed once, kept on disk and read piece by piece.

    What is kept of another teacher, of other layers or of another way of listening is computed again.
    """

    def __init__(self, folder: Path, layers: tuple[int, ...]) -> None:
        self.folder = folder
        self.layers = layers
        self._arrays: dict[str, np.ndarray] = {}
        self._begins: dict[str, dict[str, int]] = {}

    def prepare(self, teacher: WhisperTeacher, corpus: Sequence[Recording], say: Callable[[str], None] = print) -> None:
        """Compute what is missing, set by set."""
        for name in dict.fromkeys(recording.set for recording in corpus):
            recordings = [recording for recording in corpus if recording.set == name]
            if not self._load(name, recordings, teacher):
                if teacher.places is None:
                    teacher.learn_places(some_sounds(corpus))
                self._compute(teacher, name, recordings)
                say(f"{name}: teacher's features computed")
                self._load(name, recordings, teacher)

    def rows(self, recording: Recording, rows: np.ndarray) -> np.ndarray:
        """(len(rows), layers x width) float32 at fractional frame numbers, which lie within the recording."""
        first = self._begins[recording.set][recording.id]
        array = self._arrays[recording.set]
        low = np.floor(rows).astype(int)
        high = np.minimum(low + 1, recording.frames - 1)
        share = (rows - low)[:, None].astype(np.float32)
        return array[first + low].astype(np.float32) * (1 - share) + array[first + high].astype(np.float32) * share

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of every feature, from a sample of the frames."""
        sample = np.concatenate([array[::50].astype(np.float32) for array in self._arrays.values()])
        return sample.mean(0), sample.std(0)

    def _load(self, name: str, recordings: Sequence[Recording], teacher: WhisperTeacher) -> bool:
        array_path, index_path = self.folder / f"{name}.npy", self.folder / f"{name}.json"
        if not (array_path.is_file() and index_path.is_file()):
            return False
        kept = json.loads(read_text(index_path))
        if any(kept.get(key) != value for key, value in self._origin(teacher).items()):
            return False
        if any(recording.id not in kept["begins"] for recording in recordings):
            return False
        self._arrays[name] = np.load(array_path, mmap_mode="r")
        self._begins[name] = kept["begins"]
        return True

    def _compute(self, teacher: WhisperTeacher, name: str, recordings: Sequence[Recording]) -> None:
        from rich.console import Console
        from rich.progress import track

        total = sum(recording.frames for recording in recordings)
        width = teacher.encoder.config.d_model * len(self.layers)
        begins, begin = {}, 0
        self.folder.mkdir(parents=True, exist_ok=True)
        groups = [recordings[i : i + 40] for i in range(0, len(recordings), 40)]
        with atomic_output(self.folder / f"{name}.npy") as temporary:
            array = np.lib.format.open_memmap(temporary, "w+", np.float16, (total, width))
            for group in track(groups, f"teacher: {name}", console=Console(stderr=True), transient=True):
                heard = teacher.features([recording.sound() for recording in group])
                for recording, states in zip(group, heard, strict=True):
                    begins[recording.id] = begin
                    chosen = np.concatenate([states[layer].numpy() for layer in self.layers], axis=1)
                    array[begin : begin + recording.frames] = chosen
                    begin += recording.frames
            array.flush()
        with atomic_output(self.folder / f"{name}.json") as temporary:
            temporary.write_text(json.dumps({"licence": LICENCE, **self._origin(teacher), "begins": begins}))

    def _origin(self, teacher: WhisperTeacher) -> dict[str, object]:
        """What the features are, as JSON gives it back."""
        return {"teacher": teacher.digest, "layers": list(self.layers), "listening": LISTENING}
