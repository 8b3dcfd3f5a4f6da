"""What the probe measures, and that it finds what is there to be found."""

from pathlib import Path

import numpy as np
import pytest

from talker.datasets.tracks import TrackedClip
from talker.evaluation import speech_probe
from talker.evaluation.speech_probe import ProbeClip, correlations, read_strangers, train_probe
from talker.tracking.landmarks import LANDMARK_COUNT


def face(gap: float, width: float, chin: float, scale: float) -> np.ndarray:
    """(478, 2) pixels; lengths in outer eye distances, of which one is `scale` pixels."""
    points = np.full((LANDMARK_COUNT, 2), np.nan, np.float32)
    points[[33, 263]] = [[-0.5, 0], [0.5, 0]]
    points[[61, 291]] = [[-width / 2, 0.8], [width / 2, 0.8]]
    points[[168, 152]] = [[0, 0], [0, chin]]
    for x, (upper, lower) in zip((0.0, -0.1, 0.1), ((13, 14), (82, 87), (312, 317)), strict=True):
        points[[upper, lower]] = [[x, 0.8], [x, 0.8 + gap]]
    return scale * points


def test_measures_are_distances_in_eye_distances():
    wanted = np.array([[0.0, 0.6, 1.2], [0.2, 0.5, 1.4]])
    points = np.stack([face(*wanted[0], scale=80), face(*wanted[1], scale=200)])
    clip = TrackedClip("a", 25.0, points, np.ones(2, bool), Path())
    np.testing.assert_allclose(speech_probe._measures(clip), wanted, atol=1e-6)


def test_only_people_that_no_training_saw_are_strangers(monkeypatch):
    everybody = [
        ProbeClip(name, np.zeros(0), np.zeros((0, 3)), np.zeros(0, bool)) for name in ("01-01", "03-01", "07-02")
    ]
    monkeypatch.setattr(speech_probe, "read_clips", lambda folder: everybody)
    assert [clip.id for clip in read_strangers(Path("javanese"))] == ["03-01", "07-02"]
    assert read_strangers(Path("first_impressions")) == everybody


@pytest.mark.train
@pytest.mark.slow
def test_a_probe_hears_what_features_tell_and_nothing_else(monkeypatch):
    monkeypatch.setattr(speech_probe, "_STEPS", 80)
    random = np.random.default_rng(0)
    features, clips = [], []
    for number in range(12):
        heard = np.repeat(random.standard_normal((20, 6)), 10, axis=0).astype(np.float32)
        measured = np.stack([heard[:, 0], heard[:, 1], random.standard_normal(200)], axis=1).astype(np.float32)
        features.append(heard)
        clips.append(ProbeClip(str(number), np.zeros(64_000, np.float32), measured, np.arange(200) > 20))
    probe = train_probe(features[:8], clips[:8], seed=0)
    gap, width, chin = correlations(probe, features[8:], clips[8:])
    assert min(gap, width) > 0.7 and abs(chin) < 0.3
