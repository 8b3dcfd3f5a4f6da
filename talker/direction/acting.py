"""Neutral speech curves performed with emotion: what a talker learns its emotions from.

The speech stays readable: lips that meet still meet, wide vowels stay the widest, round ones round. `acting.json` says
which of its numbers were learnt from actors and which were built; `talker.training.emotion_statistics` writes it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from talker.emotion import EMOTIONS
from talker.models.speech_encoder import FEATURE_FPS
from talker.resources import rigs_dir
from talker.rigs import arkit
from talker.rigs.lips import Lips

_RESPONSE = 0.62  # A third of an emotion must be seen to be one: intensity counts by this power.

# Eye distances between the lips up to which they count as shut, and from which on they are free to show what they feel.
_SHUT_GAP, _PARTED_GAP = 0.008, 0.06
_YIELDS_TO_ROUNDING = 0.65
_YIELDS_TO_OPENING = 0.6
_OPENING = ("jawOpen", "mouthFunnel", "mouthLowerDown", "mouthUpperUp")
_CLOSING = ("mouthPress", "mouthRoll", "mouthShrugLower")
_WIDENING = ("mouthSmile", "mouthStretch", "mouthDimple")
_LOWER_FACE = ("jaw", "mouth")
_RIVALS = (
    *(("mouthSmile", "mouthFrown"), ("mouthSmile", "mouthFunnel"), ("mouthSmile", "mouthShrugLower")),
    *(("browDown", "browOuterUp"), ("browDown", "browInnerUp"), ("eyeWide", "eyeSquint"), ("eyeWide", "eyeBlink")),
    *(("mouthUpperUp", "mouthRollUpper"), ("mouthLowerDown", "mouthRollLower"), ("jawOpen", "mouthPress")),
)

# The upper face follows the voice: by how much more of it shows at full effort, and at an emphasised syllable.
_PER_EFFORT, _USUAL_EFFORT = 0.7, 0.4
_PER_EMPHASIS, _EMPHASIS_GAP = 0.25, 0.06
_EMPHASIS_SECONDS, _SURROUNDINGS_SECONDS = 0.22, 1.6
_LIVELINESS = (0.65, 1.4)

_WOBBLE_HZ = (0.25, 1.4)
_WOBBLE_WAVES = 3
_LOWER_WOBBLE_SHARE = 0.5


def perform(
    curves: np.ndarray, strengths: np.ndarray, effort: np.ndarray | None = None, seed: int | None = None
) -> np.ndarray:
    """Speak the same words in another mood. Neutral stays exactly what it was.

    Args:
        curves: (..., T, 52..61) of neutral speech at 50 Hz; what comes after the 52 shapes is passed on as it is.
        strengths: (..., T, 8) shares of `EMOTIONS`, summing to 1 in each frame.
        effort: (..., T) vocal effort, 0..1, where `talker hear` has measured it.
        seed: Of the unsteadiness of a living face; None is a steady one.

    Returns:
        float32 of the shape of `curves`, its shapes in [0, 1].
    """
    acting = _acting()
    out = np.array(curves, np.float32)
    speech = out[..., : arkit.SHAPE_COUNT]
    lip_gap = speech @ acting.gap
    shown = acting.shown(np.asarray(strengths, np.float32)[..., 1:])
    upper, lower = shown * _liveliness(lip_gap, effort)[..., None], shown
    if seed is not None:
        upper, lower = acting.unsteady(upper, lower, np.random.default_rng(seed))
    pose = np.where(acting.lower_face, lower @ acting.poses, upper @ acting.poses)
    pose -= acting.conflicts(pose, shown)

    free = parted(lip_gap)[..., None]
    rounded = np.clip(speech[..., acting.rounding].sum(-1, keepdims=True), 0.0, 1.0)
    pose *= 1.0 - acting.opening * (1.0 - free)
    pose *= 1.0 - acting.closing * _YIELDS_TO_OPENING * free
    pose *= 1.0 - acting.widening * _YIELDS_TO_ROUNDING * rounded
    pose[..., acting.eye_wide] *= 1.0 - speech[..., acting.eye_blink]  # A blink closes wide eyes too.

    amplitude = 1.0 + shown @ (acting.amplitude - 1.0)
    speech = speech * (1.0 - shown @ acting.damped)
    speech[..., acting.lower_face] *= amplitude[..., None]
    wanted_gap = amplitude * lip_gap + free[..., 0] * (lower @ acting.parting)
    performed = np.clip(speech + pose * (1.0 - np.minimum(speech, 1.0)), 0.0, 1.0)
    out[..., : arkit.SHAPE_COUNT] = acting.with_gap(performed, wanted_gap)
    return out


def parted(lip_gap: np.ndarray) -> np.ndarray:
    """(...) eye distances -> 0 where speech shuts the lips, up to 1 where they are free to show what they feel."""
    share = np.clip((lip_gap - _SHUT_GAP) / (_PARTED_GAP - _SHUT_GAP), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


@dataclass(frozen=True, eq=False)
class _Acting:
    """The table as arrays, and which shapes do what; E = 7 emotions, neutral being none.

    `poses` and `damped` are (E, 52), `amplitude`, `parting`, `wobble` and `onset` (E,); `gap` (52,) is what a shape
    adds to the lip gap; `opening`, `closing`, `widening` and `lower_face` are (52,) masks, the others column numbers.
    """

    poses: np.ndarray
    damped: np.ndarray
    amplitude: np.ndarray
    parting: np.ndarray
    wobble: np.ndarray
    onset: np.ndarray
    gap: np.ndarray
    opening: np.ndarray
    closing: np.ndarray
    widening: np.ndarray
    lower_face: np.ndarray
    rounding: np.ndarray
    eye_wide: np.ndarray
    eye_blink: np.ndarray
    rivals: np.ndarray

    def shown(self, strengths: np.ndarray) -> np.ndarray:
        """(..., T, E) strengths -> how much of each emotion a face shows, which takes a while to change."""
        from scipy.signal import lfilter

        shown = np.empty_like(strengths)
        for column, seconds in enumerate(self.onset):
            # Two equal smoothers after one another start and end gently; most of the way is done after `seconds`.
            keep = float(np.exp(-3.0 / (seconds * FEATURE_FPS)))
            values = strengths[..., column]
            for _ in range(2):
                values, _ = lfilter([1.0 - keep], [1.0, -keep], values, axis=-1, zi=keep * values[..., :1])
            shown[..., column] = values
        total = np.clip(shown.sum(-1, keepdims=True), 1e-6, 1.0)
        return (shown * total ** (_RESPONSE - 1.0)).astype(np.float32)

    def unsteady(
        self, upper: np.ndarray, lower: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Both (..., T, E), swelling and fading slowly, each in its own way."""
        above, below = (_waves(upper.shape[:-1], random)[..., None] for _ in range(2))
        wobble = self.wobble
        return upper * np.clip(1.0 + wobble * above, 0.3, 1.7), lower * (1.0 + _LOWER_WOBBLE_SHARE * wobble * below)

    def conflicts(self, pose: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """What to take away where two emotions pull one part of the face in opposite directions.

        A pair that one emotion shows by itself (fear raises and lowers brows) is none.
        """
        one, other = self.rivals
        alone = shown @ np.minimum(self.poses[:, one], self.poses[:, other])
        excess = np.maximum(np.minimum(pose[..., one], pose[..., other]) - alone, 0.0)
        taken = np.zeros_like(pose)
        for column in range(len(one)):
            for shape in (one[column], other[column]):
                taken[..., shape] = np.maximum(taken[..., shape], excess[..., column])
        return taken

    def with_gap(self, performed: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """(..., 52) the lips as far apart as wanted (...), by moving the jaw, then by less of all that opens them."""
        jaw = arkit.INDEX["jawOpen"]
        missing = wanted - performed @ self.gap
        moved = np.clip(performed[..., jaw] + missing / self.gap[jaw], 0.0, 1.0)
        missing += (performed[..., jaw] - moved) * self.gap[jaw]
        performed[..., jaw] = moved
        opening = performed * self.opening
        less = np.clip(-missing / np.maximum(opening @ self.gap, 1e-6), 0.0, 1.0)
        return performed - opening * less[..., None]


@lru_cache(maxsize=1)
def _acting() -> _Acting:
    table = json.loads((rigs_dir() / "emotions" / "acting.json").read_text(encoding="utf-8"))
    rows = [table[label] for label in EMOTIONS[1:]]

    def numbers(name: str) -> np.ndarray:
        return np.array([row[name][0] for row in rows], np.float32)

    def shapes(name: str) -> np.ndarray:
        out = np.zeros((len(rows), arkit.SHAPE_COUNT), np.float32)
        for values, row in zip(out, rows, strict=True):
            for stem, (value, _) in row[name].items():
                values[_columns([stem])] = value
        return out

    pairs = [(one, other) for a, b in _RIVALS for one, other in zip(*_both_sides(a, b), strict=True)]
    return _Acting(
        poses=shapes("shapes"),
        damped=shapes("damped"),
        amplitude=numbers("mouth_amplitude"),
        parting=numbers("parting"),
        wobble=numbers("wobble"),
        onset=numbers("onset_seconds"),
        gap=Lips.of_default_head().rows[:, 0].numpy(),
        opening=_mask(_OPENING),
        closing=_mask(_CLOSING),
        widening=_mask(_WIDENING),
        lower_face=_mask(_LOWER_FACE) > 0,
        rounding=_columns(["mouthPucker", "mouthFunnel"]),
        eye_wide=_columns(["eyeWide"]),
        eye_blink=_columns(["eyeBlink"]),
        rivals=np.array(pairs).T,
    )


def _liveliness(lip_gap: np.ndarray, effort: np.ndarray | None) -> np.ndarray:
    """(..., T) how much of an emotion the upper face shows at each moment, about 1."""
    opened = np.maximum(lip_gap, 0.0)
    emphasis = _smoothed(opened, _EMPHASIS_SECONDS) - _smoothed(opened, _SURROUNDINGS_SECONDS)
    lively = 1.0 + _PER_EMPHASIS * np.clip(emphasis / _EMPHASIS_GAP, -0.4, 1.0)
    if effort is not None:
        lively = lively + _PER_EFFORT * (np.asarray(effort, np.float32) - _USUAL_EFFORT)
    return np.clip(lively, *_LIVELINESS).astype(np.float32)


def _smoothed(values: np.ndarray, seconds: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(values, seconds * FEATURE_FPS / 2.0, axis=-1, mode="nearest", truncate=2.0)


def _waves(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """(..., T) slow smooth noise of deviation 1."""
    seconds = np.arange(shape[-1], dtype=np.float32) / FEATURE_FPS
    per_wave = (_WOBBLE_WAVES, *shape[:-1], 1)
    hertz, phase = random.uniform(*_WOBBLE_HZ, per_wave), random.uniform(0.0, 2.0 * np.pi, per_wave)
    waves = np.sin((2.0 * np.pi * hertz * seconds + phase).astype(np.float32))
    return waves.sum(0) * np.float32(np.sqrt(2.0 / _WOBBLE_WAVES))


def _columns(stems: Iterable[str]) -> np.ndarray:
    """Of shapes named with or without a side."""
    names = [n for stem in stems for n in ([stem] if stem in arkit.INDEX else [f"{stem}Left", f"{stem}Right"])]
    return np.array([arkit.INDEX[name] for name in names])


def _both_sides(one: str, other: str) -> tuple[np.ndarray, np.ndarray]:
    a, b = _columns([one]), _columns([other])
    count = max(len(a), len(b))
    return np.resize(a, count), np.resize(b, count)


def _mask(prefixes: tuple[str, ...]) -> np.ndarray:
    return np.array([name.startswith(prefixes) for name in arkit.SHAPES], np.float32)
