"""Phone figures on made-up hearing, where every one of them can be counted by hand."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from talker.audio import NETWORK_RATE
from talker.datasets.phone_times import SpokenWord
from talker.errors import TalkerError
from talker.evaluation import phones as evaluation
from talker.evaluation.phones import Heard, PhoneEvaluation, collapsed, edit_distance
from talker.models.checkpoint import save_speech
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.phones import PHONES, SILENCE, index
from talker.training.speech_corpus import UNKNOWN, Recording

TINY = SpeechEncoderConfig(layers=1, width=32, heads=2, feed_forward=64, attention_reach=6)


def numbers(text: str) -> np.ndarray:
    """One letter per frame; "." is silence and "-" a frame whose phone nobody told."""
    meanings = {".": index(SILENCE), "-": UNKNOWN}
    return np.array([meanings[letter] if letter in meanings else index(letter) for letter in text])


def heard(labels: str, said: str, order: str = "") -> Heard:
    recording = Recording("r", "little", True, np.zeros(320 * len(labels), np.int16), numbers(labels).astype(np.int8))
    return Heard(recording, numbers(said), tuple(index(phone) for phone in order))


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2), ("aab", "ab", 1)],
)
def test_edit_distance(one, other, edits):
    assert edit_distance(one, other) == edit_distance(other, one) == edits


def test_runs_are_one_phone_and_silences_none():
    assert collapsed(numbers("..ppp.p.aa.")) == tuple(index(phone) for phone in "ppa")


def test_frames_are_counted_by_phone_and_by_shape():
    figures = evaluation.frame_figures([heard("..ppbb--uu", "..pbb.aauo"), heard("ff", "ss")])
    assert figures["frames"] == 10 and figures["recordings"] == 2
    assert figures["frame error"] == 0.5  # p, b and u half of the time, f always.
    assert figures["frame error in speech"] == 0.625
    assert figures["error per phone"] == {SILENCE: 0.0, "p": 0.5, "b": 0.5, "f": 1.0, "u": 0.5}
    assert figures["recall"]["p"] == {
        **{"frames": 2, "exact": 0.5, "same shape": 1.0, "same shape within a frame": 1.0},
    }
    assert figures["recall"]["b"] == {
        **{"frames": 2, "exact": 0.5, "same shape": 0.5, "same shape within a frame": 1.0},
    }
    assert figures["recall"]["rounded vowels"] == {
        **{"frames": 2, "exact": 0.5, "same shape": 1.0, "same shape within a frame": 1.0},
    }
    assert figures["recall"]["lip on teeth (f v)"]["same shape within a frame"] == 0.0
    assert "m" not in figures["recall"]


def test_phone_error_rate():
    figures = evaluation.order_figures([heard("....", ".bii", "bi"), heard("....", "biti", "bin"), heard(".", ".")])
    assert figures["phones said"] == 5
    assert figures["phone error rate"] == 0.4
    assert figures["phone error rate, median recording"] == 0.3333


def test_shapes_are_looked_for_within_words():
    words = {
        "r": [
            SpokenWord("bin", 0.04, 0.1, ("b", "ɪ", "n")),
            SpokenWord("two", 0.1, 0.2, ("t", "u")),
            SpokenWord("mat", 0.2, 0.24, ("m", "æ", "t")),
        ]
    }
    figures = evaluation.word_figures([heard("." * 12, ".biinbttuutt")], words)
    # The b sits a frame before its word; the other b at the border of a word without one is not held against it.
    assert figures["lips shut (p b m)"] == {"words": 2, "heard": 0.5, "heard where it is not": 0.0}
    assert figures["rounded vowels"] == {"words": 1, "heard": 1.0, "heard where it is not": 0.0}


def test_sounds_without_speech_are_loud_and_finite():
    sounds = evaluation.without_speech(1.0)
    assert all(len(samples) == NETWORK_RATE and np.abs(samples).max() < 1 for samples in sounds.values())
    assert evaluation.silent_share(numbers("..a.")) == 0.75


@pytest.fixture
def synthesised(tmp_path):
    import soundfile

    folder = tmp_path / "synth"
    folder.mkdir()
    lines = []
    for split in ("train", "test"):
        soundfile.write(folder / f"{split}.flac", np.zeros(NETWORK_RATE), NETWORK_RATE)
        lines.append(json.dumps({"id": split, "split": split, "phones": [["m", 0, 0.2], [SILENCE, 0.2, 1.0]]}))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_an_encoder_that_always_hears_silence(synthesised, tmp_path, capsys):
    torch.manual_seed(0)
    speech = Speech(SpeechEncoder.from_config(TINY), PHONES)
    with torch.no_grad():
        speech.phone_head.name.weight.zero_()
        speech.phone_head.name.bias.copy_(torch.arange(len(PHONES)) * -1.0)
    save_speech(tmp_path / "model", speech)
    output, picture = tmp_path / "report.json", tmp_path / "phones.png"
    PhoneEvaluation(tmp_path, synthesised, str(tmp_path / "model"), output=output, picture=picture).run()
    report = json.loads(output.read_text())
    assert report["synthesised"]["recordings"] == 1  # The voice of the other was trained on.
    assert report["synthesised"]["frame error"] == 0.2
    assert report["synthesised"]["phone error rate"] == 1.0
    assert report["synthesised"]["recall"][SILENCE]["exact"] == 1.0
    assert set(report["taken for silence"].values()) == {1.0}
    assert "lips shut (p b m)" in capsys.readouterr().out
    with Image.open(picture) as image:
        assert image.width > 100


def test_an_encoder_without_phones_is_refused(synthesised, tmp_path):
    save_speech(tmp_path / "model", Speech(SpeechEncoder.from_config(TINY)))
    with pytest.raises(TalkerError, match="names no phones"):
        PhoneEvaluation(tmp_path, synthesised, str(tmp_path / "model")).run()
