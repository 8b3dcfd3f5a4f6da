"""How well a speech encoder tells phones apart: `python -m talker.evaluation.phones`.

Protocol
- `synthesised`: voices that no training heard; the phone of every 20 ms frame is known from the synthesiser.
- `emodb`: acted German of the two speakers that no training heard; phones were labelled by hand.
- `grid_s1`: one man whom training heard without phone times. Only the times of words are known: a word's phones come
  from a lexicon, so frames are not judged, but the order of phones is, and whether a mouth shape is seen in the word.

Frame error is the share of frames that get another phone. Phone error rate is the edit distance between what was said
and what the frames say, both without repeats and silences, per phone said. For the shapes that everybody lip-reads
(lips shut, lip on teeth, lips rounded), recall is given three ways: the very phone; any phone of the same shape; and
any of the same shape within a frame of it, since a label's own border is hardly known to 20 ms.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from talker.audio import NETWORK_RATE
from talker.cli.output import OptionalPath, say, say_table
from talker.cli.program import run_program
from talker.datasets.phone_times import SpokenWord, emodb_phones, grid_words
from talker.errors import TalkerError
from talker.files import atomic_output
from talker.models.checkpoint import load_speech
from talker.models.speech import Speech
from talker.models.speech_encoder import FEATURE_FPS
from talker.phones import BILABIAL, LABIODENTAL, PHONES, ROUNDED, SILENCE, index
from talker.training.speech_corpus import UNKNOWN, Recording, read_set, read_synthesised
from talker.training.synthesis.corpus import read_manifest

SHAPES: dict[str, frozenset[str]] = {
    "lips shut (p b m)": BILABIAL,
    "lip on teeth (f v)": LABIODENTAL,
    "rounded vowels": ROUNDED,
    "silence": frozenset({SILENCE}),
}
"""Phones that look the same."""

_COUNTED = ("p", "b", "m", "f", "v", *sorted(ROUNDED), SILENCE)
_X_SAMPA = dict(
    zip("θðɾɹʃʒçɲɡŋʁʔɪɛæɑʌəɜɨʊɔø", ("T", "D", "4", "r\\", *"SZCJgNR?IE{AV@31UO2"), strict=True)
)  # Pictures are lettered with a font that has no IPA.
_MARGIN = 1  # Frames around a word in which a mouth shape may still be one of its own.


@dataclass(frozen=True)
class Heard:
    """A recording with the phone that is heard in each frame; `order` is what was said, where that is known."""

    recording: Recording
    said: np.ndarray
    order: tuple[int, ...]


@dataclass
class PhoneEvaluation:
    """Measure how well an encoder tells phones apart, on people that it was not taught the phones of.

    For example:
      python -m talker.evaluation.phones --data ../shared/data --synthesised synth --picture phones.png
    """

    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that holds emodb and grid_s1, or one of them."""
    synthesised: OptionalPath = None
    """Folder made by `python -m talker.training.synthesis`."""
    model: str = "default"
    """Weights made by `talker train speech`."""
    grid_clips: int = 150
    """Clips of GRID to judge, evenly spread over all."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Where to write all figures as JSON."""
    picture: OptionalPath = None
    """Where to draw which phones are taken for which (PNG)."""

    def run(self) -> None:
        """Print the figures of every set that is there."""
        speech = load_speech(self.model)
        listen = phone_listener(speech)
        report: dict[str, Any] = {"model": self.model}
        matrices = {}
        for name, heard in self._heard(listen):
            matrices[name] = confusion(heard)
            report[name] = frame_figures(heard) | order_figures(heard)
        if (self.data / "grid_s1").is_dir():
            words = grid_words(self.data / "grid_s1")
            heard = list(_heard_grid(self.data / "grid_s1", words, listen, self.grid_clips))
            report["grid_s1"] = order_figures(heard) | {"words": word_figures(heard, words)}
        report["taken for silence"] = {name: silent_share(listen(sound)) for name, sound in without_speech().items()}
        _print(report)
        if self.output is not None:
            with atomic_output(self.output) as temporary:
                temporary.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if self.picture is not None:
            _draw(matrices, self.picture)

    def _heard(self, listen: "Listener") -> Iterator[tuple[str, list[Heard]]]:
        if self.synthesised is not None:
            orders = {line["id"]: [phone for phone, *_ in line["phones"]] for line in read_manifest(self.synthesised)}
            yield "synthesised", [_hear(r, orders, listen) for r in read_synthesised(self.synthesised, ("test",))]
        if (self.data / "emodb").is_dir():
            orders = {id_: [phone for phone, *_ in spans] for id_, spans in emodb_phones(self.data / "emodb").items()}
            yield "emodb", [_hear(r, orders, listen) for r in read_set(self.data / "emodb") if r.held_out]


