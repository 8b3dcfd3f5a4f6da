"""Lips of a talker and of people, read by the same reader."""

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.evaluation import lips_read
from talker.evaluation.clips import Clip, clip_of_take
from talker.evaluation.lips_read import read_set
from talker.phones import index
from talker.rigs import arkit

JAW = arkit.INDEX["jawOpen"]


def test_errors_are_counted_against_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = np.zeros((40, arkit.CHANNEL_COUNT), np.float32)
    curves[:, JAW] = np.repeat([0.0, 0.5, 0.0, 0.5], 10)
    clip = clip_of_take(FaceAnimation(curves, 50.0), "clip")
    said = np.repeat([index("m"), index("a"), index("m"), index("a")], 10)

    def jaw_reader(_: object, take: FaceAnimation) -> list[str]:
        shapes = ["m" if jaw < 0.2 else "a" for jaw in take.curves[::10, JAW]]
        return [shape for i, shape in enumerate(shapes) if i == 0 or shape != shapes[i - 1]]

    def mumbles(*_: object) -> np.ndarray:
        return np.maximum(curves, 0.3)  # Never shuts its mouth: one long vowel.

    monkeypatch.setattr(lips_read, "phones_said", lambda *_: said)
    monkeypatch.setattr(lips_read, "read_phones", jaw_reader)
    monkeypatch.setattr(lips_read, "talked", mumbles)
    errors = read_set(None, None, None, [clip, clip], {})  # type: ignore[arg-type]
    assert errors == {"phone": (0.0, 0.75), "mouth shape": (0.0, 0.75)}


def test_clips_are_spread_over_each_set() -> None:
    still = np.zeros((10, arkit.CHANNEL_COUNT), np.float32)
    clips = [clip_of_take(FaceAnimation(still, 50.0), str(number)) for number in range(9)]
    some: dict[str, list[Clip]] = lips_read._some_of_each_set(clips, 3)
    assert [clip.name for clip in some["takes"]] == ["0", "4", "8"]
