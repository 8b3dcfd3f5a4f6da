"""Emotions drawn at random, and told ones."""

import numpy as np
import pytest
import torch

from talker.emotion import EMOTIONS
from talker.training.directions import held_strengths, random_strengths


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    return random_strengths(400, 150, 50.0, np.random.default_rng(0)).numpy()


def test_directions_are_strengths(drawn):
    assert drawn.shape == (400, 150, len(EMOTIONS)) and drawn.dtype == np.float32
    assert drawn.min() >= 0
    np.testing.assert_allclose(drawn.sum(-1), 1, atol=1e-6)


def test_everything_that_may_be_asked_for_is_asked_for(drawn):
    changing = np.abs(drawn - drawn[:, :1]).max((1, 2)) > 0.05
    assert 0.15 < changing.mean() < 0.45
    felt = drawn[~changing, 0, 1:]
    assert 0.15 < ((felt > 0.01).sum(1) == 2).mean() < 0.4  # Mixtures.
    assert (felt.sum(1) > 0.99).mean() > 0.2 and (felt.sum(1) < 0.5).mean() > 0.2  # Full and faint.
    assert ((felt > 0.5).mean(0) > 0.02).all()  # Every one of them.
    assert np.abs(np.diff(drawn, axis=1)).max() < 0.25  # Within a fifth of a second at the fastest.


def test_the_same_random_state_asks_for_the_same():
    one, same, other = (random_strengths(3, 20, 50.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_told_emotions_are_held_and_unknown_ones_neutral():
    strengths = held_strengths(torch.tensor([-1, 0, 6]), torch.tensor([1.0, 0.4, 0.25]), 4)
    assert strengths.shape == (3, 4, len(EMOTIONS)) and (strengths == strengths[:, :1]).all()
    assert (strengths[:2, 0, 0] == 1).all()
    assert strengths[2, 0].tolist() == pytest.approx([0.75, *[0.0] * 5, 0.25, 0.0])
