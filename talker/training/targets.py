"""Face curves to learn from, out of tracked landmarks and scores.

Landmarks measure lips better than MediaPipe's own blend-shape scores do (on one GRID speaker `mouthUpperUp`,
`mouthFunnel` and `mouthRoll` hardly move), so the opening and the width of the mouth come from landmarks; the other
channels are scores. What a speaker shows while silent is the shape of the face, not expression, and is subtracted; so
is what a clip shows from beginning to end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talker.datasets.tracks import TrackedClip
from talker.rigs import arkit

# MediaPipe landmark numbers.
_INNER_LIPS = ((13, 14), (82, 87), (312, 317))  # upper and lower: the middle and either side of it
_MOUTH_CORNERS = (61, 291)
_EYE_CORNERS = (33, 263)
_NOSE_BRIDGE, _CHIN = 168, 152

# Aperture of lively but ordinary speech at its widest (95th percentile). How wide somebody opens the mouth cannot be
# heard, and differs by a factor of two between speakers; on the default head this makes a gap like most people's.
_WIDE_APERTURE = 0.45
_WIDE_PERCENTILE = 95.0
# Change of mouth width at full pucker or full stretch, in outer eye distances: the extremes of acted speech.
_FULL_PUCKER, _FULL_STRETCH = 0.16, 0.20
_TOUCHING_PERCENTILE = 3.0  # Everybody's lips touch in more than 3 % of the frames of speech with its pauses.
_FEWEST_REST_FRAMES = 25
_JAW_SECONDS = 0.08  # The jaw follows the lips' opening with about this inertia.

_SCORE_CHANNELS = tuple(
    name
    for name in arkit.SHAPES
    if name.startswith(("mouthSmile", "mouthFrown", "mouthDimple", "mouthRoll", "mouthShrug", "mouthPress"))
    or name.startswith(("mouthUpperUp", "mouthLowerDown", "browInnerUp", "browOuterUp", "browDown"))
)
_GAP_CHANNELS = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthStretchLeft", "mouthStretchRight")
TARGET_CHANNELS: tuple[str, ...] = tuple(n for n in arkit.SHAPES if n in (*_SCORE_CHANNELS, *_GAP_CHANNELS))
"""What speech can tell. Blinks, gaze, the head and the tongue are left at rest."""


@dataclass(frozen=True)
class Speaker:
    """What is constant about a speaker, lengths in outer eye distances.

    Attributes:
        touching: Lip gap when the lips touch.
        wide: Lip gap when they are wide apart in speech.
        width: Width of the resting mouth.
        scores: Scores of the resting face.
    """

    touching: float
    wide: float
    width: float
    scores: dict[str, float]


def lip_gap(clip: TrackedClip) -> np.ndarray:
    """(T,) distance of the inner lips in outer eye distances: the measurement that predictions are judged by."""
    gaps = [_distance(clip, upper, lower) for upper, lower in _INNER_LIPS]
    return np.mean(gaps, axis=0) / _distance(clip, *_EYE_CORNERS)


def mouth_width(clip: TrackedClip) -> np.ndarray:
    """(T,) distance of the mouth corners in outer eye distances."""
    return _distance(clip, *_MOUTH_CORNERS) / _distance(clip, *_EYE_CORNERS)


def chin_drop(clip: TrackedClip) -> np.ndarray:
    """(T,) distance of the chin from the nose bridge in outer eye distances."""
    return _distance(clip, _NOSE_BRIDGE, _CHIN) / _distance(clip, *_EYE_CORNERS)


def measure_speaker(clips: Sequence[TrackedClip], silent: Sequence[np.ndarray]) -> Speaker:
    """The constants of one speaker from all their clips; `silent` tells for each frame whether nothing is heard."""
    found, quiet = np.concatenate([clip.found for clip in clips]), np.concatenate(silent)
    gap = np.concatenate([lip_gap(clip) for clip in clips])
    rest, speech = found & quiet, found & ~quiet
    if rest.sum() < _FEWEST_REST_FRAMES:  # No pauses: take the most closed tenth of the speech instead.
        rest = found & (gap <= np.percentile(gap[found], 10))
    width = np.concatenate([mouth_width(clip) for clip in clips])[rest]
    scores = {name: np.concatenate([clip.scores[name] for clip in clips])[rest] for name in _SCORE_CHANNELS}
    return Speaker(
        float(np.percentile(gap[found], _TOUCHING_PERCENTILE)),
        float(np.percentile(gap[speech], _WIDE_PERCENTILE)),
        float(np.median(width)),
        {name: float(np.median(values)) for name, values in scores.items()},
    )


def target_curves(clip: TrackedClip, speaker: Speaker) -> np.ndarray:
    """(T, 52) float32 weights in [0, 1] at the clip's frame rate; channels not in `TARGET_CHANNELS` are 0."""
    curves = np.zeros((len(clip.found), arkit.SHAPE_COUNT), np.float32)

    def put(name: str, values: np.ndarray) -> None:
        curves[:, arkit.INDEX[name]] = np.clip(values, 0.0, 1.0)

    for name in _SCORE_CHANNELS:
        rest = max(speaker.scores[name], _held(clip.scores[name]))
        put(name, (clip.scores[name] - rest) / (1.0 - rest))
    curves[:] = (curves + curves[:, arkit.MIRROR[: arkit.SHAPE_COUNT]]) / 2  # One face's asymmetry is not speech.

    opening = (lip_gap(clip) - speaker.touching) / max(speaker.wide - speaker.touching, 1e-3)
    aperture = np.clip(_WIDE_APERTURE * opening, 0.0, 1.0)
    jaw = np.maximum(aperture, _smooth(aperture, _JAW_SECONDS * clip.fps))
    put("jawOpen", jaw)
    put("mouthClose", jaw - aperture)

    # A narrow mouth is a funnel where it is open and a pucker where it is shut.
    width = mouth_width(clip)
    narrow = np.clip((speaker.width - width) / _FULL_PUCKER, 0.0, 1.0)
    funnel = np.clip(aperture / 0.15, 0.0, 1.0)
    put("mouthFunnel", narrow * funnel)
    put("mouthPucker", narrow * (1.0 - 0.5 * funnel))
    smile = curves[:, arkit.INDEX["mouthSmileLeft"]]
    wider = width - max(speaker.width, _held(width))
    stretch = wider / _FULL_STRETCH - smile  # A smile widens the mouth as well.
    put("mouthStretchLeft", stretch)
    put("mouthStretchRight", stretch)
    return curves


def _held(values: np.ndarray) -> float:
    """What a clip shows throughout: that is mood, which the talker is not told about, rather than speech."""
    return float(np.percentile(values, 10))


def _distance(clip: TrackedClip, first: int, second: int) -> np.ndarray:
    return np.linalg.norm(clip.points[:, first] - clip.points[:, second], axis=-1)


def _smooth(values: np.ndarray, sigma_frames: float) -> np.ndarray:
    reach = max(1, round(3 * sigma_frames))
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_frames) ** 2)
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")
