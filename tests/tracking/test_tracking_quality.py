"""The figures of the tracker on real people; `python -m talker.evaluation.tracking` prints them in full."""

import numpy as np
import pytest
from drawn_tracks import LANDMARKER, SHARED

from talker.evaluation.round_trip import MAIN_SHAPES, errors, performances
from talker.evaluation.tracking import evaluate_set, summary
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.sighting import seen_moves, sighted_track

DATA = SHARED / "data"
needs_data = pytest.mark.skipif(not (DATA / "grid_s1/tracks.npz").is_file(), reason="no ../shared/data")


@needs_data
def test_a_few_clips_of_grid() -> None:
    figures, _, speed = evaluate_set(DATA / "grid_s1", HeadMesh.load(), 60)
    result = summary(figures)
    assert result["gap_r"] >= 0.98 and result["width_r"] >= 0.93 and result["chin_r"] >= 0.93
    assert result["touching_f1"] >= 0.95 and result["touching_share"] > 0.2
    assert result["silence_jitter"] < 0.003
    assert speed > 250  # On one core that others use as well.


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("name", "gap"), [("grid_s1", 0.98), ("javanese", 0.97), ("first_impressions", 0.97)])
def test_whole_sets(name: str, gap: float) -> None:
    figures, _, _ = evaluate_set(DATA / name, HeadMesh.load())
    result = summary(figures)
    assert result["gap_r"] >= gap and result["width_r"] >= 0.93 and result["touching_f1"] >= 0.95


@pytest.mark.slow
@pytest.mark.skipif(not LANDMARKER.is_file(), reason="no ../shared/models/face_landmarker.task")
@pytest.mark.skipif(not (DATA / "livelink_takes").is_dir(), reason="no ../shared/data/livelink_takes")
def test_round_trip() -> None:
    pytest.importorskip("mediapipe")
    head = HeadMesh.load()
    curves = performances(DATA / "livelink_takes")
    found = errors(curves, sighted_track(curves, 30.0, head, LANDMARKER), head)
    assert np.mean([found[name][0] for name in MAIN_SHAPES]) < 0.065
    for name in ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browDownLeft", "browDownRight", "eyeBlinkLeft"):
        assert found[name][0] < 0.09 and found[name][1] > 0.8, name


def test_the_sighting_belongs_to_the_head() -> None:
    """When the head's shapes have changed: `python -m talker.tracking.sighting --landmarker FILE`."""
    assert seen_moves(*HeadMesh.load().landmark_basis()) is not None
