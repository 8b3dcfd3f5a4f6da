"""The network from features and emotion to motion, with random weights."""

from dataclasses import replace

import pytest
import torch

from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.models.emotion_encoder import EmotionEncoderConfig
from talker.models.motion_prior import MotionPriorConfig
from talker.models.motion_space import motion_space
from talker.models.talker import Talker, TalkerConfig, neutral_strengths
from talker.rigs import arkit

TINY = TalkerConfig(
    feature_width=8,
    width=16,
    dilations=(1, 3),
    kernel=3,
    feature_dropout=0.5,
    emotion=EmotionEncoderConfig(width=8, smoothing=5),
)
PRIOR = MotionPriorConfig(width=16, latent=6, heads=2, attention_reach=1, dilations=(1,), kernel=3)


def lively(config: TalkerConfig) -> Talker:
    """Random weights that move everything."""
    torch.manual_seed(0)
    made = Talker(config).eval()
    outputs = [made.output, made.emotion.output] + ([] if made.decoder is None else [made.decoder.output])
    for output in outputs:
        torch.nn.init.normal_(output.weight, std=0.3)
    return made


@pytest.fixture(params=[None, PRIOR], ids=["straight", "prior"])
def talker(request: pytest.FixtureRequest) -> Talker:
    return lively(replace(TINY, prior=request.param))


def features(frames: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(1, frames, TINY.feature_width, generator=torch.Generator().manual_seed(seed))


def feelings(frames: int, seed: int = 1) -> torch.Tensor:
    drawn = torch.rand(1, frames, len(EMOTIONS), generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.sum(-1, keepdim=True)


@pytest.mark.parametrize("space", ["arkit", "flame", "metahuman"])
def test_an_untrained_face_is_at_rest(space):
    motion = Talker(replace(TINY, space=space)).motion(features(5), feelings(5))
    rest = motion_space(space).rest
    assert motion.shape == (1, 5, len(rest))
    torch.testing.assert_close(motion[0], torch.from_numpy(rest).expand(5, -1))


def test_motion_stays_within_the_limits_of_its_space(talker):
    free, motion = talker(features(50)), talker.motion(features(50))
    assert free.min() < 0 and free.max() > 1  # Otherwise there was nothing to clamp.
    torch.testing.assert_close(motion, free.clamp(0, 1))
    assert motion.shape[-1] == arkit.SHAPE_COUNT


def test_padding_changes_nothing(talker):
    (short, long), (calm, moved) = ((features(20), features(33, 2)), (feelings(20), feelings(33, 2)))
    both, felt = (
        torch.cat([torch.nn.functional.pad(a, (0, 0, 0, 13), value=9.0), b]) for a, b in ((short, long), (calm, moved))
    )
    together = talker(both, felt, torch.tensor([20, 33]))
    torch.testing.assert_close(together[:1, :20], talker(short, calm))
    torch.testing.assert_close(together[1:], talker(long, moved))


@pytest.mark.parametrize("which", ["features", "strengths"])
def test_nothing_beyond_the_reach_changes_a_frame(talker, which):
    heard, felt = features(120), feelings(120)
    before = talker(heard, felt)
    (heard if which == "features" else felt)[0, 60] += 1
    moved = (talker(heard, felt) - before).abs().amax(-1)[0].nonzero().flatten()
    assert 60 - talker.reach <= moved.min() < 60 < moved.max() <= 60 + talker.reach
    if talker.decoder is None:
        assert (talker.reach, len(moved)) == (6, {"features": 9, "strengths": 13}[which])


def test_a_neutral_face_is_one_that_no_emotion_was_asked_of(talker):
    plain = talker(features(30))
    torch.testing.assert_close(talker(features(30), neutral_strengths(features(30))), plain, rtol=0, atol=0)
    assert not torch.allclose(talker(features(30), feelings(30)), plain, atol=1e-3)


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


def test_a_prior_of_another_space_is_refused():
    with pytest.raises(TalkerError, match="flame has 112 channels, but the motion prior has 52"):
        replace(TINY, space="flame", prior=PRIOR)
    with pytest.raises(TalkerError, match="no such motion space 'flam'; did you mean 'flame'"):
        replace(TINY, space="flam")
