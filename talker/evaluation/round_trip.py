"""Does the tracker give back what a head performs? Curves -> drawn head -> landmarker -> solve -> curves.

`python -m talker.evaluation.round_trip --data DIR --landmarker FILE` draws stretches of real iPhone performances on the
default head, tracks the pictures like any video and compares the curves.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.cli.program import run_program
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.landmarker import find_landmarker
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.sighting import sighted_track
from talker.tracking.solve import solve_person

MAIN_SHAPES: tuple[str, ...] = (
    *("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "browInnerUp", "mouthRollLower"),
    *(
        f"{stem}{side}"
        for stem in (
            "mouthSmile",
            "mouthFrown",
            "mouthStretch",
            "mouthUpperUp",
            "mouthLowerDown",
            "browDown",
            "eyeBlink",
        )
        for side in ("Left", "Right")
    ),
)
"""The twenty shapes that carry speech and emotion."""

STRETCHES: tuple[tuple[str, int, int], ...] = (
    ("apfel", 600, 110),
    ("alex_rom_3", 400, 100),
    ("alex_rom_3", 2000, 100),
    ("alex_rom_4", 1500, 100),
    ("S88-001", 300, 80),
)
"""Recording, first frame and number of frames: speech, and range-of-motion takes that go to the limits."""

_FPS = 30.0
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


def performances(folder: Path, stretches: Sequence[tuple[str, int, int]] = STRETCHES) -> np.ndarray:
    """(T, 61) stretches of the recordings in a folder one after another, after a moment of rest."""
    rest = np.zeros((_REST_FRAMES, arkit.CHANNEL_COUNT), np.float32)
    takes = [performance(FaceAnimation.load(folder / f"{name}.csv"), start, n) for name, start, n in stretches]
    return np.concatenate([rest, *takes])


def errors(curves: np.ndarray, track: LandmarkTrack, head: HeadMesh) -> dict[str, tuple[float, float, float]]:
    """Per main shape and angle: mean absolute error, correlation, and how much it moved (standard deviation)."""
    resting = np.arange(len(curves)) < _REST_FRAMES
    solved = solve_person([track], head, [resting])[0].animation.curves
    out = {}
    for name in (*MAIN_SHAPES, *arkit.ANGLES):
        wanted, got = curves[:, arkit.INDEX[name]], solved[:, arkit.INDEX[name]]
        together = np.corrcoef(wanted, got)[0, 1] if wanted.std() > 0 and got.std() > 0 else np.nan
        out[name] = (float(np.abs(wanted - got).mean()), float(together), float(wanted.std()))
    return out


@dataclass(frozen=True)
class RoundTrip:
    """Measure how well drawn performances are tracked."""

    data: Path
    """Folder that holds livelink_takes."""
    landmarker: Path | None = None
    """MediaPipe's face_landmarker.task; $TALKER_LANDMARKER when not given."""

    def run(self) -> None:
        """Print the error of every main shape."""
        head = HeadMesh.load()
        curves = performances(self.data / "livelink_takes")
        track = sighted_track(curves, _FPS, head, find_landmarker(self.landmarker))
        found = errors(curves, track, head)
        for name, (error, together, spread) in found.items():
            print(f"{name:20} error {error:.3f}  r {together:5.2f}  moved {spread:.2f}")  # noqa: T201
        print(f"mean of the main shapes {np.mean([found[name][0] for name in MAIN_SHAPES]):.3f}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(run_program(RoundTrip))
