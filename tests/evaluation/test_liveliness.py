"""The yardstick of blinks, saccades and heads, on faces whose movements are known."""

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.evaluation.human_speed import measure_speed
from talker.evaluation.liveliness import charts, figures, observe
from talker.finishing import finish
from talker.finishing.speed import human_speed
from talker.rigs import arkit

FPS = 240.0


def still(seconds: float) -> np.ndarray:
    return np.zeros((round(seconds * FPS), arkit.CHANNEL_COUNT), np.float32)


def test_blinks_are_counted_and_timed():
    curves = still(60)
    for start in (5, 12, 14, 40):
        frames = slice(round(start * FPS), round((start + 0.25) * FPS))
        curves[frames, arkit.INDEX["eyeBlinkLeft"]] = 1.0
    seen = observe([FaceAnimation(curves, FPS)])
    assert seen.blinks_per_minute == pytest.approx(4)
    assert seen.blink_lengths == pytest.approx(0.25, abs=0.01)
    assert seen.blink_intervals == pytest.approx([7, 2, 26], abs=0.01)


def test_saccades_and_fixations_are_found_in_the_curves():
    curves = still(20)
    times = np.arange(len(curves)) / FPS
    for eye in (arkit.LEFT_EYE, arkit.RIGHT_EYE):
        for start in (4.0, 9.0):
            share = 0.5 - 0.5 * np.cos(np.pi * np.clip((times - start) / 0.05, 0, 1))
            curves[:, eye.start] += np.radians(10.0 if start == 4.0 else -10.0) * share
    seen = observe([FaceAnimation(curves, FPS)])
    sizes, durations, speeds, aside = seen.saccades.T
    assert sizes == pytest.approx(10, abs=0.5) and aside == pytest.approx(sizes)
    assert durations == pytest.approx(0.05, abs=0.01)
    assert speeds == pytest.approx(10 / 0.05 * np.pi / 2, rel=0.05)
    assert seen.fixations == pytest.approx([4.95], abs=0.02)
    assert seen.share_on_face == pytest.approx(0.75, abs=0.01)


def test_a_head_that_turns_under_steady_eyes_is_no_saccade():
    curves = still(20)
    turn = 0.2 * np.sin(np.arange(len(curves)) / FPS * 4)
    curves[:, arkit.INDEX["headYaw"]] = turn
    for eye in (arkit.LEFT_EYE, arkit.RIGHT_EYE):
        curves[:, eye.start] = -turn
    seen = observe([FaceAnimation(curves, FPS)])
    assert len(seen.saccades) == 0
    assert np.median(seen.head_deviations[:, 0]) == pytest.approx(np.degrees(0.2 / 2**0.5), rel=0.05)


def test_a_silent_face_is_alive_and_calm():
    idle = observe([finish(FaceAnimation(still(90), FPS), seed=seed) for seed in (1, 2)])
    values = {name: (value, low, high) for name, value, low, high in figures(idle, idle)}
    for name in (
        "blinks a minute, silent",
        "median length of a blink, ms",
        "median fixation, ms",
        "time on the face, %, silent",
        "head yaw in 15 s, degrees, silent",
        "fastest eyes and head, share of people's fastest",
    ):
        value, low, high = values[name]
        assert low <= value <= high, (name, value)
    assert charts(idle, idle).width == 1100


def test_people_are_as_fast_as_their_fastest_frame_on_either_side():
    curves = still(0.1)
    curves[3, arkit.INDEX["eyeBlinkLeft"]] = 0.5
    speed = measure_speed([FaceAnimation(curves, FPS)])
    assert speed[arkit.INDEX["eyeBlinkRight"]] == speed[arkit.INDEX["eyeBlinkLeft"]] == pytest.approx(0.5 * FPS)
    assert np.isfinite(human_speed()).all() and (human_speed() > 0.5).all()
