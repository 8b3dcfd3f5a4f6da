"""A mood may do with the lips as it likes, but not where speech shuts them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from talker.evaluation.metrics import CLOSED, PARTED, closures
from talker.finishing.closure import gap_row
from talker.finishing.kept import KEPT, keep_closures
from talker.rigs import arkit

FPS = 60.0


def gap(curves: np.ndarray) -> np.ndarray:
    return np.maximum(curves[:, : arkit.SHAPE_COUNT] @ gap_row(), 0.0)


def talk(seconds: float, seed: int = 0) -> np.ndarray:
    """A jaw that opens differently far and shuts in between."""
    random, times = np.random.default_rng(seed), np.arange(round(seconds * FPS)) / FPS
    curves = np.zeros((len(times), arkit.CHANNEL_COUNT), np.float32)
    wide = np.interp(
        times, np.arange(0, seconds + 1, 0.3), 0.15 + 0.3 * random.random(len(np.arange(0, seconds + 1, 0.3)))
    )
    curves[:, arkit.INDEX["jawOpen"]] = wide * np.abs(np.sin(np.pi * 4.1 * times))
    return curves


def moods(curves: np.ndarray, seed: int) -> np.ndarray:
    """Any face on top of it."""
    random = np.random.default_rng(seed)
    times = np.arange(len(curves))[:, None] / FPS
    waves = np.sin(times * random.uniform(1, 20, arkit.CHANNEL_COUNT) + random.uniform(0, 6, arkit.CHANNEL_COUNT))
    return np.clip(curves + 0.4 * waves * random.random(arkit.CHANNEL_COUNT), 0, 1).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999), st.floats(0, 3))
def test_any_mood_keeps_the_closures_and_owns_the_lips_only(seed, amount):
    said = talk(4, seed)
    felt = moods(said, seed)
    done = keep_closures(felt, said, amount)
    assert np.isfinite(done).all() and done.min() >= -1e-6 and done.max() <= 1 + 1e-6
    assert set(np.flatnonzero((done != felt).any(axis=0))) <= set(KEPT)
    if amount >= 1:
        open_enough = felt[:, arkit.INDEX["jawOpen"]] < 0.9  # A jaw at its widest cannot part pressed lips further.
        assert (gap(done)[gap(said) <= CLOSED] <= CLOSED + 1e-4).all()
        assert (gap(done)[(gap(said) > PARTED + 0.005) & open_enough] > PARTED).all()


def test_closures_stay_in_their_frames_under_bared_teeth_and_pressed_lips():
    said = talk(6)
    shut = closures(gap(said), np.ones(len(said), bool), FPS)
    assert len(shut) > 10
    for shapes in (
        {"mouthUpperUp": 0.6, "mouthLowerDown": 0.6, "jawOpen": 0.15},
        {"mouthPress": 0.7, "mouthShrugLower": 0.8},
    ):
        felt = said.copy()
        for channel in (i for i, name in enumerate(arkit.SHAPES) if name.startswith(tuple(shapes))):
            felt[:, channel] += next(much for stem, much in shapes.items() if arkit.SHAPES[channel].startswith(stem))
        everywhere = np.ones(len(said), bool)
        assert not np.array_equal(closures(gap(felt), everywhere, FPS), shut)
        assert np.array_equal(closures(gap(keep_closures(felt, said)), everywhere, FPS), shut)


def test_a_mood_that_moves_no_closure_is_left_alone():
    said = talk(4)
    felt = said.copy()
    felt[:, arkit.INDEX["browInnerUp"]] = 0.8
    felt[:, arkit.INDEX["jawOpen"]] += 0.1 * (gap(said) > 0.08)
    assert np.array_equal(keep_closures(felt, said), felt)
    assert np.array_equal(keep_closures(moods(said, 1), said, 0.0), moods(said, 1))
