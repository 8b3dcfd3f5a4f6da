"""`RigFit`: ARKit curves to the expression and jaw of a FLAME or SMPL-X model and back, an hour in seconds."""

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from talker.errors import TalkerError
from talker.files import read_arrays
from talker.rigs import arkit
from talker.rigs.fitting.correspondence import SKIN_LANDMARKS
from talker.rigs.fitting.face_points import FacePoints
from talker.rigs.landmark_numbers import INNER_LIPS_LOWER, INNER_LIPS_UPPER, LIPS

VERSION = "talker fit 1"
LOOK_SHAPES = tuple(name for name in arkit.SHAPES if name.startswith("eyeLook"))

# Metres of error that are worth one standard deviation of an expression component.
_LIP_SLACK, _FACE_SLACK, _GAP_SLACK = 0.0004, 0.0015, 0.0001
EXPRESSION_LIMIT = 6.0
"""Standard deviations; beyond them a model shows faces nobody has."""
JAW_LIMIT = 0.7
"""Radians about any axis."""

_HALF_OPEN = 0.15  # Radians; where the face is linearised, between shut and wide open.
_STEPS = 2  # More move no lip landmark of real takes by as much as 0.02 mm.
_CHUNK_FRAMES = 1024

# Going back to ARKit: what a whole weight may cost in misfit, in the units above, and how closely the jaw must agree.
_WEIGHT_COST = 0.5
_JAW_AGREEMENT = 0.01  # Radians.
_SWEEPS, _SETTLED = 100, 3e-4  # At most so many rounds, or until no weight moves further than this.


