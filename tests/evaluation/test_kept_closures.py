"""Emotions and closures: the measure on mouths whose closures are known, and what talker's faces do."""

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.audio import read_audio
from talker.evaluation.kept_closures import TIMELINES, Kept, compare, fastest, kept
from talker.resources import checkpoints_dir
from talker.rigs import arkit

FPS = 60.0
EXAMPLES = checkpoints_dir().parent / "examples"


def mouth(shut: tuple[int, ...]) -> FaceAnimation:
    """Open but for three frames around each of those."""
    curves = np.zeros((240, arkit.CHANNEL_COUNT), np.float32)
    curves[:, arkit.INDEX["jawOpen"]] = 0.3
    for frame in shut:
        curves[frame - 1 : frame + 2, arkit.INDEX["jawOpen"]] = 0
    return FaceAnimation(curves, FPS)


@pytest.mark.parametrize(
    ("shut", "found"),
    [
        ((40, 80, 160), Kept(3)),
        ((41, 80, 160), Kept(3, farthest=1)),
        ((40, 78, 160), Kept(3, moved=1, farthest=2)),
        ((40, 160), Kept(3, lost=1)),
        ((40, 80, 100, 160), Kept(3, invented=1)),
        ((40, 90, 160), Kept(3, lost=1, invented=1)),
    ],
)
def test_moved_lost_and_invented_closures_are_told_apart(shut, found):
    assert kept(mouth((40, 80, 160)), mouth(shut)) == found


def test_the_fastest_channel_is_named():
    curves = np.zeros((10, arkit.CHANNEL_COUNT), np.float32)
    curves[5:, arkit.INDEX["jawOpen"]], curves[5:, arkit.INDEX["cheekPuff"]] = 0.3, 0.3
    share, name = fastest(FaceAnimation(curves, FPS))
    assert name == "cheekPuff" and share == pytest.approx(0.3 * FPS / 3.39)


@pytest.mark.slow
@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_no_emotion_moves_a_closure_by_more_than_a_frame(fps):
    from talker.inference import load_model

    model = load_model("default")
    closures = 0
    for name in ("hello.wav", "speech/angry_man.opus", "speech/happy_spanish.opus", "speech/sad_french.opus"):
        for emotion, found, (share, channel) in compare(read_audio(EXAMPLES / name), model, fps):
            assert (found.moved, found.lost, found.invented) == (0, 0, 0), (name, emotion, found)
            assert share <= 1, (name, emotion, channel)
            closures += found.neutral
    assert closures > 10 * (len(TIMELINES) + 8)
