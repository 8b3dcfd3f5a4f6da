"""What counts as a closure of the lips is one: in GRID, whose words have times, they stand where lips must meet."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from talker.datasets.phone_times import grid_words
from talker.datasets.tracks import TrackedClip, read_tracks
from talker.evaluation.metrics import closures
from talker.tracking.person import closed_gap

GRID = Path(__file__).parents[2] / "../shared/data/grid_s1"
EVERY, FPS = 9, 50.0  # Clips are in the order of their first words.
NEAR = 0.13  # Seconds between the start of a word, as aligned by its makers, and the middle of its closure.
CLOSING = {"p", "b", "m"}
NEARLY_CLOSING = {"w", "f", "v", "ɹ"}  # This man's lips come as near for them as landmarks can tell.


def lip_gap(clip: TrackedClip) -> np.ndarray:
    inner = [np.linalg.norm(clip.points[:, a] - clip.points[:, b], axis=1) for a, b in ((82, 87), (13, 14), (312, 317))]
    return np.mean(inner, axis=0) / np.linalg.norm(clip.points[:, 33] - clip.points[:, 263], axis=1)


@pytest.mark.skipif(not (GRID / "tracks.npz").is_file(), reason="no ../shared/data")
def test_closures_stand_where_words_begin_with_lips_together() -> None:
    gaps = {clip.id: lip_gap(clip) for clip in islice(read_tracks(GRID), 0, None, EVERY)}
    everything = np.concatenate(list(gaps.values()))
    shut = closed_gap(everything, np.zeros(len(everything), bool))
    words = grid_words(GRID)
    expected, explained = [], []
    for name, gap in gaps.items():
        frames = np.arange(0, len(gap) - 1, 25 / FPS)
        gap = np.interp(frames, np.arange(len(gap)), gap) - shut
        middles = closures(gap, np.ones(len(gap), bool), FPS).mean(axis=1) / FPS
        starts = [(word.start, word.phones[0]) for word in words[name] if word.phones != ("silence",)]
        for start, phone in starts[1:]:  # Before the first word the lips are closed anyhow.
            if phone in CLOSING:
                expected.append(bool(np.any(np.abs(middles - start) < NEAR)))
        lips = np.array([start for start, phone in starts if phone in CLOSING | NEARLY_CLOSING] or [np.inf])
        explained += [bool(np.abs(lips - middle).min() < NEAR) for middle in middles]
    assert len(expected) > 60 and np.mean(expected) > 0.8
    assert len(explained) > 120 and np.mean(explained) > 0.8