@dataclass(frozen=True, eq=False)
class RigFit:
    """A model fitted to our head: enough of both to convert without either file.

    Attributes:
        kind: "flame" or "smplx".
        basis: Names the model's expression basis; two files of the same model share it.
        scale, rotation: (3, 3); our displacements times these are the model's.
        motions: (52, N, 3) what each shape does to our landmarks at weight 1, metres.
        expression: (52, E) the expression of each shape beyond what the jaw does.
        jaw: (52, 3) its jaw, axis-angle.
        points: The same landmarks on the model.
        error: (52, N) how far each landmark is off at weight 1, metres, on the model.
    """

    kind: str
    basis: str
    scale: float
    rotation: np.ndarray
    motions: np.ndarray
    expression: np.ndarray
    jaw: np.ndarray
    points: FacePoints
    error: np.ndarray

    def poses(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(T, 52) ARKit weights -> (T, E) expression and (T, 3) jaw axis-angle."""
        chunks = [
            self._poses(weights[start : start + _CHUNK_FRAMES]) for start in range(0, len(weights), _CHUNK_FRAMES)
        ]
        expression, jaw = zip(*chunks, strict=True)
        return np.concatenate(expression), np.concatenate(jaw)

    def weights(self, expression: np.ndarray, jaw: np.ndarray, looks: np.ndarray) -> np.ndarray:
        """(T, E), (T, 3) and the (T, 8) known weights of `LOOK_SHAPES` -> (T, 52) ARKit weights in 0..1."""
        chunks = [
            self._weights(*(part[start : start + _CHUNK_FRAMES] for part in (expression, jaw, looks)))
            for start in range(0, len(expression), _CHUNK_FRAMES)
        ]
        return np.concatenate(chunks)

    def report(self) -> list[dict[str, str | float]]:
        """How far the model's landmarks are off at weight 1 of each shape, millimetres, as rows of a table."""
        rows = [self._report_row(name, error[None]) for name, error in zip(arkit.SHAPES, self.error, strict=True)]
        return [*rows, self._report_row("all", self.error)]

    def _report_row(self, name: str, error: np.ndarray) -> dict[str, str | float]:
        lips = error[:, list(LIPS)]
        figures = {
            "mean": error.mean(),
            "95 %": np.quantile(error, 0.95),
            "lips": lips.mean(),
            "lips 95 %": np.quantile(lips, 0.95),
        }
        return {"shape": name, **{f"{title} mm": round(1000 * float(value), 2) for title, value in figures.items()}}

    def wanted(self, weights: Tensor) -> Tensor:
        """(T, 52) weights -> (T, N, 3) where the landmarks of the model should be."""
        moved = (weights @ self._motions.flatten(1)).unflatten(-1, (-1, 3))
        return self.points.rest + moved

    def _poses(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sum of the shapes' poses, corrected: an open jaw turns the lips, so shapes do not simply add up."""
        given = torch.from_numpy(np.ascontiguousarray(weights, np.float32))
        jaw = (given @ torch.from_numpy(self.jaw).float()).clamp(-JAW_LIMIT, JAW_LIMIT)
        start = given @ torch.from_numpy(self.expression).float()
        wanted, expression = self.wanted(given), start
        gain, hold = self._expression_gain
        for _ in range(_STEPS):
            missing = (wanted - self.points(expression, jaw)).flatten(1)
            expression = expression + missing @ gain.T - (expression - start) @ hold.T
        return expression.clamp(-EXPRESSION_LIMIT, EXPRESSION_LIMIT).numpy(), jaw.numpy()

    def _weights(self, expression: np.ndarray, jaw: np.ndarray, looks: np.ndarray) -> np.ndarray:
        poses = [torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in (expression, jaw)]
        moved = (self.points(*poses) - self.points.rest).flatten(1).double().numpy()
        slope = self._motions.flatten(1).double().numpy().T
        metric = landmark_metric()
        turn = self.jaw / _JAW_AGREEMENT
        system = slope.T @ (metric @ slope) + turn @ turn.T + _WEIGHT_COST * np.eye(arkit.SHAPE_COUNT)
        right = moved @ (metric @ slope) + jaw @ turn.T / _JAW_AGREEMENT
        low, high = np.zeros((len(moved), arkit.SHAPE_COUNT)), np.ones((len(moved), arkit.SHAPE_COUNT))
        known = [arkit.INDEX[name] for name in LOOK_SHAPES]
        low[:, known] = high[:, known] = looks
        return bounded_solution(system, right, low, high)

    @cached_property
    def _motions(self) -> Tensor:
        return torch.from_numpy(self.scale * self.motions @ self.rotation.T).float()

    @cached_property
    def _expression_gain(self) -> tuple[Tensor, Tensor]:
        """(E, 3 N) landmark error -> expression correction, and (E, E) how firmly the start is held."""
        slope = self.points.expression_slope(torch.tensor([_HALF_OPEN, 0.0, 0.0]))
        metric = landmark_metric()
        inverse = np.linalg.inv(slope.T @ (metric @ slope) + np.eye(slope.shape[1]))
        return torch.from_numpy(inverse @ (metric @ slope).T).float(), torch.from_numpy(inverse).float()

    def save(self, path: Path) -> None:
        """Write what `load` reads."""
        arrays: dict[str, Any] = {
            field.name: getattr(self, field.name) for field in fields(self) if field.name != "points"
        }
        arrays |= {f"points_{field.name}": getattr(self.points, field.name).numpy() for field in fields(FacePoints)}
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, fit=np.array(VERSION), **arrays)

    @classmethod
    def load(cls, path: Path) -> "RigFit":
        """Read a fit; another version's is an error."""
        point_names = [f"points_{field.name}" for field in fields(FacePoints)]
        own_names = [field.name for field in fields(cls) if field.name != "points"]
        arrays = read_arrays(path, required=("fit", *own_names, *point_names))
        if str(arrays["fit"]) != VERSION:
            raise TalkerError(f"{path}: was fitted by another version of talker; fit the model again")
        points = FacePoints(*(torch.from_numpy(arrays[name]) for name in point_names))
        plain: dict[str, Any] = {name: arrays[name] for name in own_names}
        plain |= {"kind": str(plain["kind"]), "basis": str(plain["basis"]), "scale": float(plain["scale"])}
        return cls(points=points, **plain)


@lru_cache(maxsize=1)
def landmark_metric() -> sparse.csr_matrix:
    """(3 N, 3 N) the cost of landmark errors: lips count more than the rest, and the gap between them most."""
    per_point = np.full(SKIN_LANDMARKS, _FACE_SLACK**-2)
    per_point[list(LIPS)] = _LIP_SLACK**-2
    gaps = sparse.lil_matrix((len(INNER_LIPS_UPPER), SKIN_LANDMARKS))
    for row, (upper, lower) in enumerate(zip(INNER_LIPS_UPPER, INNER_LIPS_LOWER, strict=True)):
        gaps[row, upper], gaps[row, lower] = 1 / _GAP_SLACK, -1 / _GAP_SLACK
    gaps = gaps.tocsr()
    return sparse.kron(sparse.diags(per_point) + gaps.T @ gaps, np.eye(3), format="csr")


def bounded_solution(system: np.ndarray, right: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Minimise x·system·x / 2 - right·x within bounds, for every row of (T, K) `right`: cyclic coordinate descent."""
    free = np.linalg.solve(system, right.T)  # From here on (K, T): one unknown of all frames lies together in memory.
    low, high = np.ascontiguousarray(low.T), np.ascontiguousarray(high.T)
    solution = np.clip(free, low, high)
    if (solution == free).all():
        return solution.T
    slope = system @ solution - right.T
    for _ in range(_SWEEPS):
        furthest = 0.0
        for k in range(len(system)):
            step = np.clip(solution[k] - slope[k] / system[k, k], low[k], high[k]) - solution[k]
            solution[k] += step
            slope += system[k][:, None] * step
            furthest = max(furthest, float(np.abs(step).max()))
        if furthest < _SETTLED:
            break
    return solution.T
