"""Performances: speech stays speech under every emotion, and every emotion shows, the more the stronger it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talker.direction.acting import parted, perform
from talker.emotion import EMOTIONS
from talker.rigs import arkit
from talker.rigs.lips import Lips

_FPS = 50
_ACTED = [label for label in EMOTIONS if label != "neutral"]
_INDEX = arkit.INDEX


def speech(seconds: float = 4.0) -> np.ndarray:
    """Syllables of all sizes with lips that meet between some of them, and a rounded vowel at the end."""
    time = np.arange(round(seconds * _FPS)) / _FPS
    syllables = np.clip(np.sin(2 * np.pi * 2.3 * time), 0, 1) * (0.5 + 0.5 * np.sin(2 * np.pi * 0.4 * time))
    curves = np.zeros((len(time), 61), np.float32)
    curves[:, _INDEX["jawOpen"]] = 0.1 + 0.35 * syllables
    curves[:, _INDEX["mouthClose"]] = 0.1 * (1 - syllables)
    for side in ("Left", "Right"):
        curves[:, _INDEX[f"mouthLowerDown{side}"]] = 0.3 * syllables
        curves[:, _INDEX[f"mouthUpperUp{side}"]] = 0.2 * syllables
    curves[-_FPS:, _INDEX["mouthPucker"]] = 0.6
    return curves


def strengths(label: str, intensity: float, frames: int) -> np.ndarray:
    out = np.zeros((frames, len(EMOTIONS)), np.float32)
    out[:, 0] = 1 - intensity
    out[:, EMOTIONS.index(label)] += intensity
    return out


def measures(curves: np.ndarray) -> np.ndarray:
    return curves[..., : arkit.SHAPE_COUNT] @ Lips.of_default_head().rows.numpy()


def performed(label: str, intensity: float = 1.0) -> np.ndarray:
    curves = speech()
    return perform(curves, strengths(label, intensity, len(curves)))


def test_neutral_changes_nothing() -> None:
    curves = np.random.default_rng(0).uniform(0, 1, (80, 61)).astype(np.float32)
    effort = np.linspace(0, 1, 80)
    assert np.allclose(perform(curves, strengths("neutral", 0, 80), effort, seed=1), curves, atol=1e-6)


@pytest.mark.parametrize("label", _ACTED)
@pytest.mark.parametrize("seed", [None, 3])
def test_lips_move_with_the_speech_and_meet_where_it_says(label: str, seed: int | None) -> None:
    curves = speech()
    acted = perform(curves, strengths(label, 1.0, len(curves)), seed=seed)
    gap, usual = measures(acted)[:, 0], measures(curves)[:, 0]
    assert np.corrcoef(gap, usual)[0, 1] > 0.95
    shut = usual < 0.004
    assert shut.sum() > 20 and gap[shut].max() < 0.008


@pytest.mark.parametrize("label", _ACTED)
def test_more_intensity_moves_every_shape_further_the_same_way(label: str) -> None:
    curves = speech()
    change = np.stack([performed(label, level) - curves for level in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)])
    upper = [i for i, name in enumerate(arkit.SHAPES) if not name.startswith(("jaw", "mouth"))]
    assert (np.diff(np.abs(change[..., upper]), axis=0) > -1e-5).all()
    sizes = np.linalg.norm(change, axis=(1, 2))
    assert (np.diff(sizes) > 0).all()
    third = np.linalg.norm(performed(label, 1 / 3) - curves)
    assert 0.4 < third / sizes[-1] < 0.7  # Clearly seen at a third, with something left to grow.


def test_each_emotion_does_what_it_is_known_by() -> None:
    curves = speech()
    change = {label: (performed(label) - curves).mean(0) for label in _ACTED}
    strongest = {
        shape: max(_ACTED, key=lambda label, shape=shape: change[label][_INDEX[shape]])
        for shape in ("mouthSmileLeft", "cheekSquintLeft", "eyeBlinkLeft", "browOuterUpLeft", "noseSneerLeft")
    }
    assert strongest == {
        **{"mouthSmileLeft": "happy", "cheekSquintLeft": "happy", "eyeBlinkLeft": "sad"},
        **{"browOuterUpLeft": "surprised", "noseSneerLeft": "disgusted"},
    }
    assert change["angry"][_INDEX["browDownLeft"]] > 0.7
    assert change["contempt"][_INDEX["mouthSmileRight"]] > change["contempt"][_INDEX["mouthSmileLeft"]] + 0.2


def test_a_rounded_vowel_stays_narrower_than_the_open_ones_in_a_smile() -> None:
    width = measures(performed("happy"))[:, 1]
    neutral_width = measures(speech())[:, 1]
    assert width[-_FPS:].mean() < width[:-_FPS].mean() - 0.6 * (
        neutral_width[:-_FPS].mean() - neutral_width[-_FPS:].mean()
    )


def test_effort_and_emphasis_show_in_the_upper_face_only() -> None:
    curves = speech()
    angry = strengths("angry", 0.4, len(curves))
    whispered, shouted = (perform(curves, angry, np.full(len(curves), effort)) for effort in (0.1, 0.9))
    brow, sneer = _INDEX["browDownLeft"], _INDEX["mouthFrownLeft"]
    assert shouted[:, brow].mean() > 1.3 * whispered[:, brow].mean()
    assert np.allclose(shouted[:, sneer], whispered[:, sneer])
    gap = measures(curves)[:, 0]
    steady = perform(curves, angry)[:, brow]
    assert steady[gap > 0.1].mean() > steady[gap < 0.02].mean()


def test_opposites_do_not_pull_at_full_strength() -> None:
    curves = np.zeros((50, 52), np.float32)
    both = np.zeros((50, len(EMOTIONS)), np.float32)
    both[:, [EMOTIONS.index("happy"), EMOTIONS.index("sad")]] = 0.5
    mixed = perform(curves, both).mean(0)
    pair = mixed[_INDEX["mouthSmileLeft"]], mixed[_INDEX["mouthFrownLeft"]]
    assert min(pair) < 0.12


def test_a_change_of_mood_takes_a_moment_and_surprise_the_shortest() -> None:
    curves, step = np.zeros((100, 52), np.float32), 50
    reached = {}
    for label, shape in (("surprised", "browOuterUpLeft"), ("sad", "browInnerUp")):
        share = strengths("neutral", 0, 100)
        share[step:] = strengths(label, 1.0, 100)[step:]
        brow = perform(curves, share)[:, _INDEX[shape]]
        assert brow[step - 1] == 0 and np.abs(np.diff(brow)).max() < 0.35 * brow[-1]
        reached[label] = int(np.argmax(brow > 0.8 * brow[-1])) - step
    assert 1 <= reached["surprised"] < reached["sad"] <= 40


def test_blinks_close_wide_eyes() -> None:
    curves = np.zeros((20, 52), np.float32)
    curves[:, [_INDEX["eyeBlinkLeft"], _INDEX["eyeBlinkRight"]]] = 1.0
    acted = perform(curves, strengths("surprised", 1.0, 20))
    assert acted[:, _INDEX["eyeWideLeft"]].max() < 1e-6 and acted[:, _INDEX["eyeBlinkLeft"]].min() == 1.0


def test_the_same_seed_is_the_same_face_and_another_is_not() -> None:
    curves = speech()
    share = strengths("angry", 0.8, len(curves))
    one, again, other, steady = (perform(curves, share, seed=seed) for seed in (5, 5, 6, None))
    assert np.array_equal(one, again)
    assert np.abs(one - other).max() > 0.01 and np.abs(one - steady).max() > 0.01


def test_a_batch_is_its_members() -> None:
    curves = np.stack([speech(), np.zeros_like(speech())])
    share = np.stack([strengths("fear", 0.7, curves.shape[1]), strengths("happy", 1.0, curves.shape[1])])
    assert np.allclose(perform(curves, share), np.stack([perform(c, s) for c, s in zip(curves, share, strict=True)]))


def test_angles_pass_through() -> None:
    curves = speech()
    curves[:, arkit.SHAPE_COUNT :] = np.linspace(-1, 1, 9)
    acted = perform(curves, strengths("angry", 1.0, len(curves)))
    assert np.array_equal(acted[:, arkit.SHAPE_COUNT :], curves[:, arkit.SHAPE_COUNT :])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.booleans(), st.sampled_from([0.2, 1.0, 8.0]))
def test_anything_stays_a_face(seed: int, frames: int, with_effort: bool, peakedness: float) -> None:
    random = np.random.default_rng(seed)
    curves = random.uniform(0, 1, (frames, 61)).astype(np.float32) ** random.uniform(0.5, 6)
    share = random.dirichlet(np.full(len(EMOTIONS), 1 / peakedness), frames)
    effort = random.uniform(0, 1, frames) if with_effort else None
    acted = perform(curves, share, effort, seed)
    shapes = acted[:, : arkit.SHAPE_COUNT]
    assert acted.shape == curves.shape and acted.dtype == np.float32
    assert np.isfinite(acted).all() and shapes.min() >= 0 and shapes.max() <= 1


def test_shut_lips_are_not_free_and_open_ones_are() -> None:
    assert parted(np.array([-0.1, 0.0, 0.005])).max() == 0
    assert parted(np.array([0.1]))[0] == 1
