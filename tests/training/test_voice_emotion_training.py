import json

import numpy as np
import pytest
import torch
from PIL import Image

from talker.audio import NETWORK_RATE, Audio, write_wav
from talker.cli import main
from talker.errors import TalkerError
from talker.models.checkpoint import load_speech, save_speech
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.models.voice_emotion import VoiceEmotion, VoiceEmotionConfig
from talker.training import voice_emotion
from talker.training.acted_speech import CORPORA, TRAINING_CORPORA, find_recordings
from talker.training.voice_emotion import listen

TINY = SpeechEncoderConfig(layers=2, width=32, heads=2, feed_forward=64, attention_reach=6)
SPEAKERS = ("03", "08", "09", "10")


def acted(label, seed):
    """A buzz that is high, bright and loud when angry, low and dull when sad."""
    random = np.random.default_rng(seed)
    times = np.arange(round(1.2 * NETWORK_RATE)) / NETWORK_RATE
    hertz, fall = {"W": (260, 4.0), "T": (110, 14.0), "N": (150, 9.0)}[label]
    numbers = np.arange(1, 20)
    levels = 10 ** (-fall * np.log2(numbers) / 20)
    pitch = 2 * np.pi * hertz * random.uniform(0.9, 1.1) * times
    sound = (levels[:, None] * np.sin(numbers[:, None] * pitch)).sum(0) * np.hanning(len(times))
    return Audio((0.05 * sound).astype(np.float32), NETWORK_RATE)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "emodb").mkdir()
    for speaker in SPEAKERS:
        for label in "WTN":
            for take in "ab":
                seed = int(speaker) * 10 + ord(take)
                write_wav(acted(label, seed), folder / "emodb" / f"{speaker}a01{label}{take}.wav")
    return folder


@pytest.fixture(scope="module")
def hearing(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("speech")
    save_speech(folder, Speech(SpeechEncoder.from_config(TINY)))
    return folder


@pytest.mark.parametrize(
    ("corpus", "name", "speaker", "label", "detail"),
    [
        ("emodb", "03a01Wa", "03", "angry", ""),
        ("emodb", "16b10Lb", "16", "bored", ""),
        ("javanese_audio", "02-03-04_03", "02", "surprised", ""),
        ("ravdess", "03-01-02-01-01-02-05", "05", "neutral", "calm"),
        ("ravdess", "03-01-08-02-01-02-24", "24", "surprised", "strong"),
    ],
)
def test_file_names_say_who_acts_what(tmp_path, corpus, name, speaker, label, detail):
    recording = CORPORA[corpus].read(tmp_path / f"{name}.opus")
    assert (recording.speaker, recording.label, recording.detail) == (speaker, label, detail)
    assert recording.label in CORPORA[corpus].labels


def test_what_may_not_be_shipped_is_not_trained_on():
    assert "ravdess" not in TRAINING_CORPORA and set(TRAINING_CORPORA) == {"emodb", "javanese_audio"}


def test_a_folder_without_any_corpus_is_told(tmp_path):
    with pytest.raises(TalkerError, match="holds none of the folders emodb"):
        find_recordings(tmp_path, ["emodb"])


def test_what_was_heard_is_kept_and_copies_differ(data, hearing, tmp_path):
    encoder = load_speech(hearing).encoder
    recordings = find_recordings(data, ["emodb"])[:3]
    first = listen(recordings, encoder, tmp_path)
    files = list(tmp_path.glob("*.safetensors"))
    assert len(files) == 1
    before = files[0].stat().st_mtime_ns
    again = listen(recordings, encoder, tmp_path)
    assert files[0].stat().st_mtime_ns == before
    torch.testing.assert_close(again.states, first.states)
    assert first.states[0].shape == (15, 2, 32)  # 1.2 s at 12.5 slots per second.
    elsewhere = listen(recordings, encoder, tmp_path, copy=1)
    assert elsewhere.states[0].shape != first.states[0].shape or not torch.equal(elsewhere.states[0], first.states[0])


def test_a_voice_is_not_mistaken_for_a_mood():
    """Speakers differ ten times as much along one direction as a mood does; along another only moods differ."""
    random = torch.Generator().manual_seed(0)
    people, takes = 12, 20
    voices = 10 * torch.randn(people + 1, 3, generator=random) * torch.tensor([1.0, 0.0, 0.0])
    mood = torch.tensor([[1.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [0.0, 0.0, 0.0]])

    def recorded(who, what):
        return voices[who] + mood[what] + 0.3 * torch.randn(len(who), 3, generator=random)

    who, what = torch.arange(people).repeat_interleave(takes), torch.arange(people * takes) % 2
    network = VoiceEmotion(VoiceEmotionConfig(("happy", "sad", "fear"), 1, 3))
    one_hot = torch.nn.functional.one_hot
    affect = torch.stack([1.0 - 2 * what, 0.0 * what], dim=1).double()
    voice_emotion._fit(network, recorded(who, what).double(), one_hot(who).double(), one_hot(what, 3), affect)

    what = torch.arange(200) % 2
    judged = network(recorded(torch.full((200,), people), what)[:, None])
    assert (judged[:, :3].argmax(1) == what).float().mean() > 0.95  # Fear, which nobody acted, is never heard.
    assert torch.corrcoef(torch.stack([judged[:, 3], 1.0 - 2 * what]))[0, 1] > 0.9


@pytest.mark.train
def test_training_makes_a_listener_that_hears_what_it_was_taught(data, hearing, tmp_path, capsys):
    weights = tmp_path / "mine"
    arguments = ["--data", str(data), "-o", str(weights), "--encoder", str(hearing)]
    assert main(["train", "voice-emotion", *arguments]) == 0

    efforts = {}
    for label, name in (("W", "angry"), ("T", "sad")):
        line = tmp_path / f"{name}.wav"
        write_wav(acted(label, 1), line)
        capsys.readouterr()
        common = ["--model", str(weights), "--encoder", str(hearing)]
        assert main(["hear", str(line), "--json", *common]) == 0
        heard = json.loads(capsys.readouterr().out)["overall"]
        assert max(heard["emotion"], key=heard["emotion"].get) == name
        efforts[name] = heard["effort"]
    assert efforts["angry"] > efforts["sad"] + 0.2

    picture = tmp_path / "plot.png"
    voice = ["--voice", str(data / "emodb")]
    assert main(["hear", str(line), "--plot", str(picture), *voice, *common]) == 0
    shown = capsys.readouterr().out
    assert "vocal effort" in shown and "sad" in shown
    assert Image.open(picture).size[0] == 1280


def test_hear_says_what_is_wrong_on_one_line(tmp_path, capsys):
    sound = tmp_path / "line.wav"
    write_wav(acted("N", 0), sound)
    write_wav(Audio(np.zeros(0, np.float32), NETWORK_RATE), tmp_path / "empty.wav")
    for arguments, message in (
        ([str(tmp_path / "no.wav")], "no such file"),
        ([str(tmp_path / "empty.wav")], "is empty"),
        ([str(sound), "--plot", "plot.svg"], "the plot is a .png file"),
        ([str(sound), "--model", str(tmp_path)], "no model at"),
    ):
        assert main(["hear", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
