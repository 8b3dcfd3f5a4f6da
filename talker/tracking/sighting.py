"""What the landmarker sees of each shape: the default head is drawn in every shape and looked at.

The landmarker does not report what a surface does. It flattens small movements towards faces it knows: of a brow that
goes down it sees three quarters, of a stretched mouth half, and a funnel looks different altogether. So the solver
explains landmarks by the mean of what a shape does to the mesh and what the landmarker makes of it. On stretches of
real iPhone takes, drawn and tracked, that lowered the mean error of the twenty main shapes from 0.063 to 0.055.

`python -m talker.tracking.sighting --landmarker FILE` looks again, in two minutes; do so when the head changes.
"""

import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from talker.errors import TalkerError
from talker.files import atomic_output, read_arrays
from talker.render.portrait import Camera, Portrait
from talker.resources import rigs_dir
from talker.rigs import arkit
from talker.rigs.head_mesh import LANDMARK_COUNT, HeadMesh
from talker.tracking.landmarker import find_landmarker, open_landmarker
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.pose import solve_pose

_PIXELS = 512
_WEIGHTS = (0.35, 0.7, 0.7, 0.35, 0.0)
_AJAR = (0.0, 0.25)  # Values of jawOpen at which the mouth's shapes are looked at.
_COMBINATIONS = 150
_COMING_AND_GOING = (0.4, 0.8, 1.0, 0.6)
_MOST_TOGETHER = 5
_TURNED = 0.08  # Radians, standard deviation of the head's angles meanwhile.
# Lids and lowered brows hide each other, so they are judged by combinations too: that tells the frown of eyes that shut
# a little. Of the mouth's shapes, which look like one another, combinations would teach the wrong ones.
_JUDGED_TOGETHER = ("eye", "browDown")
_SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
_UNSEEN = ("eyeLook", "cheek", "tongue")  # The irises, or nothing, tell of them.
_BLEND = 0.06  # Eye distances on either side of the middle over which a pair's movement is shared out.
_ROUNDS = 4
_RIDGE = 1e-2
_SAME_HEAD = 0.03  # Eye distances: what a touch-up of the head may change.


def sighting_file() -> Path:
    """Where the sighting of the default head is kept."""
    return rigs_dir() / "arkit" / "sighting.npz"


@lru_cache(maxsize=1)
def _kept_sighting() -> dict[str, np.ndarray] | None:
    if not sighting_file().is_file():
        return None
    return read_arrays(sighting_file(), required=("rest", "moves", "seen"))


def seen_moves(rest: np.ndarray, moves: np.ndarray) -> np.ndarray | None:
    """(52, 478, 3) eye distances: what the landmarker sees of each shape at weight 1; zeros for shapes without a trace.

    None for a head whose landmarks rest or move otherwise than those of the one that was looked at.
    """
    kept = _kept_sighting()
    if kept is None or max(np.abs(kept["rest"] - rest).max(), np.abs(kept["moves"] - moves).max()) > _SAME_HEAD:
        return None
    return kept["seen"].astype(np.float64)


def sighted_track(curves: np.ndarray, fps: float, head: HeadMesh, landmarker: Path) -> LandmarkTrack:
    """What the landmarker sees of a head that performs (T, 61) curves."""
    portrait, camera = Portrait(head), Camera.for_head(head)
    points, found = [], []
    with open_landmarker(landmarker) as detect:
        for frame, row in enumerate(curves):
            pixels = portrait.draw(head.vertices(torch.tensor(row)), camera, _PIXELS)
            faces = detect(pixels, frame).face_landmarks
            found.append(bool(faces))
            points.append([(p.x, p.y, p.z) for p in faces[0]] if faces else np.zeros((LANDMARK_COUNT, 3)))
    return LandmarkTrack(
        name="drawn",
        fps=fps,
        frame_size=(_PIXELS, _PIXELS),
        landmarks=np.array(points, np.float32) * _PIXELS,
        index=np.arange(LANDMARK_COUNT),
        found=np.array(found),
        timestamps=np.arange(len(curves)) / fps,
        face_count=np.array(found, int),
        cuts=np.zeros(len(curves), bool),
    )


