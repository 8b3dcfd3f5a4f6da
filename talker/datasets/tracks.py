"""Tracked talking video as an experiment sees it: pixels without holes, and where the sound lies."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.audio import NETWORK_RATE, read_audio
from talker.tracking.landmarks import LANDMARK_COUNT, TrackSet


@dataclass(frozen=True)
class TrackedClip:
    """One talking clip.

    Attributes:
        id: Its name within the set.
        fps: Video frames per second; the sound starts with frame 0.
        points: (T, 478, 2) float32 pixels, x right and y down; points that were not kept are not-a-number. A frame
            without a face repeats the nearest one that has one.
        found: (T,) bool, whether a face was found in the frame.
        audio_path: The sound file.
    """

    id: str
    fps: float
    points: np.ndarray
    found: np.ndarray
    audio_path: Path

    def samples(self) -> np.ndarray:
        """The sound, float32 at 16 kHz."""
        return read_audio(self.audio_path).resample(NETWORK_RATE).samples


def read_tracks(folder: Path) -> Iterator[TrackedClip]:
    """The clips of a set that show a face, in the order of the file; a clip without a sound file is an error."""
    tracks = TrackSet(folder)
    for number, name in enumerate(tracks.names):
        track = tracks.track(number, sound=False)
        if not track.found.any():
            continue
        nearest = _nearest(track.found)
        points = np.full((track.frame_count, LANDMARK_COUNT, 2), np.nan, np.float32)
        points[:, track.index] = track.landmarks[nearest, :, :2]
        yield TrackedClip(name, track.fps, points, track.found, tracks.sound_path(number))


def _nearest(found: np.ndarray) -> np.ndarray:
    """(T,) for each frame the nearest one with a face."""
    with_face = np.flatnonzero(found)
    return with_face[np.abs(np.arange(len(found))[:, None] - with_face).argmin(axis=1)]
