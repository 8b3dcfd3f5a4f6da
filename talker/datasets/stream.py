"""Shards as an endless or a finite stream of crops for `torch.utils.data.DataLoader`.

Every process of a distributed training and every worker of its loader sees clips that no other sees. Only a few hundred
undecoded clips are held at a time, whatever the size of the sets.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from talker.audio import NETWORK_RATE
from talker.datasets.moves import Moves, sped_up
from talker.datasets.report import MANIFEST_FILE
from talker.datasets.samples import decode_sound
from talker.datasets.shards import read_samples, shard_path
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.models.speech_encoder import FEATURE_FPS
from talker.rigs import arkit

UNKNOWN_EMOTION = -1
_SOUNDS = ("flac", "opus")

Augmentation = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""(samples, curves, curve rate, random) -> samples and curves as long as before.

The curves' columns are the 61 channels, then `MOUTH_MEASURES`: all of them 0 at rest.
"""


@dataclass(frozen=True)
class StreamOptions:
    """What to draw from the shards, and how.

    Attributes:
        split: "train", "validation" or "test".
        weights: How often each set is drawn from, relative to the others; then the stream has no end. Without it every
            clip comes once per epoch.
        seconds: Length of a crop; shorter clips are padded with silence of no weight.
        fps: Rate of the curves.
        speeds: Slowest and fastest that a crop is played; its curves keep up.
        shippable: Only clips whose licence lets weights ship.
        with_curves: Leave out clips that are sound alone.
        held: Clips that are held to be drawn from in random order; 0 keeps the order of the shards.
        seed: Decides order, crops and augmentation.
    """

    split: str = "train"
    weights: Mapping[str, float] | None = None
    seconds: float = 3.0
    fps: float = FEATURE_FPS
    speeds: tuple[float, float] = (1.0, 1.0)
    shippable: bool = False
    with_curves: bool = True
    held: int = 256
    seed: int = 0


@dataclass
class _Set:
    """The shards that hold clips of one set."""

    shards: list[Path] = field(default_factory=list)
    clips: int = 0


