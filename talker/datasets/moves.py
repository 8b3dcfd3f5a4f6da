"""What a face does in a clip, at the rate and the speed that are wanted, and how much of it to trust."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE
from talker.datasets.mouth import MOUTH_MEASURES
from talker.datasets.samples import Curves
from talker.rigs import arkit


@dataclass(frozen=True, eq=False)
class Moves:
    """Curves (T, 61), `MOUTH_MEASURES` (T, 3), and how much to trust either, (T,) in [0, 1]."""

    curves: np.ndarray
    weight: np.ndarray
    mouth: np.ndarray
    mouth_weight: np.ndarray

    @classmethod
    def of_clip(cls, members: Mapping[str, bytes], fps: float, seconds: float) -> "Moves":
        """Those of a clip in a shard, by its members' names; zeros, not to be trusted, for sound alone."""
        if "curves.npz" not in members:
            nothing = np.zeros((int(seconds * fps), arkit.CHANNEL_COUNT + len(MOUTH_MEASURES) + 2), np.float32)
            curves, mouth, weight = np.split(nothing, [arkit.CHANNEL_COUNT, -2], axis=1)
            return cls(curves, weight[:, 0], mouth, weight[:, 1])
        stored = Curves.decode(members["curves.npz"])
        curves = FaceAnimation(stored.curves, stored.fps).resample(fps).curves
        place = np.arange(len(curves)) * (stored.fps / fps)
        weight = np.where(stored.valid, stored.confidence, 0.0)
        measured = np.isfinite(stored.mouth).all(1)
        mouth = _mixed(np.where(measured[:, None], stored.mouth, 0.0), place)
        mouth_weight = _worse_beside(np.where(measured, weight, 0.0), place)
        return cls(np.array(curves), _worse_beside(weight, place), mouth, mouth_weight)

    def part(self, start: int, count: int) -> "Moves":
        """Some of the frames."""
        part = slice(start, start + count)
        return Moves(self.curves[part], self.weight[part], self.mouth[part], self.mouth_weight[part])


def sped_up(samples: np.ndarray, moves: Moves, fps: float, speed: float) -> tuple[np.ndarray, Moves]:
    """Sound and face played `speed` times as fast: pitch and formants move, and closures of the lips are kept."""
    import soxr

    played = soxr.resample(samples.astype(np.float32), NETWORK_RATE * speed, NETWORK_RATE, "HQ")
    curves = np.array(FaceAnimation(moves.curves, fps).resample(fps / speed).curves)
    place = np.arange(len(curves)) * speed
    weight, mouth_weight = (_worse_beside(values, place) for values in (moves.weight, moves.mouth_weight))
    return played, Moves(curves, weight, _mixed(moves.mouth, place), mouth_weight)


def _mixed(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(T, C) between frames: at each of `place`."""
    low = np.minimum(place.astype(int), len(values) - 1)
    high = np.minimum(low + 1, len(values) - 1)
    share = np.clip(place - low, 0, 1)[:, None].astype(np.float32)
    return (values[low] * (1 - share) + values[high] * share).astype(np.float32)


def _worse_beside(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(T,) the smaller value of the two frames that each of `place` lies between."""
    low = np.minimum(place.astype(int), len(values) - 1)
    high = np.minimum(np.ceil(place).astype(int), len(values) - 1)
    return np.minimum(values[low], values[high]).astype(np.float32)