def look_at_shapes(head: HeadMesh, landmarker: Path) -> np.ndarray:
    """(52, 478, 3): the least-squares slope of the landmarks in every shape's weight."""
    from talker.tracking.face_model import RIGID

    groups = list(_groups())
    alone = _poses(groups)
    curves = np.concatenate([alone, _combinations(groups)])
    seen = sighted_track(curves, 30.0, head, landmarker).points().astype(np.float64)
    if not np.isfinite(seen).all():
        raise TalkerError("the face landmarker does not see the default head in all its shapes")
    neutral = head.landmark_basis()[0]
    side = np.clip(0.5 + neutral[:, :1] / _BLEND, 0, 1)  # 1 on the subject's left, where x is positive.
    rigid = np.array([RIGID.get(landmark, 0.0) for landmark in range(LANDMARK_COUNT)])
    resting = (curves == 0).all(1)
    for _ in range(_ROUNDS):
        faces = neutral + solve_pose(seen, neutral, rigid).residual(seen, neutral, 1.0)
        neutral = faces[resting].mean(0)
    design = np.stack([curves[:, group[0]] for group in groups], 1).astype(np.float64)
    moved = (faces - neutral).reshape(len(faces), -1)
    slopes = _slopes(design[: len(alone)], moved[: len(alone)])
    mingled = [arkit.SHAPES[group[0]].startswith(_JUDGED_TOGETHER) for group in groups]
    slopes[mingled] = _slopes(design, moved)[mingled]
    deltas = np.zeros((arkit.SHAPE_COUNT, LANDMARK_COUNT, 3))
    for group, slope in zip(groups, slopes.reshape(len(groups), -1, 3), strict=True):
        for shape in group:
            share = 1.0 if len(group) == 1 else side if arkit.SHAPES[shape].endswith("Left") else 1 - side
            deltas[shape] = slope * share
    return deltas


def _slopes(design: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """(T, G) weights, (T, K) measurements -> (G, K)."""
    out: np.ndarray = np.linalg.solve(design.T @ design + _RIDGE * np.eye(design.shape[1]), design.T @ moved)
    return out


def _groups() -> Iterator[tuple[int, ...]]:
    """Shapes to look at: left and right together, because the landmarker expects symmetric faces."""
    for shape, name in enumerate(arkit.SHAPES):
        partner = arkit.INDEX[arkit.partner(name)]
        if name.startswith(_UNSEEN):
            continue
        if name in _SIDEWAYS or partner == shape:
            yield (shape,)
        elif partner > shape:
            yield (shape, partner)


def _poses(groups: list[tuple[int, ...]]) -> np.ndarray:
    """(T, 61) each group of shapes coming and going, the mouth's with the jaw closed and ajar."""
    jaw = arkit.INDEX["jawOpen"]
    rows = [np.zeros(arkit.CHANNEL_COUNT, np.float32) for _ in _WEIGHTS]
    for group in groups:
        name = arkit.SHAPES[group[0]]
        mouth = name.startswith("mouth") and name != "mouthClose"
        for ajar in _AJAR if mouth or name in _SIDEWAYS else (0.0,):
            for weight in _WEIGHTS:
                row = np.zeros(arkit.CHANNEL_COUNT, np.float32)
                row[jaw] = weight if name == "mouthClose" else ajar
                row[list(group)] = weight
                rows.append(row)
    return np.array(rows)


def _combinations(groups: list[tuple[int, ...]]) -> np.ndarray:
    """(T, 61) a few groups of shapes at a time, drawn by lot, coming and going together while the head is turned."""
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    lot = np.random.default_rng(5)
    peaks = np.zeros((_COMBINATIONS, arkit.CHANNEL_COUNT))
    for peak in peaks:
        for group in lot.choice(len(groups), lot.integers(1, _MOST_TOGETHER + 1), replace=False):
            peak[list(groups[group])] = lot.uniform(0.2, 0.9)
        peak[jaw] = max(peak[jaw], lot.choice([0.0, lot.uniform(0.05, 0.4)]))
        peak[close] = min(peak[close], peak[jaw])
    peaks[:, arkit.HEAD] = lot.normal(0.0, _TURNED, (_COMBINATIONS, 3))
    return (peaks[:, None] * np.array(_COMING_AND_GOING)[:, None]).reshape(-1, arkit.CHANNEL_COUNT).astype(np.float32)


def main(arguments: list[str]) -> None:
    """Look at the default head and keep what was seen."""
    landmarker = find_landmarker(Path(arguments[1]) if arguments[:1] == ["--landmarker"] else None)
    head = HeadMesh.load()
    rest, moves = head.landmark_basis()
    seen = look_at_shapes(head, landmarker)
    with atomic_output(sighting_file()) as path, path.open("wb") as file:
        arrays = {"rest": rest, "moves": moves, "seen": seen}
        halves = {name: array.astype(np.float16) for name, array in arrays.items()}
        np.savez_compressed(file, allow_pickle=False, **halves)


if __name__ == "__main__":
    main(sys.argv[1:])
