import numpy as np
import pytest
import torch

from talker.errors import TalkerError
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig


@pytest.fixture(scope="module")
def speech():
    torch.manual_seed(0)
    config = SpeechEncoderConfig(layers=1, width=32, heads=2, feed_forward=64, attention_reach=6)
    return Speech(SpeechEncoder.from_config(config), ("silence", "a", "m")).eval()


def noise(seconds):
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)


def test_every_frame_has_a_probability_of_each_phone(speech):
    sound = noise(21)  # two pieces
    found = speech.phone_probabilities(sound)
    assert found.shape == (1050, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    with torch.inference_mode():
        whole = speech(torch.from_numpy(sound)[None]).softmax(-1)[0].numpy()
    np.testing.assert_allclose(found, whole, atol=2e-5)


def test_no_sound_has_no_frames(speech):
    assert speech.phone_probabilities(noise(0)).shape == (0, 3)


def test_without_a_head_there_are_no_phones(speech):
    with pytest.raises(TalkerError, match="talker train speech"):
        Speech(speech.encoder).phone_probabilities(noise(1))
