"""Judges that look at faces."""

import numpy as np
import pytest
import torch

from talker.animation import FaceAnimation
from talker.emotion import EMOTIONS
from talker.evaluation import looking
from talker.evaluation.clips import Clip, clip_of_take
from talker.evaluation.lip_reading import see_emotion
from talker.evaluation.talking import FIGURES, JUDGES, score, summarise
from talker.models.emotion_net import EmotionNet, EmotionNetConfig
from talker.models.lip_reader import LipReader, LipReaderConfig
from talker.models.readers import Readers
from talker.rigs import arkit

JAW = arkit.INDEX["jawOpen"]


@pytest.fixture(scope="module")
def readers() -> Readers:
    torch.manual_seed(0)
    lips = LipReader(LipReaderConfig(channels=(4, 8), width=16, dilations=(1,)))
    return Readers(lips, EmotionNet(EmotionNetConfig(channels=(4, 8), width=16, dilations=(1,)))).eval()


@pytest.fixture(scope="module")
def clip() -> Clip:
    curves = np.zeros((30, arkit.CHANNEL_COUNT), np.float32)
    curves[:, JAW] = np.repeat([0.0, 0.5, 0.0, 0.5, 0.0, 0.5], 5)
    return clip_of_take(FaceAnimation(curves, 50.0), "clip")


def test_what_is_read_is_held_against_the_tracked_face(
    readers: Readers, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def jaw_reader(_: Readers, take: FaceAnimation) -> list[str]:
        read.append(take)
        return ["p" if jaw < 0.2 else "ɑ" for jaw in take.curves[::5, JAW]]

    monkeypatch.setattr(looking, "read_phones", jaw_reader)
    judge = looking.lips_judge(readers)
    assert judge(clip, clip.curves) == {"lip shapes misread": 0.0}
    never_shut = np.maximum(clip.curves, 0.3)
    assert judge(clip, never_shut) == {"lip shapes misread": pytest.approx(5 / 6)}  # One long vowel of six shapes.
    assert len(read) == 3  # The tracked face is read once.


def test_the_share_of_emotions_seen_is_a_mean(readers: Readers, clip: Clip) -> None:
    shares, strength = see_emotion(readers, FaceAnimation(clip.curves, 50.0))
    seen = EMOTIONS[int(shares.argmax())]
    other = EMOTIONS[int(shares.argmin())]
    scores = []
    for label in (seen, other):
        scores += score("model", lambda clip: clip.curves, [clip], (*JUDGES, looking.emotion_judge(readers, label)))
    assert [one.figures["emotion seen"] for one in scores] == [1.0, 0.0]
    found = {one.figure: one for one in summarise(scores)}
    assert found["emotion seen"].median == found["emotion seen"].mean == 0.5
    assert found["emotion strength"].median == pytest.approx(strength) and found.keys() <= FIGURES.keys()


def test_lips_of_a_network_that_knows_nothing_are_judged_too(readers: Readers, clip: Clip) -> None:
    assert looking.lips_judge(readers)(clip, clip.curves) in ({}, {"lip shapes misread": 0.0})
