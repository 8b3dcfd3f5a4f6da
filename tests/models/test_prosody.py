import tracemalloc

import numpy as np
import pytest

from talker.models import prosody

RATE = 16_000


def voice(hertz, seconds=1.0, fall=12.0):
    """Harmonics that lose `fall` dB per octave."""
    times = np.arange(round(seconds * RATE)) / RATE
    numbers = np.arange(1, int(7000 / hertz))
    levels = 10 ** (-fall * np.log2(numbers) / 20)
    return (0.1 * (levels[:, None] * np.sin(2 * np.pi * hertz * numbers[:, None] * times)).sum(0)).astype(np.float32)


@pytest.mark.parametrize("hertz", [80, 110, 150, 220, 310, 440])
def test_pitch_of_a_voice_without_octave_errors(hertz):
    measured = prosody.measure(voice(hertz))[5:-5]
    assert measured[:, prosody.VOICING].min() > 0.8
    heard = 100 * 2 ** (measured[:, prosody.PITCH] / measured[:, prosody.VOICING])
    np.testing.assert_allclose(heard.numpy(), hertz, rtol=0.03)


def test_noise_has_no_pitch():
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert prosody.measure(noise)[5:-5, prosody.VOICING].mean() < 0.4


def test_a_pressed_voice_has_more_high_tones_than_a_soft_one():
    pressed, soft = (prosody.measure(voice(150, fall=fall))[5:-5].mean(0) for fall in (6.0, 15.0))
    assert pressed[prosody.ALPHA_RATIO] > soft[prosody.ALPHA_RATIO] + 5
    assert pressed[prosody.PEAK_FALL] < soft[prosody.PEAK_FALL] - 5


def test_loud_and_quiet_recordings_are_brought_to_one_level():
    loud = voice(150)
    even = prosody.at_even_level(loud)
    np.testing.assert_allclose(prosody.at_even_level(0.03 * loud), even, rtol=1e-3, atol=1e-6)
    assert 20 * np.log10(np.sqrt(np.mean(even**2))) == pytest.approx(prosody.LOUD_DB, abs=1)


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (320, 1), (321, 2), (70 * RATE, 3500)])
def test_one_finite_row_per_frame_whatever_the_length(samples, frames):
    measured = prosody.measure(prosody.at_even_level(np.zeros(samples, np.float32)))
    assert measured.shape == (frames, prosody.COUNT)
    assert np.isfinite(measured.numpy()).all()
    assert measured[:, prosody.LEVEL].max() <= prosody.FLOOR_DB + 0.1


def test_long_recordings_are_measured_in_pieces_that_fit(monkeypatch):
    sound = np.random.default_rng(1).normal(0, 0.1, 3 * RATE).astype(np.float32)
    whole = prosody.measure(sound)
    monkeypatch.setattr(prosody, "_PIECE_FRAMES", 7)
    np.testing.assert_allclose(prosody.measure(sound), whole, atol=1e-4)


def test_silence_follows_where_more_frames_are_asked_for():
    sound = voice(150)[:3_000]
    longer = prosody.measure(sound, 20)
    np.testing.assert_allclose(longer, prosody.measure(np.pad(sound, (0, 20 * 320 - 3_000))), atol=1e-4)


def test_a_long_recording_is_not_copied(monkeypatch):
    """An hour of sound is 230 MB; PyTorch's own memory, a piece at a time, is not counted."""
    monkeypatch.setattr(prosody, "_PIECE_FRAMES", 50)
    sound = np.full(20 * RATE, 0.01, np.float32)
    prosody.measure(sound[:RATE])
    tracemalloc.start()
    prosody.measure(sound)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < sound.nbytes / 2
