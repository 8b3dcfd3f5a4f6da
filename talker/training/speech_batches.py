"""What `talker train speech` hears step by step: crops of recordings, each as somebody else might have recorded it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from talker.audio import NETWORK_RATE
from talker.models.speech_encoder import FEATURE_FPS, frame_count
from talker.phones import SILENCE, index
from talker.training import augment, processes
from talker.training.speech_corpus import UNKNOWN, Recording, TeacherFeatures
from talker.training.unspoken import unspoken

CROP_SECONDS = 4.0
BATCH = 16
SET_SHARES = {"speechocean762": 3, "grid_s1": 2, "javanese_audio": 3, "emodb": 2, "facegood": 1, "synthesised": 5}
"""Crops of each set in sixteen, when all are there."""

_WITHOUT_SPEECH = 0.06  # Share of crops that are noise or music.


@dataclass(frozen=True)
class SpeechBatch:
    """One step's crops.

    Attributes:
        samples: (B, N) float32.
        lengths: (B,) samples of each.
        heard: (B, T, F) standardised teacher features.
        known: (B, T) 1 where they hold.
        labels: (B, T) phone of each frame, `UNKNOWN` where nobody told.
        order: Phones of each crop that holds a whole transcribed recording; else empty.
    """

    samples: Tensor
    lengths: Tensor
    heard: Tensor
    known: Tensor
    labels: Tensor
    order: list[tuple[int, ...]]

    def to(self, device: torch.device) -> "SpeechBatch":
        """The same on another device."""
        samples, lengths = self.samples.to(device), self.lengths.to(device)
        heard, known, labels = self.heard.to(device), self.known.to(device), self.labels.to(device)
        return SpeechBatch(samples, lengths, heard, known, labels, self.order)


@dataclass(frozen=True)
class _Crop:
    """One item of a batch, before it is padded: (N,) samples, (T, F) heard, (T,) known and labels."""

    samples: np.ndarray
    heard: np.ndarray
    known: np.ndarray
    labels: np.ndarray
    order: tuple[int, ...] = ()


class SpeechBatches:
    """Batches out of the training recordings; under `torchrun`, every process draws batches of its own.

    Without a teacher's features there are none to learn, and only the phones are told.
    """

    def __init__(self, corpus: Sequence[Recording], features: TeacherFeatures | None, seed: int) -> None:
        self.pools: dict[str, list[Recording]] = defaultdict(list)
        for recording in corpus:
            if recording.frames >= FEATURE_FPS // 2:
                self.pools[recording.set].append(recording)
        shares = np.array([SET_SHARES.get(name, 1) for name in self.pools], float)
        self.shares = shares / shares.sum()
        self.features = features
        moments: tuple[np.ndarray, np.ndarray] = features.moments() if features else (np.zeros(0), np.ones(0))
        self.mean, self.deviation = moments
        self.seed = seed

    def at(self, step: int) -> SpeechBatch:
        """The batch of a step: the same whenever it is asked for."""
        random = np.random.default_rng((self.seed, step, processes.number()))
        return _padded([self._crop(random) for _ in range(BATCH)])

    def standardised(self, recording: Recording, rows: np.ndarray) -> np.ndarray:
        """(len(rows), F) float32: the teacher's features at fractional frames, each feature with mean 0, variance 1."""
        if self.features is None:
            return np.zeros((len(rows), 0), np.float32)
        return (self.features.rows(recording, rows) - self.mean) / self.deviation

    def _crop(self, random: np.random.Generator) -> _Crop:
        if random.random() < _WITHOUT_SPEECH:
            return self._without_speech(random)
        return self._with_speech(self._any_recording(random, self.shares), random)

    def _any_recording(self, random: np.random.Generator, shares: np.ndarray | None = None) -> Recording:
        pool = list(self.pools.values())[int(random.choice(len(self.pools), p=shares))]
        return pool[int(random.integers(len(pool)))]

    def _with_speech(self, recording: Recording, random: np.random.Generator) -> _Crop:
        """A stretch played faster or slower, in another room; labels and features follow the new times."""
        speed = random.uniform(*augment.SPEEDS)
        duration = len(recording.samples) / NETWORK_RATE
        taken = min(CROP_SECONDS * speed, duration)
        begin = random.uniform(0.0, duration - taken)
        samples = _played(recording, begin, taken, speed)

        rows = (begin + np.arange(frame_count(len(samples))) / FEATURE_FPS * speed) * FEATURE_FPS
        rows = np.clip(rows, 0, recording.frames - 1)
        labels = recording.labels[np.rint(rows).astype(int)].astype(np.int64)

        samples = augment.add_room(augment.change_voice(samples, random), random)
        samples = self._add_babble(augment.add_noise(samples, random), random)
        samples = augment.encode(augment.limit_band(samples, random), random)
        audible = np.ones((len(rows), 1), np.float32)  # Muting fades curves out with the sound: let it fade ones.
        samples, audible = augment.mute(augment.set_loudness(samples, random), audible, FEATURE_FPS, random)
        known, muted = audible[:, 0] > 0.99, audible[:, 0] < 0.01
        labels = np.where(known, labels, np.where(muted, index(SILENCE), UNKNOWN))
        whole = taken == duration and bool(known.all())
        order = recording.transcript if whole else ()
        return _Crop(samples.astype(np.float32), self.standardised(recording, rows), known, labels, order)

    def _add_babble(self, samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Now and then, other people talk in the background."""
        if random.random() < 0.85:
            return samples
        babble = sum(np.resize(self._any_recording(random).sound(), len(samples)) for _ in range(3))
        ratio = 10 ** (-random.uniform(8, 25) / 20)
        return samples + babble * (ratio * samples.std() / max(float(np.std(babble)), 1e-6))

    def _without_speech(self, random: np.random.Generator) -> _Crop:
        """Noise or music: the mouth has nothing to say."""
        count = int(CROP_SECONDS * NETWORK_RATE)
        samples = augment.limit_band(augment.add_room(unspoken(count, random), random), random)
        samples = augment.set_loudness(samples, random).astype(np.float32)
        frames = frame_count(count)
        heard = np.zeros((frames, len(self.mean)), np.float32)
        return _Crop(samples, heard, np.zeros(frames, bool), np.full(frames, index(SILENCE)))


def _played(recording: Recording, begin: float, seconds: float, speed: float) -> np.ndarray:
    """`seconds` of a recording, from `begin` on, at another speed."""
    count = max(1, int(seconds / speed * NETWORK_RATE))
    position = begin * NETWORK_RATE + np.arange(count) * speed
    first, last = int(position[0]), int(position[-1]) + 2
    sound = recording.samples[first:last].astype(np.float32) / 32768.0
    return np.interp(position - first, np.arange(len(sound)), sound)


def _padded(crops: Sequence[_Crop]) -> SpeechBatch:
    lengths = torch.tensor([len(crop.samples) for crop in crops])
    size, frames, width = int(lengths.max()), frame_count(int(lengths.max())), crops[0].heard.shape[1]
    batch = SpeechBatch(
        torch.zeros(len(crops), size),
        lengths,
        torch.zeros(len(crops), frames, width),
        torch.zeros(len(crops), frames),
        torch.full((len(crops), frames), UNKNOWN),
        [crop.order for crop in crops],
    )
    for i, crop in enumerate(crops):
        batch.samples[i, : len(crop.samples)] = torch.from_numpy(crop.samples)
        batch.heard[i, : len(crop.heard)] = torch.from_numpy(crop.heard)
        batch.known[i, : len(crop.known)] = torch.from_numpy(crop.known)
        batch.labels[i, : len(crop.labels)] = torch.from_numpy(crop.labels)
    return batch
