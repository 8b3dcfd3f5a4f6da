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


def fit(data: Path) -> np.ndarray:
    """(F,) weights of the regression."""
    count = len(sync.sound_features(Audio(np.zeros(NETWORK_RATE), NETWORK_RATE))[0])
    gram, right = np.zeros((count, count)), np.zeros(count)
    for name in TRAINING:
        for audio, track in _clips(data / name, _EVERY.get(name, 1)):
            features = sync.sound_features(audio)
            seen, sure = sync.at_feature_rate(sync.lip_opening(track), track.fps, track.found, len(features))
            if sure.sum() < sync.RATE:
                continue
            seen = sync.without_trend(seen)
            wanted = (seen[sure] - seen[sure].mean()) / max(seen[sure].std(), 1e-9)
            gram = gram + features[sure].T @ features[sure]
            right = right + features[sure].T @ wanted
    return np.linalg.solve(gram + _RIDGE * np.eye(len(right)), right)


def check(data: Path, pieces: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Delays against those measured apart, in seconds: (n, 4) measured, its uncertainty, the truth, and surety.

    For every piece of the clips cut into so many parts, and for the parts of a clip taken together.
    """
    known = {clip.id: clip.mouth_after_audio for clip in read_talker_sets(data / CHECKED)}
    apart, together = [], []
    for audio, track in _clips(data / CHECKED, 1):
        truth, matches = known[track.name], []
        opening = sync.lip_opening(track)
        for part in np.array_split(np.arange(track.frame_count), pieces):
            sound = audio.slice(part[0] / track.fps, (part[-1] + 1) / track.fps)
            match = sync.match_clip(sound, opening[part], track.fps, track.found[part])
            if match is not None and truth is not None:
                matches.append(match)
                delay = sync.delay_of([match])
                apart.append((delay.seconds, delay.uncertainty, truth, delay.sure))
        if matches:
            delay = sync.delay_of(matches)
            together.append((delay.seconds, delay.uncertainty, truth, delay.sure))
    return np.array(apart), np.array(together)


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
    for pieces in (1, 4):
        for name, rows in zip(("each", "together"), check(data, pieces), strict=True):
            measured, uncertainty, known, sure = rows.T
            error, bias = 1000 * (measured - known), np.median(1000 * (measured - known))
            moved = 1000 * (np.where(sure, measured, 0) - known)
            print(  # noqa: T201
                f"{CHECKED} in {pieces} pieces, {name}: {len(rows)} of them, mean error {np.abs(error).mean():.1f} ms, "
                f"median {bias:.1f} ms and {np.abs(error - bias).mean():.1f} ms around it; stated uncertainty "
                f"{1000 * np.median(uncertainty):.1f} ms; {np.mean(sure):.0%} sure; "
                f"left after correction {np.abs(moved).mean():.1f} ms, of {1000 * np.abs(known).mean():.1f} ms"
            )


if __name__ == "__main__":
    main()
