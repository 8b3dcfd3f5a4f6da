"""What a face does at another speed."""

import numpy as np
import pytest

from talker.datasets.moves import Moves, sped_up
from talker.rigs import arkit

RATE, FPS = 16_000, 50


@pytest.mark.parametrize("speed", [0.85, 1.0, 1.2])
def test_speed_takes_the_face_along(speed: float) -> None:
    frames = 3 * FPS
    samples, curves = np.zeros(3 * RATE, np.float32), np.zeros((frames, arkit.CHANNEL_COUNT), np.float32)
    for at in (0.5, 1.3, 2.2):
        samples[round(at * RATE) :][:1600] = 0.5
        curves[round(at * FPS) :][:5, arkit.INDEX["jawOpen"]] = 1
    weight = np.ones(frames, np.float32)
    weight[100] = 0
    moves = Moves(curves, weight, curves[:, [arkit.INDEX["jawOpen"]] * 3], np.zeros(frames, np.float32))
    sound, faster = sped_up(samples, moves, FPS, speed)
    face = faster.curves
    assert len(sound) == pytest.approx(3 * RATE / speed, abs=2) and len(face) == pytest.approx(frames / speed, abs=1)
    loud = np.abs(sound[: len(sound) // 320 * 320]).reshape(-1, 320).max(1)
    jaw = face[: len(loud), arkit.INDEX["jawOpen"]]
    best = np.argmax([np.sum(np.roll(loud, s)[: len(jaw)] * jaw) for s in range(-5, 6)]) - 5
    assert abs(best) <= 1
    assert np.flatnonzero(jaw > 0.5)[0] == pytest.approx(0.5 * FPS / speed, abs=1)
    distrusted = np.flatnonzero(faster.weight == 0)
    assert 1 <= len(distrusted) <= 2 and distrusted[0] == pytest.approx(100 / speed, abs=1)
    assert np.abs(faster.mouth[:, 0] - face[:, arkit.INDEX["jawOpen"]]).max() < 0.5
