"""The network from features to curves, with random weights."""

import pytest
import torch

from talker.models.talker import Talker, TalkerConfig
from talker.rigs import arkit

TINY = TalkerConfig(feature_width=8, width=16, dilations=(1, 3), kernel=3, feature_dropout=0.5)


@pytest.fixture
def talker() -> Talker:
    torch.manual_seed(0)
    made = Talker(TINY).eval()
    torch.nn.init.normal_(made.output.weight, std=0.3)
    return made


def features(frames: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(1, frames, TINY.feature_width, generator=torch.Generator().manual_seed(seed))


def test_an_untrained_face_is_at_rest():
    curves = Talker(TINY).curves(features(5))
    assert curves.shape == (1, 5, arkit.CHANNEL_COUNT) and not curves.any()


def test_curves_are_weights_and_angles_rest(talker):
    shapes, curves = talker(features(50)), talker.curves(features(50))
    assert shapes.min() < 0 and shapes.max() > 1  # Otherwise there was nothing to clamp.
    torch.testing.assert_close(curves[..., : arkit.SHAPE_COUNT], shapes.clamp(0, 1))
    assert not curves[..., arkit.SHAPE_COUNT :].any()


def test_padding_changes_nothing(talker):
    short, long = features(20), features(33, seed=2)
    both = torch.cat([torch.nn.functional.pad(short, (0, 0, 0, 13), value=9.0), long])
    together = talker(both, torch.tensor([20, 33]))
    torch.testing.assert_close(together[:1, :20], talker(short))
    torch.testing.assert_close(together[1:], talker(long))


def test_nothing_beyond_the_reach_changes_a_frame(talker):
    assert talker.reach == 4
    changed = features(40)
    changed[0, 20] += 1
    moved = (talker(changed) - talker(features(40))).abs().amax(-1)[0] > 1e-6
    assert moved.nonzero().flatten().tolist() == list(range(16, 25))


def test_features_are_standardised_by_what_was_measured(talker):
    """Louder features with an offset, measured, give what the plain ones give."""
    plain = features(400)
    talker.measure_features(plain[0])
    expected = talker(plain)
    assert not torch.allclose(talker(100 * plain + 5), expected, atol=0.1)
    talker.measure_features(100 * plain[0] + 5)
    torch.testing.assert_close(talker(100 * plain + 5), expected, atol=0.02, rtol=0.01)
    assert {"feature_mean", "feature_scale"} <= talker.state_dict().keys()  # They travel with the weights.


def test_a_feature_is_kept_away_for_a_whole_clip(talker):
    heard = []
    talker.input.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    talker.train()(torch.ones(2, 30, TINY.feature_width))
    dropped = heard[0] == 0
    assert dropped.any() and not dropped.all()
    assert (dropped == dropped[:, :1]).all() and not torch.equal(dropped[0], dropped[1])
