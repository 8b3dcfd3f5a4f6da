import json

import numpy as np
import pytest
import torch

from talker.audio import Audio, write_wav
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.models import prosody, voice_emotion
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.models.voice_emotion import (
    BORED,
    EmotionListener,
    VoiceEmotion,
    VoiceEmotionConfig,
    encoder_fingerprint,
    load_voice_emotion,
    save_voice_emotion,
)

RATE = 16_000
TINY = SpeechEncoderConfig(layers=2, width=32, heads=2, feed_forward=64, attention_reach=6)
LABELS = ("neutral", "happy", "sad", "angry", BORED)


@pytest.fixture(scope="module")
def listener():
    """Random weights, with labels and effort that depend on what is heard."""
    torch.manual_seed(3)
    encoder = SpeechEncoder.from_config(TINY).eval()
    network = VoiceEmotion(VoiceEmotionConfig(LABELS, 2, 32, encoder_fingerprint(encoder)))
    network.to_labels.weight.data *= 8
    network.effort_weights[prosody.LEVEL] = 0.1
    network.effort_weights[-1] = 2.0
    return EmotionListener(encoder, network)


def babble(seconds, seed=0):
    """Noise whose colour and loudness wander, as speech does."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 0.1, round(seconds * RATE))
    knots = np.arange(0, len(noise) + 8000, 8000)
    slow = np.interp(np.arange(len(noise)), knots, random.uniform(0.2, 1, len(knots)))
    return Audio((noise * slow).astype(np.float32), RATE)


def assert_sound(reading):
    np.testing.assert_allclose(reading.mixture.sum(axis=-1), 1.0, atol=1e-5)
    assert (reading.mixture >= 0).all()
    for values, low in ((reading.valence, -1), (reading.arousal, -1), (reading.effort, 0)):
        assert np.isfinite(values).all() and (values >= low).all() and (values <= 1).all()


def test_silence_is_neutral_and_effortless(listener):
    heard = listener.hear(Audio(np.zeros(2 * RATE, np.float32), RATE))
    for reading in (heard.overall, heard.track):
        np.testing.assert_allclose(reading.mixture[..., EMOTIONS.index("neutral")], 1.0)
        assert np.all(reading.effort == 0)


def test_a_pause_is_effortless_and_speech_around_it_is_not(listener):
    speech = babble(2).samples
    pause = np.zeros(2 * RATE, np.float32)
    effort = listener.hear(Audio(np.concatenate([speech, pause, speech]), RATE)).track.effort
    assert effort[:20].mean() > 0.3 and effort[-20:].mean() > 0.3
    assert effort[30:45].max() < 0.01


def test_nothing_to_hear_is_said_clearly(listener):
    with pytest.raises(TalkerError, match="empty"):
        listener.hear(Audio(np.zeros(0, np.float32), RATE))


@pytest.mark.parametrize("kind", ["one sample", "tone", "clipped", "offset", "click", "whisper of noise"])
def test_strange_sounds_give_sound_readings(listener, kind):
    times = np.arange(2 * RATE) / RATE
    sound = {
        "one sample": np.ones(1),
        "tone": 0.5 * np.sin(2 * np.pi * 440 * times),
        "clipped": np.sign(babble(2).samples),
        "offset": babble(2).samples + 0.7,
        "click": np.eye(1, 2 * RATE, 500)[0],
        "whisper of noise": 1e-5 * babble(2).samples,
    }[kind]
    heard = listener.hear(Audio(sound.astype(np.float32), RATE))
    assert_sound(heard.overall)
    assert_sound(heard.track)


def test_the_distance_to_the_microphone_does_not_matter(listener):
    sound = babble(3)
    near, far = listener.hear(sound), listener.hear(Audio(0.05 * sound.samples, RATE))
    np.testing.assert_allclose(far.track.mixture, near.track.mixture, atol=2e-3)
    np.testing.assert_allclose(far.overall.effort, near.overall.effort, atol=1e-3)


def test_a_long_recording_is_heard_in_pieces_that_fit(listener, monkeypatch):
    sound = babble(9)
    whole = listener.hear(sound)
    monkeypatch.setattr("talker.models.speech_encoder._PIECE_FRAMES", 100)
    pieces = listener.hear(sound)
    np.testing.assert_allclose(pieces.track.mixture, whole.track.mixture, atol=1e-3)
    np.testing.assert_allclose(pieces.overall.mixture, whole.overall.mixture, atol=1e-3)


def test_the_track_follows_the_voice_and_ends_with_it(listener):
    sound = babble(4.0)
    heard = listener.hear(sound)
    assert len(heard.track.effort) == 50
    # What comes ten seconds later changes nothing now; the level is evened over everything, so that is kept.
    later = Audio(np.concatenate([sound.samples, babble(10).samples, sound.samples]), RATE)
    np.testing.assert_allclose(listener.hear(later).track.mixture[:25], heard.track.mixture[:25], atol=0.1)


def test_boredom_counts_as_neutral():
    matrix = voice_emotion._labels_to_emotions(LABELS)
    assert matrix.shape == (len(LABELS), len(EMOTIONS))
    assert matrix[LABELS.index(BORED), EMOTIONS.index("neutral")] == 1
    np.testing.assert_array_equal(matrix.sum(dim=1), 1)


def test_a_known_voice_moves_the_reading_and_the_average_voice_does_not(listener):
    sound, others = babble(3), [babble(3, seed) for seed in (1, 2)]
    plain = listener.hear(sound).overall.mixture
    assert np.abs(listener.hear(sound, listener.voice_of(others)).overall.mixture - plain).max() > 1e-3
    np.testing.assert_allclose(listener.hear(sound, torch.zeros(len(LABELS) + 2)).overall.mixture, plain, atol=1e-5)


def test_a_folder_of_recordings_tells_a_voice(listener, tmp_path):
    lines = [babble(2, seed) for seed in (1, 2)]
    for number, line in enumerate(lines):
        write_wav(line, tmp_path / f"{number}.wav")
    torch.testing.assert_close(listener.voice_in(tmp_path), listener.voice_of(lines), atol=5e-3, rtol=0)
    with pytest.raises(TalkerError, match="holds no speech"):
        listener.voice_in(tmp_path / "nowhere")


def test_silent_recordings_tell_no_voice(listener):
    with pytest.raises(TalkerError, match="no speech"):
        listener.voice_of([Audio(np.zeros(RATE, np.float32), RATE)])


def test_weights_on_disk_hear_the_same(listener, tmp_path):
    save_voice_emotion(tmp_path, listener.network)
    again = EmotionListener(listener.encoder, load_voice_emotion(tmp_path))
    sound = babble(2)
    np.testing.assert_allclose(again.hear(sound).track.mixture, listener.hear(sound).track.mixture, atol=0.02)


def test_weights_of_another_encoder_are_refused(listener, tmp_path):
    from talker.models.checkpoint import save_speech
    from talker.models.speech import Speech

    save_voice_emotion(tmp_path / "voice_emotion", listener.network)
    torch.manual_seed(4)
    save_speech(tmp_path / "other", Speech(SpeechEncoder.from_config(TINY)))
    with pytest.raises(TalkerError, match="another speech encoder"):
        voice_emotion.load_listener(tmp_path / "voice_emotion", tmp_path / "other")


@pytest.mark.parametrize(
    ("config", "message"),
    [({"format": "talker 2"}, "no model of emotion"), ({"labels": ["cheerful"]}, "labels must be among")],
)
def test_wrong_configurations_are_told(listener, tmp_path, config, message):
    save_voice_emotion(tmp_path, listener.network)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    with pytest.raises(TalkerError, match=message):
        load_voice_emotion(tmp_path)


def test_json_names_everything(listener):
    data = json.loads(json.dumps(listener.hear(babble(1)).to_json()))
    assert list(data["overall"]["emotion"]) == list(EMOTIONS)
    assert len(data["track"]["emotion"]["happy"]) == len(data["track"]["effort"]) == 13
