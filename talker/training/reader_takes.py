"""What readers of faces learn from: faces that move, with the phones that are said meanwhile and the emotion acted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, read_audio
from talker.datasets.phone_times import SpokenWord, grid_words
from talker.datasets.stream import UNKNOWN_EMOTION, ShardStream, StreamOptions
from talker.emotion import EMOTIONS
from talker.models.speech import Speech
from talker.models.speech_encoder import FEATURE_FPS
from talker.rigs import arkit
from talker.training.speech_corpus import UNKNOWN, frame_labels
from talker.training.word_alignment import align_words

SYNTHESISED = "synthesised"

_LONGEST_SECONDS = 20.0
_SEEN = 0.5  # Share of a clip's frames in which the face must have been found.


@dataclass(frozen=True, eq=False)
class FaceTake:
    """A face at 50 Hz.

    Attributes:
        set: Where it is from.
        speaker: Unique within the set.
        curves: (T, 61), its head held still.
        phones: (T,) numbers of the phones said, `UNKNOWN` where nothing is known.
        emotion: That was acted, if anybody says so.
    """

    set: str
    speaker: str
    curves: np.ndarray
    phones: np.ndarray
    emotion: str | None = None

    def part(self, start: int, count: int) -> "FaceTake":
        """Some of the frames."""
        part = slice(start, start + count)
        return replace(self, curves=self.curves[part], phones=self.phones[part])

    def at_rate(self, fps: float) -> tuple[np.ndarray, np.ndarray]:
        """Curves, and the phone at each of their frames, at another rate."""
        curves = np.array(FaceAnimation(self.curves, FEATURE_FPS).resample(fps).curves)
        rows = np.rint(np.arange(len(curves)) * (FEATURE_FPS / fps)).astype(int)
        return curves, self.phones[np.minimum(rows, len(self.phones) - 1)]


def filmed_takes(
    shards: Sequence[Path], split: str, speech: Speech, data: Path | None, shippable: bool, limit: int
) -> Iterator[FaceTake]:
    """What `talker prepare` made.

    Args:
        shards: Its folders.
        split: "train" or "validation".
        speech: Hears the phones; within their words, where these are known.
        data: Folder of the sets; GRID's words are taken from there.
        shippable: Only clips whose licence lets weights ship.
        limit: Clips of each set at most.
    """
    options = StreamOptions(split, seconds=_LONGEST_SECONDS, fps=FEATURE_FPS, shippable=shippable, held=0)
    words = grid_words(data / "grid_s1") if data is not None and (data / "grid_s1").is_dir() else {}
    taken: Counter[str] = Counter()
    for clip in ShardStream(shards, options, rank=0, world_size=1):
        if taken[clip["set"]] == limit:
            continue
        samples = clip["samples"][: clip["length"]].numpy()
        count = round(len(samples) / NETWORK_RATE * FEATURE_FPS)
        weight = clip["weight"][:count].numpy()
        if count < FEATURE_FPS or (weight > 0).mean() < _SEEN:
            continue
        taken[clip["set"]] += 1
        known = words.get(clip["key"].rpartition("/")[2]) if clip["set"] == "grid_s1" else None
        phones = phones_said(speech, samples, count, known)
        emotion = None if clip["emotion"] == UNKNOWN_EMOTION else EMOTIONS[clip["emotion"]]
        curves = held_still(clip["curves"][:count].numpy())
        yield FaceTake(clip["set"], clip["speaker"], curves, np.where(weight > 0, phones, UNKNOWN), emotion)


def synthesised_takes(
    folder: Path, split: str, talk: Callable[[np.ndarray], np.ndarray], limit: int
) -> Iterator[FaceTake]:
    """Synthesised speech, whose phones are known exactly, as a talker moves a face to it: (N,) samples -> (T, 61)."""
    from talker.training.synthesis.corpus import read_manifest

    for entry in islice((entry for entry in read_manifest(folder) if entry["split"] == split), limit):
        curves = talk(read_audio(folder / f"{entry['id']}.flac").resample(NETWORK_RATE).samples)
        phones = frame_labels(entry["phones"], len(curves)).astype(np.int64)
        yield FaceTake(SYNTHESISED, "+".join(entry["voices"]), held_still(curves), phones)


def phones_said(speech: Speech, samples: np.ndarray, count: int, words: Sequence[SpokenWord] | None) -> np.ndarray:
    """(count,) the phone of each frame: placed within the words where these are known, otherwise the likeliest."""
    from talker.phones import index

    if words:
        return frame_labels(align_words(speech, samples, words), count).astype(np.int64)
    numbers = np.array([index(phone) for phone in speech.phones])
    heard = numbers[speech.phone_probabilities(samples).argmax(1)]
    return np.pad(heard[:count], (0, max(0, count - len(heard))), constant_values=UNKNOWN)


def held_still(curves: np.ndarray) -> np.ndarray:
    """(T, 61) with the head at rest: the pictures are drawn straight ahead."""
    still = np.array(curves, np.float32)
    still[:, arkit.HEAD] = 0.0
    return still