class ShardStream(IterableDataset[dict[str, Any]]):
    """Crops as dictionaries of tensors: `samples` (N,) at 16 kHz, `length`, `curves` (T, 61), `weight` (T,) in [0, 1],
    `mouth` (T, 3), which is `MOUTH_MEASURES` of the landmarks, `mouth_weight` (T,), 0 where they were not measured,
    `emotion` (index, or -1), `level` (0 when unknown), and `key`, `set`, `speaker` as text.
    """  # noqa: D205

    def __init__(
        self,
        folders: Sequence[Path | str],
        options: StreamOptions,
        augmentation: Augmentation | None = None,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        """Streams the shards of `folders`, as process `rank` of `world_size` (of torch.distributed's when None)."""
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank = rank if rank is not None else torch.distributed.get_rank() if distributed else 0
        world_size = world_size if world_size is not None else torch.distributed.get_world_size() if distributed else 1
        self._options, self._augmentation = options, augmentation
        self._rank, self._world_size = rank, world_size
        self._epoch = 0
        self._sets = _find_sets([Path(folder) for folder in folders], options)
        missing = sorted(set(options.weights or {}) - set(self._sets))
        if missing:
            raise TalkerError(
                f"there is no clip of the set '{missing[0]}'; there are {', '.join(self._sets) or 'none'}"
            )
        if not self._sets:
            raise TalkerError(f"there is no {options.split} clip in {', '.join(map(str, folders))} that may be used")

    @property
    def clips(self) -> int:
        """How many clips there are, for all processes together."""
        return sum(entry.clips for entry in self._sets.values())

    def set_epoch(self, epoch: int) -> None:
        """Another epoch, another order; call it before the loader starts."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        workers, worker = (1, 0) if info is None else (info.num_workers, info.id)
        reader = self._rank * workers + worker, self._world_size * workers
        random = np.random.default_rng([self._options.seed, self._epoch, *reader])
        for key, members in self._clips(random, *reader):
            yield self._crop(key, members, random)

    def _clips(self, random: np.random.Generator, reader: int, readers: int) -> Iterator[tuple[str, dict[str, bytes]]]:
        options = self._options
        if options.weights is None:
            streams = (self._pass(name, self._epoch, reader, readers) for name in self._sets)
            yield from _shuffled((clip for stream in streams for clip in stream), options.held, random)
            return
        names = list(options.weights)
        shares = np.array([options.weights[name] for name in names], np.float64)
        share_of_held = max(1, options.held // len(names))
        endless = {name: _shuffled(self._endless(name, reader, readers), share_of_held, random) for name in names}
        while True:
            name = names[int(random.choice(len(names), p=shares / shares.sum()))]
            yield next(endless[name])

    def _endless(self, name: str, reader: int, readers: int) -> Iterator[tuple[str, dict[str, bytes]]]:
        lap = self._epoch
        while True:
            some = False
            for clip in self._pass(name, lap, reader, readers):
                some = True
                yield clip
            if not some:
                raise TalkerError(f"the set '{name}' has too few clips for {readers} readers; use fewer workers")
            lap += 1

    def _pass(self, name: str, lap: int, reader: int, readers: int) -> Iterator[tuple[str, dict[str, bytes]]]:
        """This reader's clips of one set, once: whole shards where there are enough of them, else every so-manieth."""
        shards = list(self._sets[name].shards)
        if self._options.held:
            np.random.default_rng([self._options.seed, lap]).shuffle(shards)  # Alike for every reader.
        by_shard = len(shards) >= 4 * readers
        number = 0
        for shard in shards[reader::readers] if by_shard else shards:
            for key, members in read_samples(shard):
                if not _wanted(key, members, name, self._options):
                    continue
                number += 1
                if by_shard or number % readers == reader:
                    yield key, members

    def _crop(self, key: str, members: dict[str, bytes], random: np.random.Generator) -> dict[str, Any]:
        options = self._options
        about = json.loads(members["json"])
        samples = decode_sound(next(members[sound] for sound in _SOUNDS if sound in members))
        moves = Moves.of_clip(members, options.fps, len(samples) / NETWORK_RATE)
        frames, count = round(options.seconds * options.fps), round(options.seconds * NETWORK_RATE)
        speed = float(random.uniform(*options.speeds))
        taken = int(np.ceil(frames * speed))
        spare = len(moves.curves) - taken
        start = int(random.integers(spare + 1)) if spare > 0 else 0
        first = round(start / options.fps * NETWORK_RATE)
        samples = samples[first : first + int(np.ceil(count * speed))]
        moves = moves.part(start, taken)
        if speed != 1.0 and len(moves.curves):
            samples, moves = sped_up(samples, moves, options.fps, speed)
            samples, moves = samples[:count], moves.part(0, frames)
        if self._augmentation is not None:
            both = np.concatenate([moves.curves, moves.mouth], axis=1)
            samples, both = self._augmentation(samples, both, options.fps, random)
            curves, mouth = np.split(both, [arkit.CHANNEL_COUNT], axis=1)
            moves = replace(moves, curves=curves, mouth=mouth)
        emotion = about["emotion"]
        return {
            "samples": torch.from_numpy(_padded(samples, count)),
            "length": len(samples),
            **{
                name: torch.from_numpy(_padded(getattr(moves, name), frames))
                for name in ("curves", "weight", "mouth", "mouth_weight")
            },
            "emotion": UNKNOWN_EMOTION if emotion is None else EMOTIONS.index(emotion),
            "level": about["level"] or 0.0,
            **{"key": key, "set": about["set"], "speaker": about["speaker"]},
        }


def _find_sets(folders: Sequence[Path], options: StreamOptions) -> dict[str, _Set]:
    """From the manifests: which shards hold usable clips of which set."""
    sets: dict[str, _Set] = {}
    for folder in folders:
        path = folder / MANIFEST_FILE
        if not path.is_file():
            raise TalkerError(f"{folder} holds no {MANIFEST_FILE}; is it a folder that `talker prepare` has finished?")
        with path.open(encoding="utf-8") as file:
            for row in map(json.loads, file):
                if row["shard"].rpartition("-")[0] != options.split or (options.shippable and not row["may_ship"]):
                    continue
                entry = sets.setdefault(row["set"], _Set())
                entry.clips += 1
                shard = shard_path(folder, row["shard"])
                if not entry.shards or entry.shards[-1] != shard:
                    entry.shards.append(shard)
    if options.weights is not None:
        return {name: entry for name, entry in sets.items() if name in options.weights}
    return sets


def _wanted(key: str, members: dict[str, bytes], name: str, options: StreamOptions) -> bool:
    if not key.startswith(f"{name}/") or (options.with_curves and "curves.npz" not in members):
        return False
    return not options.shippable or bool(json.loads(members["json"])["may_ship"])


def _shuffled(clips: Iterator[Any], held: int, random: np.random.Generator) -> Iterator[Any]:
    """The clips in an order that is random among as many as are held."""
    waiting: list[Any] = []
    for clip in clips:
        if len(waiting) < held:
            waiting.append(clip)
            continue
        if not held:
            yield clip
            continue
        place = int(random.integers(held))
        waiting[place], clip = clip, waiting[place]
        yield clip
    random.shuffle(waiting)
    yield from waiting


def _padded(values: np.ndarray, count: int) -> np.ndarray:
    out = np.zeros((count, *values.shape[1:]), np.float32)
    out[: len(values)] = values[:count]
    return out
