"""Phones found inside words, with an encoder that is sure of what it hears."""

import json

import numpy as np
import pytest
from little_speech import LITTLE, make_everything_little, write_speech

from talker.datasets.phone_times import SpokenWord
from talker.models.checkpoint import save_speech
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder
from talker.phones import PHONES, SILENCE, index
from talker.training import speech as stage
from talker.training.loop import LoopOptions
from talker.training.speech_corpus import UNKNOWN, Recording
from talker.training.word_alignment import align_words, label_words

BIN = SpokenWord("bin", 0.1, 0.4, ("b", "ɪ", "n"))
HEARD = [SILENCE] * 6 + ["b"] * 3 + ["ɪ"] * 7 + ["n"] * 4 + [SILENCE] * 5


class Sure:
    """Hears what the test says, 80 % sure."""

    phones = PHONES

    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def phone_probabilities(self, samples: np.ndarray) -> np.ndarray:
        out = np.full((len(self.heard), len(PHONES)), 0.2 / (len(PHONES) - 1), np.float32)
        out[np.arange(len(self.heard)), [index(phone) for phone in self.heard]] = 0.8
        return out


def labels(heard: list[str], *words: SpokenWord) -> list[str]:
    recording = Recording("clip", "grid_s1", False, np.zeros(8_000, np.int16), np.full(25, UNKNOWN, np.int8))
    (labelled,) = label_words([recording], {"clip": list(words)}, Sure(heard))
    return ["" if label == UNKNOWN else PHONES[label] for label in labelled.labels]


def test_phones_lie_where_they_are_heard_and_fill_their_word():
    # The word begins a frame before its "b" is heard, and nobody knows what is said outside of it.
    assert labels(HEARD, BIN) == [""] * 5 + ["b"] * 4 + ["ɪ"] * 7 + ["n"] * 4 + [""] * 5
    silence = SpokenWord("sil", 0.0, 0.1, (SILENCE,))
    assert labels(HEARD, silence, BIN)[:6] == [SILENCE] * 5 + ["b"]


def test_what_is_heard_instead_of_a_phone_does_not_change_the_order():
    misheard = [SILENCE] * 6 + ["n"] * 3 + ["ɪ"] * 7 + ["m"] * 4 + [SILENCE] * 5
    found = labels(misheard, BIN)[5:20]
    assert [phone for i, phone in enumerate(found) if i == 0 or phone != found[i - 1]] == ["b", "ɪ", "n"]
    assert found.count("ɪ") >= 7


def test_words_too_short_or_beyond_the_sound_teach_nothing():
    short = SpokenWord("bin", 0.1, 0.13, ("b", "ɪ", "n"))
    beyond = SpokenWord("bin", 0.46, 2.0, ("b", "ɪ", "n"))
    assert align_words(Sure(HEARD), np.zeros(8_000, np.float32), [short, beyond]) == []
    assert labels(HEARD) == [""] * 25  # A recording without words stays as it is.


@pytest.mark.train
@pytest.mark.slow
def test_training_learns_from_aligned_words(monkeypatch, tmp_path):
    make_everything_little(monkeypatch, tmp_path / "packages")
    data, synthesised = write_speech(tmp_path)
    (data / "speechocean762").rename(data / "grid_s1")
    lines = "0 6250 sil\n6250 25000 bin\n25000 50000 sil\n"  # In 25,000ths of a second.
    (data / "grid_s1" / "words.json").write_text(json.dumps({"t0": lines}))
    save_speech(tmp_path / "before", Speech(SpeechEncoder.from_config(LITTLE), PHONES))
    seen = []
    original = stage.SpeechBatches
    monkeypatch.setattr(stage, "SpeechBatches", lambda corpus, *more: seen.extend(corpus) or original(corpus, *more))
    options, align = LoopOptions(1), tmp_path / "before"
    stage.train_speech(data, tmp_path / "packages", tmp_path / "out", options, synthesised, None, LITTLE, align=align)
    aligned = next(recording for recording in seen if recording.id == "t0")
    unknown = next(recording for recording in seen if recording.id == "t1")
    assert {PHONES[label] for label in aligned.labels} == {SILENCE, "b", "ɪ", "n"}
    assert (unknown.labels == UNKNOWN).all()