Listener = Callable[[np.ndarray], np.ndarray]
"""(N,) samples at 16 kHz -> (ceil(N / 320),) numbers of phones."""


def phone_listener(speech: Speech) -> Listener:
    """The likeliest phone of each frame."""
    if not speech.phones:
        raise TalkerError("this speech encoder names no phones; give --model a folder made by `talker train speech`")
    numbers = np.array([index(phone) for phone in speech.phones])
    return lambda samples: numbers[speech.phone_probabilities(samples).argmax(axis=1)]


def _hear(recording: Recording, orders: dict[str, list[str]], listen: Listener) -> Heard:
    order = tuple(index(phone) for phone in orders.get(recording.id, ()))
    return Heard(recording, listen(recording.sound()), collapsed(order))


def _heard_grid(folder: Path, words: dict[str, list[SpokenWord]], listen: Listener, count: int) -> Iterator[Heard]:
    chosen = set(sorted(words)[:: max(1, len(words) // max(1, count))])
    for recording in read_set(folder, only=chosen):
        order = collapsed([index(phone) for word in words[recording.id] for phone in word.phones])
        yield Heard(recording, listen(recording.sound()), order)


def confusion(heard: Sequence[Heard]) -> np.ndarray:
    """(P, P) frames, rows as they are and columns as they were heard."""
    counts = np.zeros((len(PHONES), len(PHONES)), int)
    for item in heard:
        known = item.recording.labels != UNKNOWN
        np.add.at(counts, (item.recording.labels[known], item.said[known]), 1)
    return counts


def frame_figures(heard: Sequence[Heard]) -> dict[str, Any]:
    """Errors over all frames, over those with speech, and per phone; recall of the mouth shapes that count."""
    counts = confusion(heard)
    totals, right = counts.sum(axis=1), np.diag(counts)
    speech = np.arange(len(PHONES)) != index(SILENCE)
    return {
        "recordings": len(heard),
        "frames": int(totals.sum()),
        "frame error": _share(totals.sum() - right.sum(), totals.sum()),
        "frame error in speech": _share((totals - right)[speech].sum(), totals[speech].sum()),
        "error per phone": {
            phone: _share(totals[i] - right[i], totals[i]) for i, phone in enumerate(PHONES) if totals[i]
        },
        "recall": {
            phone: _recall(heard, {phone}, next(shape for shape in SHAPES.values() if phone in shape))
            for phone in _COUNTED
            if totals[index(phone)]
        }
        | {name: _recall(heard, shape, shape) for name, shape in SHAPES.items()},
    }


def _recall(heard: Sequence[Heard], phones: frozenset[str] | set[str], shape: frozenset[str]) -> dict[str, float]:
    """Of the frames of some phones: heard as what they are, as something of that shape, and so within a frame."""
    wanted, alike = _numbers(phones), _numbers(shape)
    frames, exact, same, near = 0, 0, 0, 0
    for item in heard:
        labels, said = item.recording.labels, item.said
        of_these, shaped = np.isin(labels, wanted), np.isin(said, alike)
        padded = np.pad(shaped, 1)
        frames += int(of_these.sum())
        exact += int((said == labels)[of_these].sum())
        same += int(shaped[of_these].sum())
        near += int((padded[:-2] | padded[1:-1] | padded[2:])[of_these].sum())
    return {
        **{"frames": frames, "exact": _share(exact, frames), "same shape": _share(same, frames)},
        "same shape within a frame": _share(near, frames),
    }


def order_figures(heard: Sequence[Heard]) -> dict[str, Any]:
    """Phone error rate, over all phones said and as the median over recordings."""
    pairs = [(edit_distance(collapsed(item.said), item.order), len(item.order)) for item in heard if item.order]
    edits, said = (sum(column) for column in zip(*pairs, strict=True)) if pairs else (0, 0)
    rates = [edits / length for edits, length in pairs]
    return {
        "phones said": said,
        "phone error rate": _share(edits, said),
        "phone error rate, median recording": round(float(np.median(rates)), 4) if rates else None,
    }


def word_figures(heard: Sequence[Heard], words: dict[str, list[SpokenWord]]) -> dict[str, dict[str, float]]:
    """Per mouth shape: share of the words with it in which it is heard, and of the others in which it is, too."""
    return {name: _word_recall(heard, words, shape) for name, shape in SHAPES.items() if shape != SHAPES["silence"]}


def _word_recall(heard: Sequence[Heard], words: dict[str, list[SpokenWord]], shape: frozenset[str]) -> dict[str, float]:
    alike = _numbers(shape)
    seen: dict[bool, list[bool]] = {True: [], False: []}
    for item in heard:
        for word in words[item.recording.id]:
            has = not shape.isdisjoint(word.phones)
            margin = _MARGIN if has else -_MARGIN  # A neighbour's phone is no false alarm.
            first = max(0, round(word.start * FEATURE_FPS) - margin)
            seen[has].append(bool(np.isin(item.said[first : round(word.end * FEATURE_FPS) + margin], alike).any()))
    return {
        **{"words": len(seen[True]), "heard": _share(sum(seen[True]), len(seen[True]))},
        "heard where it is not": _share(sum(seen[False]), len(seen[False])),
    }


def without_speech(seconds: float = 4.0) -> dict[str, np.ndarray]:
    """Sounds in which nobody speaks."""
    random = np.random.default_rng(0)
    times = np.arange(int(seconds * NETWORK_RATE)) / NETWORK_RATE
    chord = sum(np.sin(2 * np.pi * pitch * times) for pitch in (220.0, 277.2, 329.6))
    sounds = {
        "digital silence": np.zeros(len(times)),
        "constant offset": np.full(len(times), 0.2),
        "faint noise": 10 ** (-60 / 20) * random.standard_normal(len(times)),
        "loud noise": 10 ** (-20 / 20) * random.standard_normal(len(times)),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * times),
        "chord": 0.1 * chord * np.exp(-(times % 1.0) * 3),
    }
    return {name: samples.astype(np.float32) for name, samples in sounds.items()}


def silent_share(said: np.ndarray) -> float:
    """Share of the frames that are heard as silence."""
    return _share(int((said == index(SILENCE)).sum()), len(said))


def collapsed(phones: Sequence[int] | np.ndarray) -> tuple[int, ...]:
    """Runs of one phone as one phone, and no silences."""
    return tuple(int(phone) for phone, _ in groupby(phones) if phone != index(SILENCE))


def edit_distance(one: Sequence[int], other: Sequence[int]) -> int:
    """The fewest insertions, deletions and replacements that turn one into the other."""
    row = list(range(len(other) + 1))
    for i, here in enumerate(one, start=1):
        diagonal, row[0] = row[0], i
        for j, there in enumerate(other, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (here != there))
    return row[-1]


def _numbers(phones: frozenset[str] | set[str]) -> list[int]:
    return [index(phone) for phone in phones]


def _share(part: float, whole: float) -> float:
    return round(float(part) / max(float(whole), 1.0), 4)


def _print(report: dict[str, Any]) -> None:
    figures = ("frame error", "frame error in speech", "phone error rate", "phone error rate, median recording")
    sets = [name for name in ("synthesised", "emodb", "grid_s1") if name in report]
    if sets:
        say_table([{"set": name} | {figure: report[name].get(figure, "") for figure in figures} for name in sets])
    for name in sets:
        if "recall" in report[name]:
            say(f"{name}: recall of frames")
            say_table([{"phone": phone} | recall for phone, recall in report[name]["recall"].items()])
        if "words" in report[name]:
            say(f"{name}: mouth shapes in words")
            say_table([{"shape": shape} | recall for shape, recall in report[name]["words"].items()])
    say("taken for silence")
    say_table([{"sound": sound, "share of frames": share} for sound, share in report["taken for silence"].items()])


def _draw(matrices: dict[str, np.ndarray], path: Path) -> None:
    """The first set's confusions: unseen voices, where they are there."""
    from talker.render.confusion import confusion_picture

    if not matrices:
        raise TalkerError("no confusions to draw: give --synthesised, or --data with emodb in it")
    name, counts = next(iter(matrices.items()))
    there = [i for i in range(len(PHONES)) if counts[i].any() or counts[:, i].any()]
    labels = ["".join(_X_SAMPA.get(letter, letter) for letter in PHONES[i]) for i in there]
    title = f"Frames of {name}, phones in X-SAMPA"
    picture = confusion_picture(counts[np.ix_(there, there)], labels, title, cell=48)
    with atomic_output(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    sys.exit(run_program(PhoneEvaluation))
