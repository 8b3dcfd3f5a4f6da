"""Verdicts about emotions: counted by what was asked for, in order of strength, and soon after a timeline asks."""

from pathlib import Path

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.direction.animate import animate
from talker.direction.timeline import EmotionTimeline
from talker.emotion import EMOTIONS
from talker.evaluation import emotions_followed, emotions_seen
from talker.evaluation.clips import Clip, clip_of_take
from talker.evaluation.emotions_followed import delays
from talker.evaluation.emotions_seen import look, report
from talker.models.emotion_net import EmotionNet, EmotionNetConfig
from talker.models.lip_reader import LipReader, LipReaderConfig
from talker.models.readers import EVALUATION_READERS, Readers, load_readers
from talker.rigs import arkit

EXAMPLES = Path(__file__).parents[2] / "examples" / "speech"
TOLD = slice(arkit.INDEX["browDownLeft"], arkit.INDEX["browDownLeft"] + len(EMOTIONS))
"""Channels in which these tests write down what a face feels."""


@pytest.fixture(scope="module")
def clip() -> Clip:
    curves = np.zeros((100, arkit.CHANNEL_COUNT), np.float32)
    curves[:, arkit.INDEX["jawOpen"]] = 0.3 + 0.3 * np.sin(np.arange(100) / 3)
    return clip_of_take(FaceAnimation(curves, 50.0), "clip")


@pytest.fixture
def honest(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> Readers:
    """A face that tells what it feels, but takes contempt for happiness, and a judge who reads that."""

    def talk(_: object, clip: Clip, label: str = "neutral", intensity: float = 1.0) -> np.ndarray:
        curves = clip.curves.copy()
        curves[:, TOLD] = intensity * np.eye(len(EMOTIONS))[EMOTIONS.index("happy" if label == "contempt" else label)]
        return curves

    def see(_: Readers, take: FaceAnimation) -> tuple[np.ndarray, float]:
        told = take.curves[0, TOLD]
        return told, float(told[1:].max())

    monkeypatch.setattr(emotions_seen, "talked", talk)
    monkeypatch.setattr(emotions_seen, "see_emotion", see)
    lips = LipReader(LipReaderConfig(channels=(4, 8), width=16, dilations=(1,)))
    return Readers(lips, EmotionNet(EmotionNetConfig(channels=(4, 8), width=16, dilations=(1,)))).eval()


def test_what_is_seen_is_counted_by_what_was_asked_for(honest: Readers, clip: Clip) -> None:
    found = look(None, [clip, clip], (1.0, 1 / 3), honest)  # type: ignore[arg-type]
    wanted = 2 * np.eye(len(EMOTIONS))
    wanted[EMOTIONS.index("contempt")] = wanted[EMOTIONS.index("happy")]
    assert (found[1.0].seen == wanted).all() and found[1.0].accuracy == 7 / 8
    text = "\n".join(report(found))
    assert "right: 0.88" in text and text.count("100% of the clips") == 7  # Every emotion looks stronger when it is.
    assert found[1.0].gap[0] == pytest.approx([1.0, 1.0])


def test_an_emotion_counts_from_when_it_is_seen_steadily(monkeypatch: pytest.MonkeyPatch) -> None:
    times = np.arange(0, 6, 0.08)
    happy, angry = EMOTIONS.index("happy"), EMOTIONS.index("angry")
    seen = np.where(times < 2.3, 0, happy)
    seen[26] = happy  # A moment at 2.08 s that does not last.
    monkeypatch.setattr(emotions_followed, "watch", lambda *_: (seen, times))
    take = FaceAnimation(np.zeros((150, arkit.CHANNEL_COUNT), np.float32), 25.0)
    timeline = EmotionTimeline.parse("neutral@0 happy@2 angry@4 sad@9")
    told = dict(delays(take, timeline, None))  # type: ignore[arg-type]
    assert told == {"neutral@0": 0.0, "happy@2": pytest.approx(0.32), "angry@4": float("inf")}
    seen[times >= 4.1] = angry
    assert dict(delays(take, timeline, None))["angry@4"] == pytest.approx(0.16)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_default_talker_follows_a_timeline_within_half_a_second() -> None:
    timeline = EmotionTimeline.parse("neutral@0 happy@1.5 angry@3")
    take = animate(EXAMPLES / "happy_spanish.opus", emotion=timeline, fps=25)
    late = dict(delays(take, timeline, load_readers(EVALUATION_READERS)))
    assert len(late) == 3 and max(late.values()) <= 0.5, late
