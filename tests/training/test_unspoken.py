"""Made-up music and noise: loud, varied, and never the same."""

import numpy as np
import pytest

from talker.audio import NETWORK_RATE
from talker.training.unspoken import music, noise, unspoken


@pytest.mark.parametrize("make", [music, noise, unspoken])
@pytest.mark.parametrize("count", [1, 777, 3 * NETWORK_RATE])
def test_any_length_is_finite(make, count):
    samples = np.concatenate([make(count, np.random.default_rng(seed)) for seed in range(8)])
    assert samples.shape == (8 * count,) and np.isfinite(samples).all()


def test_it_is_as_loud_as_a_voice():
    levels = [unspoken(NETWORK_RATE, np.random.default_rng(seed)).std() for seed in range(20)]
    assert np.allclose(levels, 0.1, rtol=1e-3)


def test_it_is_heard_over_the_whole_of_speech_and_never_twice_the_same():
    spectra = [np.abs(np.fft.rfft(unspoken(NETWORK_RATE, np.random.default_rng(seed)))) for seed in range(200)]
    spectra = [spectrum / spectrum.sum() for spectrum in spectra]
    low, high = (np.array([s[a:b].sum() for s in spectra]) for a, b in ((60, 500), (2000, 8000)))
    assert low.max() > 0.6 and high.max() > 0.6
    assert low.std() > 0.2


def test_a_seed_makes_the_same_sound():
    one, other = (unspoken(8000, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, other)
