from pathlib import Path

import numpy as np
import pytest
import torch

from talker.evaluation.voice_emotion import Outcome, folds, name_labels
from talker.render.confusion import confusion_picture
from talker.training.acted_speech import Recording


def recordings():
    return [
        Recording(Path(f"{corpus}-{speaker}-{label}"), corpus, str(speaker), label)
        for corpus, count in (("emodb", 10), ("javanese_audio", 8))
        for speaker in range(count)
        for label in ("angry", "sad")
    ]


def test_every_recording_is_tested_once_by_who_never_heard_its_speaker():
    everything = recordings()
    tested = []
    for train, test in folds(everything):
        speakers = {(everything[i].corpus, everything[i].speaker) for i in train}
        assert not speakers & {(everything[i].corpus, everything[i].speaker) for i in test}
        assert sorted(train + test) == list(range(len(everything)))
        tested += test
    assert sorted(tested) == list(range(len(everything)))


def test_accuracy_recall_and_confusion():
    acted = ["angry", "angry", "angry", "sad"]
    files = [Recording(Path(str(i)), "emodb", "1", label) for i, label in enumerate(acted)]
    outcome = Outcome("", "", ("angry", "sad"), files, ["angry", "angry", "sad", "sad"])
    assert outcome.accuracy == pytest.approx(3 / 4)
    assert outcome.recall == pytest.approx((2 / 3 + 1) / 2)
    np.testing.assert_array_equal(outcome.confusion(), [[2, 1], [0, 1]])


def test_labels_are_chosen_among_those_a_corpus_has():
    known = ("neutral", "sad", "disgusted", "bored")
    scores = torch.tensor([[0.2, 0.3, 0.4, 0.15], [0.3, 0.4, 0.05, 0.25]]).log()
    assert name_labels(scores, known, known) == ["disgusted", "sad"]
    assert name_labels(scores, known, ("neutral", "sad")) == ["neutral", "neutral"]  # Boredom counts as neutral.


def test_confusion_picture_is_darkest_where_most_are():
    picture = np.asarray(confusion_picture(np.array([[9, 1], [5, 5]]), ("angry", "sad"), "title", cell=40))
    height, width = picture.shape[:2]
    left, top = width - 100, height - 100
    corners = [picture[top + 4 + 40 * row, left + 4 + 40 * column].sum() for row in (0, 1) for column in (0, 1)]
    assert corners[0] < corners[2] == corners[3] < corners[1]
