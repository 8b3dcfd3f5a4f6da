"""Action units: what can be written, what moves, when, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talker.direction.action_units import ActionUnit, override, parse_action_units
from talker.errors import TalkerError
from talker.rigs import arkit

FPS = 50


def face(seconds=4.0, value=0.3):
    curves = np.full((round(seconds * FPS), arkit.CHANNEL_COUNT), value, np.float32)
    curves[:, arkit.SHAPE_COUNT :] = 0
    return curves


def overridden(text, **options):
    return override(face(**options), FPS, parse_action_units(text))


def column(curves, name):
    return curves[:, arkit.INDEX[name]]


def test_a_unit_holds_its_value_in_its_time_and_leaves_softly():
    smile = column(overridden("AU12L=0.9@1-2~0.5"), "mouthSmileLeft")
    assert smile[50:101] == pytest.approx(0.9)
    assert smile[:25] == pytest.approx(0.3) and smile[126:] == pytest.approx(0.3)
    assert smile[75 - 38] == pytest.approx(0.6, abs=0.02)  # halfway between the face's own 0.3 and 0.9
    assert np.abs(np.diff(smile)).max() < 0.04


def test_only_the_channels_of_the_unit_move():
    moved = np.flatnonzero((overridden("AU12L=0.9@1-2") != face()).any(axis=0))
    assert [arkit.CHANNELS[i] for i in moved] == ["mouthSmileLeft"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AU1=1", {"browInnerUp": 1}),
        ("au2r=0.5", {"browOuterUpRight": 0.5}),
        ("AU17=0.8", {"mouthShrugLower": 0.8, "mouthShrugUpper": 0.4}),
        ("AU12=C", {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5}),
        ("AU30L=0.4", {"jawLeft": 0.4}),
        ("AU51=1", {"headYaw": -0.6}),
        ("AU4=0", {"browDownLeft": 0, "browDownRight": 0}),
    ],
)
def test_units_are_these_channels(text, expected):
    (unit,) = parse_action_units(text)
    assert {arkit.CHANNELS[i]: value for i, value in unit.channels().items()} == pytest.approx(expected)
    assert unit.start == 0 and unit.end == np.inf


def test_eyes_that_are_turned_look_there():
    curves = overridden("AU62=1 AU64=0.5", value=0.0)
    np.testing.assert_allclose(arkit.eye_angles_from_looks(curves), curves, atol=1e-3)
    assert column(curves, "leftEyeYaw")[-1] > 0.3 and column(curves, "leftEyePitch")[-1] > 0.1


def test_the_later_of_two_units_wins():
    assert column(overridden("AU26=1 AU27=0.2"), "jawOpen")[0] == pytest.approx(0.2)
    assert parse_action_units("AU4=0.5, AU6=1@0:01-1:00") == (
        ActionUnit("AU4", 0.5),
        ActionUnit("AU6", 1.0, start=1.0, end=60.0),
    )
    assert parse_action_units("  ") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AU99=1", "no action unit AU99; did you mean AU9?; choices: AU1, AU2"),
        ("AU1L=1", "AU1 moves the middle of the face and has no side"),
        ("AU30=1", "write AU30L=... or AU30R=..."),
        ("smile=1", "'smile=1' sets no action unit; write AU12L=0.6@1.0-2.0~0.3"),
        ("AU12", "sets no action unit"),
        ("AU12=1.5", "'1.5' in 'AU12=1.5' is no strength"),
        ("AU12=nan", "is no strength"),
        ("AU12=1@2-1", "'AU12=1@2-1' ends before it begins"),
        ("AU12=1@soon", "'soon' in 'AU12=1@soon' is no time"),
    ],
)
def test_a_mistake_says_what_to_write_instead(text, message):
    with pytest.raises(TalkerError) as error:
        parse_action_units(text)
    assert message in str(error.value)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.floats(0, 5), st.floats(0.01, 5), st.floats(0, 3), st.integers(1, 400))
def test_any_unit_stays_in_range_and_never_jumps(value, start, length, ramp, frames):
    curves = face()[:frames]
    out = override(curves, FPS, (ActionUnit("AU12", value, "", start, start + length, ramp),))
    assert out.min() >= 0 and out.max() <= 1 and out.shape == curves.shape
    assert np.abs(np.diff(out, axis=0)).max(initial=0) <= 1.5 / 0.15 / FPS + 1e-5
