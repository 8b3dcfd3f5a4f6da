"""Films of any length: how far the tracker is can be seen, and an hour takes hardly more memory than a minute."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_tracks import LANDMARKER, curves_of, track_of
from test_covered_and_cut import film, needs_films
from test_video_frames import gradient, write_video

from talker.rigs.head_mesh import HeadMesh
from talker.tracking.face_model import USED_LANDMARKS
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.take import find_face, takes_of
from talker.tracking.video import video_seconds

_BYTES_PER_FRAME = 10_000
"""Four copies of the landmarks that are used; the solver itself needs ten times that of the frames at hand."""


@needs_films
def test_every_frame_is_reported(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    write_video(tmp_path / "a.mp4", film(0)[:10])
    heard: list[float] = []
    assert find_face(tmp_path / "a.mp4", LANDMARKER, heard.append).frame_count == 10
    assert np.allclose(heard, np.arange(10) / 25)


def test_a_video_says_how_long_it_is(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", gradient(50))
    assert video_seconds(tmp_path / "a.mp4") == pytest.approx(2.0, abs=0.1)
    (tmp_path / "b.mp4").write_bytes(b"no film" * 100)
    assert video_seconds(tmp_path / "b.mp4") is None and video_seconds(tmp_path / "c.mp4") is None


def long_track(head: HeadMesh, frames: int) -> LandmarkTrack:
    """A few seconds of talk over and over."""
    opening = np.clip(0.5 * np.sin(np.arange(100) / 2), 0, 1)
    short = track_of(curves_of(100, jawOpen=opening), head, noise=0.3)
    index, again = np.array(sorted(USED_LANDMARKS)), np.arange(frames) % 100
    return replace(
        short,
        landmarks=short.landmarks[:, index][again],
        index=index,
        found=np.ones(frames, bool),
        timestamps=np.arange(frames) / short.fps,
        face_count=np.ones(frames, int),
        cuts=np.zeros(frames, bool),
    )


@pytest.mark.slow
def test_memory_hardly_grows_with_length() -> None:
    head = HeadMesh.load()
    peaks = []
    for frames in (6_000, 18_000):
        track = long_track(head, frames)
        tracemalloc.start()
        takes_of([track], head)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 12_000 * _BYTES_PER_FRAME
