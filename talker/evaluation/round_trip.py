"""Curves -> drawn head -> landmarker -> solve: does the tracker give back what was performed?

`python -m talker.evaluation.round_trip TAKE... --landmarker FILE` draws stretches of real performances on the default
head, tracks the pictures like any video and compares the curves.
"""

from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.sighting import sighted_track
from talker.tracking.solve import solve_person

MAIN_SHAPES: tuple[str, ...] = (
    *("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "browInnerUp", "mouthRollLower"),
    *(
        f"{stem}{side}"
        for stem in ("mouthSmile", "mouthFrown", "mouthStretch", "mouthUpperUp", "mouthLowerDown", "browDown", "eyeBlink")
        for side in ("Left", "Right")
    ),
)
"""The twenty shapes that carry speech and emotion."""

_REST_FRAMES = 25
_BASELINE_PERCENTILE = 10  # What a recording shows nearly all the time is the performer's face, not a performance.


def performance(take: FaceAnimation, start: int, count: int) -> np.ndarray:
    """(count, 61) a stretch of a recording relative to its own resting face, at gaze and head as recorded."""
    shapes = take.curves.copy()
    weights = shapes[:, : arkit.SHAPE_COUNT]
    baseline = np.percentile(weights, _BASELINE_PERCENTILE, axis=0)
    shapes[:, : arkit.SHAPE_COUNT] = np.clip((weights - baseline) / (1 - baseline), 0, 1)
    shapes[:, arkit.SHAPE_COUNT :] -= np.median(shapes[:, arkit.SHAPE_COUNT :], 0)
    return arkit.looks_from_eye_angles(shapes[start : start + count])


def film_of(curves: np.ndarray) -> np.ndarray:
    """(T, 61) preceded by a moment of rest."""
    return np.concatenate([np.zeros((_REST_FRAMES, arkit.CHANNEL_COUNT), np.float32), curves])


def errors(curves: np.ndarray, track: LandmarkTrack, head: HeadMesh) -> dict[str, tuple[float, float, float]]:
    """Per main shape: mean absolute error, correlation, and how much it moved (standard deviation)."""
    resting = np.arange(len(curves)) < _REST_FRAMES
    solved = solve_person([track], head, [resting])[0].animation.curves
    out = {}
    for name in (*MAIN_SHAPES, *arkit.ANGLES):
        wanted, got = curves[:, arkit.INDEX[name]], solved[:, arkit.INDEX[name]]
        together = np.corrcoef(wanted, got)[0, 1] if wanted.std() > 0 and got.std() > 0 else np.nan
        out[name] = (float(np.abs(wanted - got).mean()), float(together), float(wanted.std()))
    return out
