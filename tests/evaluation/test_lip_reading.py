"""What readers of faces are measured by."""

import numpy as np
import torch

from talker.animation import FaceAnimation
from talker.evaluation.lip_reading import MOUTH_SHAPES, order_errors, pictures_of, shapes_in_order
from talker.phones import PHONES, index
from talker.render.crops import mouth_crop
from talker.rigs import arkit


def numbers(text: str) -> list[int]:
    return [index(phone) for phone in text.split()]


def test_every_phone_has_a_mouth_shape_and_looks_alike_share_one() -> None:
    assert MOUTH_SHAPES.shape == (len(PHONES),)
    shape = dict(zip(PHONES, MOUTH_SHAPES.tolist(), strict=True))
    assert shape["p"] == shape["b"] == shape["m"] != shape["f"] == shape["v"]
    assert [phone for phone in PHONES if shape[phone] == 0] == ["silence"]


def test_a_lip_reader_that_takes_b_for_p_has_misread_the_phone_but_not_the_shape() -> None:
    assert order_errors(numbers("b æ t"), numbers("p æ t")) == (1, 0)
    assert order_errors(numbers("f æ t"), numbers("p æ t")) == (1, 1)
    assert order_errors([], numbers("p æ t")) == (3, 3)


def test_neighbours_of_one_shape_are_one() -> None:
    assert len(shapes_in_order(numbers("s t ɑ p b"))) == 3


def test_pictures_of_a_take_hold_the_head_still() -> None:
    curves = np.zeros((6, arkit.CHANNEL_COUNT), np.float32)
    curves[:, arkit.HEAD] = 0.3
    turned = pictures_of(FaceAnimation(curves, 50.0), mouth_crop(), 25.0)
    still = pictures_of(FaceAnimation(0 * curves, 50.0), mouth_crop(), 25.0)
    assert turned.shape == (3, 48, 48)
    assert torch.equal(turned, still)
