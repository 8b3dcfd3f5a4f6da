import numpy as np
import pytest

from talker.errors import TalkerError
from talker.finishing.look_at import CAMERA, parse_look_at, target_at


def test_places_points_and_timelines():
    assert parse_look_at("camera") == (CAMERA,)
    (point,) = parse_look_at("1,0,1")
    assert (point.yaw, point.pitch, point.distance) == pytest.approx((-np.pi / 4, 0, 2**0.5))
    line = parse_look_at("left@2 0,1,1@3.5 camera@4")
    assert [target.time for target in line] == [0, 2, 3.5, 4]
    assert target_at(line, 1.99) == CAMERA
    assert target_at(line, 2).yaw < 0  # Yaw is positive to the subject's right.
    assert target_at(line, 3.6).pitch < 0  # Pitch is positive downwards.
    assert target_at(line, 99).yaw == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing to look at"),
        ("lft", "cannot look at 'lft'; choose camera, left, right, up, down, or X,Y,Z in metres"),
        ("left@", "'' is not a number"),
        ("left@-1", "a time cannot be negative"),
        ("left@nan", "'nan' is not a number"),
        ("1,2", "cannot look at '1,2'"),
        ("0,0,-1", "must lie in front of the face"),
        ("left@3 camera@2", "the times must rise"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(TalkerError) as error:
        parse_look_at(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
