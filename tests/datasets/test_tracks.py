"""Tracks without holes."""

import numpy as np
import pytest

from talker.audio import Audio, write_wav
from talker.datasets.tracks import read_tracks
from talker.tracking.landmarks import LANDMARK_COUNT


def test_a_frame_without_a_face_repeats_its_neighbour(tmp_path):
    frames = 20
    places = np.zeros((frames, 2, 3), np.int16)
    places[:, :, 0] = 100 * np.arange(1, frames + 1)[:, None]
    found = np.ones(frames, bool)
    found[10:12] = False
    (tmp_path / "audio").mkdir()
    write_wav(Audio(np.zeros(12_800, np.float32), 16_000), tmp_path / "audio" / "c0.wav")
    np.savez(
        tmp_path / "tracks.npz",
        ids=np.array(["c0"]),
        fps=np.array([25.0]),
        frame_size=np.array([[400, 400]]),
        start=np.array([0, frames]),
        landmark_steps=np.diff(places, axis=0, prepend=np.zeros_like(places[:1])),
        landmark_index=np.array([13, 14]),
        blendshapes=np.zeros((frames, 1), np.uint16),
        blendshape_names=np.array(["jawOpen"]),
        found=found,
    )
    (clip,) = read_tracks(tmp_path)
    x = clip.points[:, 13, 0]
    assert x[10] == x[9] and x[11] == x[12] and len(np.unique(x)) == frames - 2
    assert x[0] == pytest.approx(100 / 16_384 * 400)
    assert clip.points.shape == (frames, LANDMARK_COUNT, 2) and np.isnan(clip.points[:, 0]).all()
    np.testing.assert_array_equal(clip.found, found)
    assert len(clip.samples()) == 12_800
