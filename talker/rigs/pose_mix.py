"""Faces as mixtures of a few named poses: mixing them, and finding the mixture nearest to a face."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.rigs import arkit

_STEPS = 120  # Of the accelerated projected gradient: weights are then within 0.01 of the optimum on real takes.
_RIDGE = 1e-3  # Keeps poses that look alike from taking turns between frames.
_BLOCK_FRAMES = 1 << 15  # Bounds the memory of an hour-long take.

# How much a shape says about the pose. Jaw and rounding are speech; wide lips and dimples are as often mood or habit.
_SAYS = {"jawOpen": 1.6, "mouthFunnel": 1.2, "mouthPucker": 1.2, "tongueOut": 1.2}
_SAYS |= {"mouthSmile": 0.6, "mouthDimple": 0.6, "mouthStretch": 0.7}


@dataclass(frozen=True)
class PoseMix:
    """A set of named poses.

    Attributes:
        names: (N,) names of the poses.
        poses: (N, 52) ARKit weights at full strength.
        notes: (N,) what each pose is, in words.
        groups: Indices of poses that share at most the weight 1; poses of different groups add up.
    """

    names: tuple[str, ...]
    poses: np.ndarray
    notes: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]

    @classmethod
    def read(cls, path: Path, groups: Sequence[Sequence[str]]) -> "PoseMix":
        """Read a table of `pose,shape,weight,why`; a shape without a side stands for both."""
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = tuple(dict.fromkeys(row["pose"] for row in rows))
        poses = np.zeros((len(names), arkit.SHAPE_COUNT))
        for row in rows:
            shape = row["shape"]
            sides = [shape] if shape in arkit.INDEX else [f"{shape}Left", f"{shape}Right"]
            poses[names.index(row["pose"]), [arkit.INDEX[side] for side in sides]] = float(row["weight"])
        notes = tuple(next(row["why"] for row in rows if row["pose"] == name) for name in names)
        return cls(names, poses, notes, tuple(tuple(names.index(name) for name in group) for group in groups))

    def recipe(self, name: str) -> str:
        """A pose in words: `jawOpen 0.42 + mouthFunnel 0.55`; a shape without a side stands for both."""
        pose = self.poses[self.names.index(name)]
        parts = {_stem(arkit.SHAPES[i]): f"{_stem(arkit.SHAPES[i])} {pose[i]:.2f}" for i in np.flatnonzero(pose)}
        return " + ".join(parts.values())

    def mix(self, weights: np.ndarray) -> np.ndarray:
        """The face of a mixture. (T, N) weights -> (T, 61) curves."""
        curves = np.zeros((len(weights), arkit.CHANNEL_COUNT), np.float32)
        curves[:, : arkit.SHAPE_COUNT] = np.clip(weights @ self.poses, 0.0, 1.0)
        return curves

    def unmix(self, curves: np.ndarray) -> np.ndarray:
        """The mixture nearest to a face, by bounded least squares. (T, 61) -> (T, N), at most 1 in each group.

        `mouthClose` counts as what it does, an undone `jawOpen`; shapes that no pose uses do not count.
        """
        basis = self._features(self.poses)
        gram = basis @ basis.T + _RIDGE * np.eye(len(basis))
        blocks = [
            self._solve(gram, self._features(curves[start : start + _BLOCK_FRAMES, : arkit.SHAPE_COUNT]) @ basis.T)
            for start in range(0, len(curves), _BLOCK_FRAMES)
        ]
        return np.concatenate(blocks).astype(np.float32)

    def _features(self, shapes: np.ndarray) -> np.ndarray:
        features = shapes.astype(np.float64)
        features[:, arkit.INDEX["jawOpen"]] = arkit.lip_aperture(features)
        features[:, arkit.INDEX["mouthClose"]] = 0.0
        return features * _FEATURE_STRENGTH

    def _solve(self, gram: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Minimise w G w / 2 - w t for each row t by accelerated projected gradient (FISTA)."""
        step = 1.0 / np.linalg.eigvalsh(gram)[-1]
        weights = ahead = np.zeros_like(target)
        momentum = 1.0
        for _ in range(_STEPS):
            following = self._feasible(ahead - step * (ahead @ gram - target))
            next_momentum = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
            ahead = following + (momentum - 1.0) / next_momentum * (following - weights)
            weights, momentum = following, next_momentum
        return weights

    def _feasible(self, weights: np.ndarray) -> np.ndarray:
        out = np.maximum(weights, 0.0)
        for group in self.groups:
            columns = np.array(group)
            over = np.flatnonzero(out[:, columns].sum(axis=1) > 1.0)
            if len(over):
                out[np.ix_(over, columns)] = _nearest_on_simplex(weights[np.ix_(over, columns)])
        return out


def _nearest_on_simplex(rows: np.ndarray) -> np.ndarray:
    """The nearest rows that are non-negative and sum to 1: subtract one number per row and cut at 0.

    Held, Wolfe and Crowder (1974), doi.org/10.1007/BF01580223.
    """
    falling = -np.sort(-rows, axis=1)
    excess = (np.cumsum(falling, axis=1) - 1.0) / np.arange(1, rows.shape[1] + 1)
    last = (falling > excess).sum(axis=1) - 1
    return np.maximum(rows - excess[np.arange(len(rows)), last][:, None], 0.0)


def _stem(shape: str) -> str:
    return shape.removesuffix("Left").removesuffix("Right")


_FEATURE_STRENGTH = np.array([_SAYS.get(_stem(shape), 1.0) for shape in arkit.SHAPES])
