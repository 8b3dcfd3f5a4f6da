"""Recordings whose mouths are known: what predictions are held against."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, Audio
from talker.datasets.report import MANIFEST_FILE
from talker.datasets.stream import ShardStream, StreamOptions
from talker.errors import TalkerError
from talker.models.speech_encoder import FEATURE_FPS, frame_count
from talker.rigs import arkit
from talker.rigs.lips import Lips
from talker.tracking.rest import silent_frames

_LONGEST_SECONDS = 60.0  # Of a clip in shards: what comes later is not judged.


@dataclass(frozen=True, eq=False)
class Clip:
    """One recording and what its speaker's mouth did.

    Attributes:
        set: What it is counted with.
        name: Of the clip.
        speaker: Who speaks.
        samples: (N,) float32 at 16 kHz, empty when there is no sound.
        curves: (T, 61) of the tracked face at 50 Hz.
        mouth: (T, 3) `talker.datasets.mouth.MOUTH_MEASURES`, of the landmarks themselves where there are any.
        seen: (T,) bool, where they were measured.
        silent: (T,) bool, where nothing is heard.
    """

    set: str
    name: str
    speaker: str
    samples: np.ndarray
    curves: np.ndarray
    mouth: np.ndarray
    seen: np.ndarray
    silent: np.ndarray

    @property
    def frames(self) -> int:
        """How long it is, at 50 Hz."""
        return len(self.mouth)


def mouth_of(curves: np.ndarray) -> np.ndarray:
    """(T, 61) -> (T, 3): what curves do to the default head's mouth; lips that are pressed are closed, not more."""
    import torch

    shapes = torch.from_numpy(np.ascontiguousarray(curves[:, : arkit.SHAPE_COUNT]))
    measures = Lips.of_default_head().measures(shapes).numpy()
    measures[:, 0] = np.maximum(measures[:, 0], 0.0)
    return measures


def clips_of_shards(folders: Sequence[Path], split: str) -> Iterator[Clip]:
    """The clips of one split whose landmarks were measured."""
    for folder in folders:
        if not (folder / MANIFEST_FILE).is_file():
            raise TalkerError(
                f"{folder} holds no shards; make some: talker prepare talker DATA -o SHARDS (see talker prepare --help)"
            )
    stream = ShardStream(folders, StreamOptions(split, seconds=_LONGEST_SECONDS, held=0), rank=0, world_size=1)
    for crop in stream:
        seen = crop["mouth_weight"].numpy() > 0
        if seen.any():
            samples = crop["samples"][: crop["length"]].numpy()
            frames = min(frame_count(len(samples)), len(seen))
            name = unquote(crop["key"].removeprefix(f"{crop['set']}/"))  # Keys of shards escape dots.
            curves, mouth = crop["curves"][:frames].numpy(), crop["mouth"][:frames].numpy()
            yield Clip(
                crop["set"], name, crop["speaker"], samples, curves, mouth, seen[:frames], _silent(samples, frames)
            )


def clip_of_take(take: FaceAnimation, name: str) -> Clip:
    """A take as the truth: its mouth is known throughout."""
    curves = take.resample(FEATURE_FPS).curves
    samples = np.zeros(0, np.float32) if take.audio is None else take.audio.resample(NETWORK_RATE).samples
    seen = np.ones(len(curves), bool)
    return Clip("takes", name, name, samples, curves, mouth_of(curves), seen, _silent(samples, len(curves)))


def _silent(samples: np.ndarray, frames: int) -> np.ndarray:
    sound = Audio(samples, NETWORK_RATE) if len(samples) else None
    return silent_frames(sound, FEATURE_FPS, frames)
