"""`auto` hears a mood against what the voice always sounds like, where that is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from talker.audio import Audio
from talker.direction import performance
from talker.direction.mood import Personality
from talker.emotion import EMOTIONS

SAD = EMOTIONS.index("sad")


class FakeListener:
    """Hears everybody as sad, unless it knows that they always sound so."""

    def __init__(self):
        self.folders = []

    def voice_in(self, folder):
        self.folders.append(folder)
        return "always sad"

    def hear(self, audio, voice=None):
        label = SAD if voice is None else 0
        mixture = np.eye(len(EMOTIONS), dtype=np.float32)[np.full(25, label)]
        return SimpleNamespace(track=SimpleNamespace(mixture=mixture))


@pytest.fixture
def listener(monkeypatch):
    fake = FakeListener()
    monkeypatch.setattr(performance, "_listener", lambda: fake)
    performance._voice_in.cache_clear()
    yield fake
    performance._voice_in.cache_clear()


def test_a_known_voice_is_no_mood(listener, tmp_path):
    line = Audio(np.zeros(32_000, np.float32), 16_000)
    assert performance._heard(line, 100, Personality())[-1, SAD] > 0.5
    known = Personality(voice=tmp_path)
    for _ in range(3):
        assert performance._heard(line, 100, known)[-1, SAD] == 0
    assert listener.folders == [tmp_path]  # One actor is listened to once, however many the lines are.
