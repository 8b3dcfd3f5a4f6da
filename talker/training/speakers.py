"""What differs between speakers and cannot be heard: how wide they open the mouth, and the mood they are in."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from talker.datasets.report import MANIFEST_FILE
from talker.datasets.samples import Curves
from talker.datasets.shards import read_samples, shard_path
from talker.errors import TalkerError
from talker.files import read_text
from talker.rigs import arkit

# Gap of lively but ordinary speech at its widest, in eye distances. How wide somebody opens the mouth differs by a
# factor of two between speakers.
_WIDE_GAP, _WIDE_PERCENTILE = 0.16, 95.0
_FACTORS = (0.5, 2.0)
_OPENING = ("jawOpen", "mouthClose", "mouthLowerDown", "mouthUpperUp")
_MOOD = ("mouthSmile", "mouthFrown", "mouthDimple", "mouthPress", "cheekSquint", "noseSneer", "brow")
_MOOD_SHARE = 0.1  # What a crop shows in all but a tenth of its frames is mood, which the talker is not told of.


@dataclass(frozen=True)
class Speakers:
    """Habits of the speakers of some shards.

    Attributes:
        opening: (set, speaker) -> factor that brings how wide the mouth opens to everybody's.
        deviation: (52,) of each shape's targets over all of them.
    """

    opening: dict[tuple[str, str], float]
    deviation: np.ndarray

    @property
    def sets(self) -> list[str]:
        """The sets that they come from."""
        return list(dict.fromkeys(name for name, _ in self.opening))

    @classmethod
    def measure(cls, folders: Sequence[Path], split: str, shippable: bool) -> "Speakers":
        """Read all curves of a split once."""
        gaps: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
        count, total, squares = 0, np.zeros(arkit.SHAPE_COUNT), np.zeros(arkit.SHAPE_COUNT)
        for members in _clips_with_curves(folders, split):
            about, stored = json.loads(members["json"]), Curves.decode(members["curves.npz"])
            if shippable and not about["may_ship"]:
                continue
            seen = stored.valid & np.isfinite(stored.mouth).all(1)
            gaps[about["set"], about["speaker"]].append(stored.mouth[seen, 0])
            shapes = stored.curves[stored.valid, : arkit.SHAPE_COUNT].astype(np.float64)
            count, total, squares = count + len(shapes), total + shapes.sum(0), squares + np.square(shapes).sum(0)
        if not count:
            places = ", ".join(map(str, folders))
            raise TalkerError(f"{places}: no {split} clip with curves that may be used; make some: talker prepare")
        opening = {key: _opening_factor(np.concatenate(values)) for key, values in gaps.items()}
        return cls(opening, np.sqrt(np.maximum(squares / count - np.square(total / count), 0.0)))

    def targets(self, batch: dict[str, Any], with_mood: Tensor | None = None) -> Tensor:
        """(B, T, 52) shapes to learn from a batch of `ShardStream`: everybody opens the mouth alike, in no mood.

        Left and right are averaged: one face's asymmetry is not speech.

        Args:
            batch: Of `ShardStream`.
            with_mood: (B,) booleans: those that keep their mood.
        """
        shapes = even(batch["curves"][..., : arkit.SHAPE_COUNT])
        factors = torch.tensor([self.opening[key] for key in zip(batch["set"], batch["speaker"], strict=True)])
        opening, mood = (_columns(names) for names in (_OPENING, _MOOD))
        shapes[..., opening] *= factors[:, None, None]
        known = shapes[..., mood].masked_fill(batch["weight"][..., None] == 0, torch.nan)
        held = torch.nanquantile(known, _MOOD_SHARE, dim=1, keepdim=True).nan_to_num(0.0)
        if with_mood is not None:
            held[with_mood] = 0.0
        shapes[..., mood] = (shapes[..., mood] - held) / (1.0 - held).clamp(min=0.1)
        return shapes.clamp(0.0, 1.0)


def even(shapes: Tensor) -> Tensor:
    """(..., 52) with left and right averaged."""
    return (shapes + shapes[..., torch.from_numpy(arkit.MIRROR[: arkit.SHAPE_COUNT])]) / 2


def _opening_factor(gaps: np.ndarray) -> float:
    """1 for a speaker whose mouth was never measured."""
    widest = np.percentile(gaps, _WIDE_PERCENTILE) if len(gaps) else _WIDE_GAP
    return float(np.clip(_WIDE_GAP / max(widest, 1e-3), *_FACTORS))


def _clips_with_curves(folders: Sequence[Path], split: str) -> Iterator[dict[str, bytes]]:
    for folder in folders:
        rows = [json.loads(line) for line in read_text(folder / MANIFEST_FILE).splitlines()]
        for shard in dict.fromkeys(row["shard"] for row in rows if row["shard"].rpartition("-")[0] == split):
            for _, members in read_samples(shard_path(folder, shard)):
                if "curves.npz" in members:
                    yield members


def _columns(prefixes: tuple[str, ...]) -> list[int]:
    return [arkit.INDEX[name] for name in arkit.SHAPES if name.startswith(prefixes)]
