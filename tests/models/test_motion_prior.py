"""The temporal VAE with random weights."""

import pytest
import torch

from talker.errors import TalkerError
from talker.models.motion_prior import FRAMES_PER_LATENT, MotionPrior, MotionPriorConfig

TINY = MotionPriorConfig(channels=5, width=16, latent=6, heads=2, attention_reach=1, dilations=(1, 2), kernel=3)


@pytest.fixture
def prior() -> MotionPrior:
    torch.manual_seed(0)
    made = MotionPrior(TINY).eval()
    torch.nn.init.normal_(made.decoder.output.weight, std=0.3)
    torch.nn.init.normal_(made.decoder.layers[0].nearness)
    return made


def motion(frames: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(1, frames, TINY.channels, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("frames", [1, 7, 8, 9, 40])
def test_any_length_comes_back_as_long(prior, frames):
    decoded, mean, log_variance = prior(motion(frames))
    assert decoded.shape == (1, frames, TINY.channels)
    assert mean.shape == log_variance.shape == (1, -(-frames // FRAMES_PER_LATENT), TINY.latent)


def test_padding_changes_nothing(prior):
    short, long = motion(21), motion(37, seed=2)
    both = torch.cat([torch.nn.functional.pad(short, (0, 0, 0, 16), value=9.0), long])
    decoded, mean, _ = prior(both, torch.tensor([21, 37]))
    for item, alone in enumerate((short, long)):
        expected, latents, _ = prior(alone)
        torch.testing.assert_close(mean[item : item + 1, : latents.shape[1]], latents)
        torch.testing.assert_close(decoded[item : item + 1, : alone.shape[1]], expected)


def test_nothing_beyond_the_reach_changes_a_frame(prior):
    latents = torch.randn(1, 20, TINY.latent)
    before = prior.decoder(latents, 160)
    latents[0, 10] += 1
    moved = (prior.decoder(latents, 160) - before).abs().amax(-1)[0].nonzero().flatten()
    reach = prior.decoder.reach
    assert 80 - reach <= moved.min() < 80 and 87 < moved.max() <= 87 + reach


def test_what_is_known_of_a_channel_is_where_an_untrained_prior_starts():
    prior = MotionPrior(TINY).eval()
    seen = 3 + 2 * motion(500)[0]
    seen[:, 4] = 0.25  # It never moves, and never will.
    prior.measure(seen)
    decoded, _, _ = prior(motion(16))
    torch.testing.assert_close(decoded[0], seen.mean(0).expand(16, -1))
    torch.nn.init.normal_(prior.decoder.output.weight)
    decoded, _, _ = prior(motion(16))
    assert decoded[..., :4].std(1).min() > 0.1 and (decoded[..., 4] == 0.25).all()


def test_samples_depend_on_their_seed_only(prior):
    torch.testing.assert_close(prior.sample(30, seed=5), prior.sample(30, seed=5), rtol=0, atol=0)
    assert prior.sample(30, seed=5).shape == (30, TINY.channels)
    assert not torch.allclose(prior.sample(30, seed=6), prior.sample(30, seed=5), atol=0.1)


def test_only_training_draws_latents(prior):
    torch.testing.assert_close(prior(motion(24))[0], prior(motion(24))[0], rtol=0, atol=0)
    prior.train()
    assert not torch.equal(prior(motion(24))[0], prior(motion(24))[0])


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(TalkerError, match="cannot be shared by 3 heads"):
        MotionPriorConfig(heads=3)
    with pytest.raises(TalkerError, match="kernel must be odd"):
        MotionPriorConfig(kernel=4)
