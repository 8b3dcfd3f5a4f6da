import numpy as np
import pytest
import torch

from talker.errors import TalkerError
from talker.evaluation.phones import without_speech
from talker.models.checkpoint import load_speech
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig


@pytest.fixture(scope="module")
def speech():
    torch.manual_seed(0)
    config = SpeechEncoderConfig(layers=1, width=32, heads=2, feed_forward=64, attention_reach=6)
    return Speech(SpeechEncoder.from_config(config), ("silence", "a", "m")).eval()


def noise(seconds):
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)


def test_every_frame_has_a_probability_of_each_phone(speech, monkeypatch):
    monkeypatch.setattr("talker.models.speech_encoder._PIECE_FRAMES", 70)
    sound = noise(3)
    found = speech.phone_probabilities(sound)
    assert found.shape == (150, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    with torch.inference_mode():
        whole = speech(torch.from_numpy(sound)[None]).softmax(-1)[0].numpy()
    np.testing.assert_allclose(found, whole, atol=2e-5)


def test_no_sound_has_no_frames(speech):
    assert speech.phone_probabilities(noise(0)).shape == (0, 3)


def test_without_a_head_there_are_no_phones(speech):
    with pytest.raises(TalkerError, match="talker train speech"):
        Speech(speech.encoder).phone_probabilities(noise(1))


@pytest.fixture(scope="module")
def shipped():
    return load_speech()


@pytest.mark.parametrize("name", without_speech())
def test_where_nobody_speaks_the_phone_is_silence(shipped, name):
    """Silence, an offset, noise, a tone, a chord."""
    found = shipped.phone_probabilities(without_speech(2.0)[name])
    assert (found.argmax(axis=1) == shipped.phones.index("silence")).mean() > 0.95


TIMES = np.arange(16_000) / 16_000
STRANGE = {
    "clipped": np.clip(30 * np.sin(2 * np.pi * 150 * TIMES), -1, 1),
    "far beyond full scale": 1e4 * np.sin(2 * np.pi * 150 * TIMES),
    "one sample": np.ones(1),
    "a click": np.eye(1, 16_000, 8_000)[0],
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_sounds_have_finite_phones(shipped, name):
    found = shipped.phone_probabilities(STRANGE[name].astype(np.float32))
    assert len(found) == -(-len(STRANGE[name]) // 320)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)  # Never so with a not-a-number in it.


def test_what_is_no_number_is_refused(shipped):
    with pytest.raises(TalkerError, match=r"sample 1 .* is nan"):
        shipped.phone_probabilities(np.array([0.0, np.nan], np.float32))
