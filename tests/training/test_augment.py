"""Augmentation: what happens to a voice never moves it against the mouth."""

import numpy as np
import pytest

from talker.rigs import arkit
from talker.training import augment, codecs

RATE, FPS = 16_000, 50


def voice(seconds: float = 3.0) -> np.ndarray:
    """A voice-like sound: harmonics that swell and fall."""
    times = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 140 * k * times) / k for k in range(1, 30))
    random = np.random.default_rng(0)
    swell = np.interp(
        times, np.arange(0, seconds + 0.2, 0.12), random.uniform(0, 1, len(np.arange(0, seconds + 0.2, 0.12)))
    )
    return (0.1 * swell * tone + 0.01 * swell * random.standard_normal(len(times))).astype(np.float32)


def lag(a: np.ndarray, b: np.ndarray) -> int:
    size = 1 << int(np.ceil(np.log2(2 * len(a))))
    match = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    best = int(np.argmax(match))
    return best if best < size // 2 else best - size


@pytest.mark.parametrize("codec", codecs.CODECS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_codecs_change_the_sound_but_not_its_place(codec: codecs.Codec, share: float) -> None:
    samples = voice()
    low, high = codec.bit_rates
    out = codecs.round_trip(samples, codec, low + share * (high - low))
    assert out.shape == samples.shape and np.isfinite(out).all()
    assert abs(lag(out, samples)) <= 2
    assert 0.7 < np.corrcoef(out, samples)[0, 1] < 0.99999


def test_codecs_bear_extremes() -> None:
    for codec in codecs.CODECS:
        for samples in (
            np.zeros(RATE),
            np.ones(RATE),
            np.zeros(100),
            5 * np.random.default_rng(1).standard_normal(RATE),
        ):
            out = codecs.round_trip(samples, codec, codec.bit_rates[0])
            assert out.shape == samples.shape and np.isfinite(out).all()


def test_limited_bands_are_limited() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE)
    random = np.random.default_rng(1)
    limited = [out for out in (augment.limit_band(noise, random) for _ in range(80)) if out is not noise]
    assert 8 <= len(limited) <= 35
    for out in limited:
        power = np.abs(np.fft.rfft(out)) ** 2
        assert power[8000:].sum() + power[:15].sum() < 1e-9 * power.sum()
        assert abs(lag(out, noise)) == 0


def test_everything_keeps_shape_and_rests_where_it_is_mute() -> None:
    samples = voice()
    curves = np.full((3 * FPS, arkit.CHANNEL_COUNT), 0.3, np.float32)
    random = np.random.default_rng(3)
    muted = 0
    for _ in range(60):
        sound, face = augment.augment(samples, curves, FPS, random)
        assert sound.shape == samples.shape and face.shape == curves.shape
        assert sound.dtype == face.dtype == np.float32
        assert np.abs(sound).max() <= 1 and np.isfinite(sound).all()
        assert face.min() >= 0 and face.max() <= np.float32(0.3)
        muted += face.min() == 0
    assert 5 <= muted <= 30


def test_the_same_seed_gives_the_same_sound() -> None:
    curves = np.zeros((3 * FPS, arkit.CHANNEL_COUNT), np.float32)
    for seed in range(12):
        a, b = (augment.augment(voice(), curves, FPS, np.random.default_rng(seed))[0] for _ in range(2))
        assert np.array_equal(a, b)
