"""Nothing is faster than people, nothing comes late, and what meets still meets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talker.finishing.closure import gap_row
from talker.finishing.speed import SLOWED, human_speed, slow_down
from talker.rigs import arkit

JAW, CLOSE, SMILE, LID = (arkit.INDEX[n] for n in ("jawOpen", "mouthClose", "mouthSmileLeft", "eyeBlinkLeft"))


def jumps(seed: int, frames: int) -> np.ndarray:
    """Curves that jump at random."""
    random = np.random.default_rng(seed)
    keys = random.random((frames, arkit.CHANNEL_COUNT), np.float32)
    return keys[np.maximum.accumulate(np.where(random.random(frames) < 0.2, np.arange(frames), 0))]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.sampled_from([1, 12, 23.976, 25, 29.97, 50, 60, 100, 120]), st.integers(1, 200))
def test_any_curves_become_as_slow_as_people_and_stay_in_range(seed, fps, frames):
    curves = jumps(seed, frames)
    done = slow_down(curves, fps)
    speed = np.abs(np.diff(done, axis=0)).max(axis=0, initial=0) * fps
    assert (speed <= human_speed())[list(SLOWED)].all()
    assert (done >= curves.min(axis=0) - 1e-6).all() and (done <= curves.max(axis=0) + 1e-6).all()
    others = [i for i in range(arkit.CHANNEL_COUNT) if i not in SLOWED]
    assert np.array_equal(done[:, others], curves[:, others])
    np.testing.assert_allclose(slow_down(done, fps), done, atol=1e-6)
    lips, before = ((face[:, : arkit.SHAPE_COUNT] @ gap_row()) for face in (done, curves))
    assert (lips <= before + 0.03).all()  # Only shapes that hardly part lips may.


def test_what_is_slow_enough_is_left_alone():
    curves = np.zeros((100, arkit.CHANNEL_COUNT), np.float32)
    curves[:, JAW] = 0.5 - 0.5 * np.cos(np.arange(100) / 8)
    assert np.array_equal(slow_down(curves, 60), curves)
    curves[75:, JAW] = 0
    assert np.array_equal(slow_down(curves, 60, 0.0), curves)
    assert not np.array_equal(slow_down(curves, 60), curves)


def test_a_step_is_spread_to_both_sides_and_lips_and_lids_stay_shut():
    fps, curves = 60.0, np.zeros((121, arkit.CHANNEL_COUNT), np.float32)
    curves[60:, [SMILE, JAW]] = 0.6
    curves[:, CLOSE] = np.where(np.arange(121) < 60, 0.6, 0.0)
    curves[50:60, LID] = 1.0
    done = slow_down(curves, fps)
    np.testing.assert_allclose(done[:120, SMILE] + done[119::-1, SMILE], 0.6, atol=1e-3)  # As soon as before.
    assert not done[:60, JAW].any() and (done[:60, CLOSE] == pytest.approx(0.6))
    assert done[50:60, LID] == pytest.approx(1.0) and done[45:50, LID].any()
    np.testing.assert_allclose(slow_down(curves, fps, 0.5), (curves + done) / 2, atol=1e-6)
    np.testing.assert_array_equal(slow_down(curves, fps, 3.0), done)
