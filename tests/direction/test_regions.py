"""Regions: each changes its own channels only, nothing comes late, and lips that meet still meet."""

import numpy as np
import pytest

from talker.direction.regions import Region, Regions, articulated, shape, smooth_head
from talker.errors import TalkerError
from talker.rigs import arkit

FPS = 50
MOUTH = {"mouth", "jaw", "tongue"}


def talk(frames=400, seed=0):
    """Smooth curves in 0..0.5 with closures of the lips, and a head that moves."""
    random = np.random.default_rng(seed)
    times = np.arange(frames)[:, None] / FPS
    waves = np.sin(times * random.uniform(2, 25, arkit.CHANNEL_COUNT) + random.uniform(0, 6, arkit.CHANNEL_COUNT))
    curves = (0.25 + 0.25 * waves).astype(np.float32)
    curves[:, arkit.SHAPE_COUNT :] -= 0.25
    curves[:, arkit.INDEX["mouthClose"]] = 0
    curves[:, arkit.INDEX["jawOpen"]] = np.maximum(0.35 * np.sin(times[:, 0] * 12), 0)
    return curves


def moved(curves, before):
    return {arkit.CHANNELS[i] for i in np.flatnonzero((curves != before).any(axis=0))}


@pytest.mark.parametrize(
    ("regions", "parts"),
    [
        (Regions(mouth=Region(0.5)), MOUTH),
        (Regions(mouth=Region(1.0, 0.2)), MOUTH),
        (Regions(brows=Region(0.5, 0.2)), {"brows"}),
        (Regions(cheeks=Region(0.5, 0.2)), {"cheeks", "nose"}),
        (Regions(eyes=Region(0.5, 0.2)), {"eyes"}),
        (Regions(asymmetry=0.4), MOUTH | {"brows", "cheeks", "nose", "eyes"}),
    ],
)
def test_a_region_moves_its_own_channels_only(regions, parts):
    names = moved(shape(talk(), FPS, regions), talk())
    assert names and {arkit.region(name) for name in names} <= parts
    assert not any(name.startswith(("eyeBlink", "eyeLook")) for name in names)


def test_regions_that_change_nothing_change_nothing():
    np.testing.assert_array_equal(shape(talk(), FPS, Regions()), talk())
    assert articulated(talk(), talk(), 1.0) is not None
    np.testing.assert_array_equal(smooth_head(talk(), FPS, 0.0), talk())


def test_strength_scales_and_stays_in_range():
    brows = [arkit.INDEX[name] for name in arkit.SHAPES if name.startswith("brow")]
    np.testing.assert_allclose(shape(talk(), FPS, Regions(brows=Region(0.5)))[:, brows], 0.5 * talk()[:, brows])
    assert shape(talk(), FPS, Regions(mouth=Region(3.0))).max() <= 1


@pytest.mark.parametrize("region", [Region(1.4), Region(0.6), Region(1.0, 0.3)])
def test_lips_that_meet_still_meet(region):
    before = arkit.lip_aperture(talk())
    after = arkit.lip_aperture(shape(talk(), FPS, Regions(mouth=region)))
    assert before[(before < 0.001)].size > 20 and after[before < 0.001].max() < 0.01


def test_smoothing_calms_and_does_not_come_late():
    impulse = np.zeros((101, arkit.CHANNEL_COUNT), np.float32)
    impulse[50, arkit.INDEX["browInnerUp"]] = 1
    out = shape(impulse, FPS, Regions(brows=Region(1.0, 0.4)))[:, arkit.INDEX["browInnerUp"]]
    assert np.argmax(out) == 50 and out[50] < 0.2 and out.sum() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(out, out[::-1], atol=1e-6)
    assert np.flatnonzero(out > 1e-6).tolist() == list(range(40, 61))  # 0.2 s ahead, 0.2 s behind


def test_smoothing_of_the_mouth_does_not_jump_at_closures():
    before = talk()
    after = shape(before, FPS, Regions(mouth=Region(1.0, 0.4)))
    jaw = arkit.INDEX["jawOpen"]
    assert np.abs(np.diff(after[:, jaw])).max() <= np.abs(np.diff(before[:, jaw])).max() * 1.05


def test_articulation_scales_speech_and_leaves_the_emotion():
    speech = talk()
    smiling = speech.copy()
    smile, jaw = arkit.INDEX["mouthSmileLeft"], arkit.INDEX["jawOpen"]
    smiling[:, smile] += 0.3
    mumbled = articulated(smiling, speech, 0.5)
    np.testing.assert_allclose(mumbled[:, smile], 0.5 * speech[:, smile] + 0.3, atol=1e-6)
    np.testing.assert_allclose(mumbled[:, jaw], 0.5 * speech[:, jaw], atol=1e-6)
    assert {arkit.region(name) for name in moved(mumbled, smiling)} <= MOUTH


def test_asymmetry_weakens_one_side_and_is_mirrored_for_the_other():
    even = talk()
    even = (even + even[:, arkit.MIRROR] * arkit.MIRROR_SIGN) / 2
    left, right = (shape(even, FPS, Regions(asymmetry=amount)) for amount in (0.4, -0.4))
    np.testing.assert_allclose(left, right[:, arkit.MIRROR] * arkit.MIRROR_SIGN, atol=1e-6)
    smile = arkit.INDEX["mouthSmileLeft"]
    np.testing.assert_allclose(left[:, smile], 0.6 * even[:, smile], atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Region(-1),
        lambda: Region(float("nan")),
        lambda: Region(1, 3),
        lambda: Regions(articulation=9),
        lambda: Regions(asymmetry=2),
        lambda: Regions(head_smooth=-1),
    ],
)
def test_values_out_of_range_say_the_range(make):
    with pytest.raises(TalkerError, match=r"it lies in -?\d"):
        make()
