"""Videos in, takes out: what `talker track` does for every file."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.face_model import USED_LANDMARKS
from talker.tracking.landmarker import track_video
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.solve import Solution, solve_person

_DIGITS = 3  # Of the confidence in a take's meta data.


def find_face(video: Path, landmarker: Path, on_progress: Callable[[float], None] | None = None) -> LandmarkTrack:
    """The landmarks of a video that the solver uses; a video that shows no face is an error.

    `on_progress` hears how many seconds of the video are done.
    """
    track = track_video(video, landmarker, sorted(USED_LANDMARKS), on_progress)
    if not track.found.any():
        raise TalkerError(f"{video}: no face was found in any of its {track.frame_count} frames")
    return track


def takes_of(tracks: Sequence[LandmarkTrack], head: HeadMesh, person: str | None = None) -> list[FaceAnimation]:
    """Solve the clips of one person; confidence and validity of every frame go into the meta data."""
    return [_take(track, solution, person) for track, solution in zip(tracks, solve_person(tracks, head), strict=True)]


def describe(take: FaceAnimation) -> str:
    """One line about a take that this module made."""
    tracking = take.meta["tracking"]
    parts = [
        f"{take.frame_count} frames at {take.fps:g} fps",
        f"face in {tracking['face_share']:.0%}",
        f"confidence {np.mean(tracking['confidence']):.2f}",
    ]
    if tracking["covered"] > 0:
        parts.append(f"mouth covered in {tracking['covered']:.0%}")
    if tracking["several_faces"] > 0:
        parts.append(f"several faces in {tracking['several_faces']:.0%}, one followed")
    if tracking["cuts"]:
        parts.append(f"{len(tracking['cuts'])} cuts")
    return ", ".join(parts)


def _take(track: LandmarkTrack, solution: Solution, person: str | None) -> FaceAnimation:
    track = track.uniform()
    tracking = {
        "confidence": [round(float(value), _DIGITS) for value in solution.confidence],
        "valid": [bool(value) for value in solution.valid],
        "face_share": round(float(track.found.mean()), _DIGITS),
        "covered": round(float(track.covered.mean()), _DIGITS),
        "several_faces": round(float((track.face_count > 1).mean()), _DIGITS),
        "cuts": [round(float(seconds), _DIGITS) for seconds in track.timestamps[track.cuts]],
    }
    meta = {**solution.animation.meta, "tracking": tracking} | ({"person": person} if person else {})
    return replace(solution.animation, meta=meta)
