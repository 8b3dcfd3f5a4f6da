"""Fit `sync_weights.json` and say how well it tells delays: `python -m talker.datasets.fit_sync DATA [--write]`.

Fitted on grid_s1 and javanese, which are in sync; checked on first_impressions, whose delays were measured apart.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from talker.audio import NETWORK_RATE, Audio
from talker.datasets import sync
from talker.datasets.talker_sets import read_talker_sets
from talker.files import atomic_output
from talker.tracking.landmarks import LandmarkTrack, read_track_set

TRAINING = ("grid_s1", "javanese")
CHECKED = "first_impressions"

_EVERY = {"grid_s1": 4}  # Three hundred clips of one man in one grammar say as much as nine hundred.
_RIDGE = 300.0
_INNER_LIPS = ((82, 87), (13, 14), (312, 317))


def fit(data: Path) -> np.ndarray:
    """(F,) weights of the regression."""
    count = len(sync.sound_features(Audio(np.zeros(NETWORK_RATE), NETWORK_RATE))[0])
    gram, right = np.zeros((count, count)), np.zeros(count)
    for name in TRAINING:
        for audio, track in _clips(data / name, _EVERY.get(name, 1)):
            features = sync.sound_features(audio)
            seen, sure = sync.at_feature_rate(lip_gap(track), track.fps, track.found, len(features))
            if sure.sum() < sync.RATE:
                continue
            seen = sync.without_trend(seen)
            wanted = (seen[sure] - seen[sure].mean()) / max(seen[sure].std(), 1e-9)
            gram = gram + features[sure].T @ features[sure]
            right = right + features[sure].T @ wanted
    return np.linalg.solve(gram + _RIDGE * np.eye(len(right)), right)


def check(data: Path) -> np.ndarray:
    """(clips, 3): measured delay, its uncertainty, and the delay measured apart, in seconds."""
    known = {clip.id: clip.mouth_after_audio for clip in read_talker_sets(data / CHECKED)}
    rows = []
    for audio, track in _clips(data / CHECKED, 1):
        if known[track.name] is not None:
            delay = sync.measure_delay(audio, lip_gap(track), track.fps, track.found)
            rows.append((delay.seconds, delay.uncertainty, known[track.name]))
    return np.array(rows)


def lip_gap(track: LandmarkTrack) -> np.ndarray:
    """(T,) distance of the inner lips in pixels, of the eye distance."""
    points = track.points()
    points[~track.found] = 0
    unit = np.linalg.norm((points[:, 33] - points[:, 263])[:, :2], axis=1)
    gaps = [np.linalg.norm((points[:, a] - points[:, b])[:, :2], axis=1) for a, b in _INNER_LIPS]
    return np.mean(gaps, axis=0) / np.maximum(unit, 1.0)


def _clips(folder: Path, every: int) -> Iterator[tuple[Audio, LandmarkTrack]]:
    for number, track in enumerate(read_track_set(folder)):
        if number % every == 0 and track.found.sum() > 1 and track.audio is not None:
            yield track.audio, track


def main() -> None:
    """Fit, write if wanted, report."""
    data = Path(sys.argv[1])
    if "--write" in sys.argv:
        weights = [round(float(weight), 6) for weight in fit(data)]
        with atomic_output(sync.WEIGHTS_PATH) as temporary:
            temporary.write_text(json.dumps({"fitted on": TRAINING, "weights": weights}) + "\n", encoding="utf-8")
    measured, uncertainty, known = check(data).T
    error = 1000 * (measured - known)
    bias = np.median(error)
    spread = np.abs(error - bias)
    print(  # noqa: T201
        f"{CHECKED}: {len(error)} clips, mean error {np.abs(error).mean():.1f} ms; median {bias:.1f} ms, and around it "
        f"{spread.mean():.1f} ms on average, {np.percentile(spread, 90):.1f} ms at 90 %; "
        f"stated uncertainty {1000 * np.median(uncertainty):.1f} ms"
    )


if __name__ == "__main__":
    main()
