"""Parts of the face, each stronger or weaker, calmer or not; how clearly it articulates; how uneven it is."""

from dataclasses import dataclass, field

import numpy as np

from talker.errors import TalkerError
from talker.rigs import arkit

MOST_STRENGTH, MOST_SECONDS = 3.0, 2.0

_CHANNELS_OF = {
    name: np.array([i for i, channel in enumerate(arkit.CHANNELS) if arkit.region(channel) in parts])
    for name, parts in (
        *(("mouth", ("mouth", "jaw", "tongue")), ("brows", ("brows",)), ("cheeks", ("cheeks", "nose"))),
        ("head", ("head",)),
    )
}
# Blinks and gaze have strengths of their own: of the eyes, only what expresses something is left.
_CHANNELS_OF["eyes"] = np.array([i for i, name in enumerate(arkit.CHANNELS) if name.startswith(("eyeSq", "eyeWi"))])
_CLOSED_GAP, _CLOSURE_SECONDS = 0.04, 0.08


@dataclass(frozen=True)
class Region:
    """A part of the face.

    Attributes:
        strength: Factor on its movement.
        smooth: Seconds over which its movement is averaged, without lag: half of them lie ahead.
    """

    strength: float = 1.0
    smooth: float = 0.0

    def __post_init__(self) -> None:
        _require("the strength of a region", self.strength, 0.0, MOST_STRENGTH)
        _require("the smoothing of a region", self.smooth, 0.0, MOST_SECONDS)


@dataclass(frozen=True)
class Regions:
    """What each part of the face does with what it is given.

    Attributes:
        mouth: Lips, jaw and tongue, in speech as in emotion.
        brows: Both brows.
        eyes: How lids squint and widen; blinks and gaze are steps of their own.
        cheeks: Cheeks and nose.
        articulation: Clearness of speech: 0.6 mumbles, 1.4 over-articulates. The emotion stays.
        asymmetry: -1..1; above 0 the subject's left side moves less, below 0 the right.
        head_smooth: Seconds over which the head's movement is averaged, without lag.
    """

    mouth: Region = field(default_factory=Region)
    brows: Region = field(default_factory=Region)
    eyes: Region = field(default_factory=Region)
    cheeks: Region = field(default_factory=Region)
    articulation: float = 1.0
    asymmetry: float = 0.0
    head_smooth: float = 0.0

    def __post_init__(self) -> None:
        _require("articulation", self.articulation, 0.0, MOST_STRENGTH)
        _require("asymmetry", self.asymmetry, -1.0, 1.0)
        _require("the smoothing of the head", self.head_smooth, 0.0, MOST_SECONDS)


def articulated(curves: np.ndarray, speech: np.ndarray, amount: float) -> np.ndarray:
    """(T, 61) with `amount` times the speech, (T, 61), that is in it. Owns the mouth."""
    if amount == 1.0:
        return curves
    out = np.array(curves, np.float32)
    mouth = _CHANNELS_OF["mouth"]
    out[:, mouth] = np.clip(out[:, mouth] + np.float32(amount - 1.0) * speech[:, mouth], 0.0, 1.0)
    return out


def shape(curves: np.ndarray, fps: float, regions: Regions) -> np.ndarray:
    """(T, 61) with the strength, smoothness and asymmetry of each region. Owns all but head, gaze and blinks."""
    out = np.array(curves, np.float32)
    for name in ("mouth", "brows", "eyes", "cheeks"):
        region: Region = getattr(regions, name)
        out = _smoothed(out, _CHANNELS_OF[name], fps, region.smooth)
        out[:, _CHANNELS_OF[name]] = np.clip(region.strength * out[:, _CHANNELS_OF[name]], 0.0, 1.0)
    if regions.mouth.smooth > 0:
        out = _closures_kept(out, curves, fps)
    if regions.asymmetry:
        weaker = "Left" if regions.asymmetry > 0 else "Right"
        channels = [i for i in _one_sided() if arkit.CHANNELS[i].endswith(weaker)]
        out[:, channels] *= np.float32(1.0 - abs(regions.asymmetry))
    return out


def smooth_head(curves: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """(T, 61) with a calmer head; half of the seconds lie ahead. Owns the head."""
    return _smoothed(np.array(curves, np.float32), _CHANNELS_OF["head"], fps, seconds)


def _smoothed(curves: np.ndarray, channels: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """In place, by a centred window: nothing comes late."""
    half = round(seconds * fps / 2)
    if half:
        from scipy.ndimage import convolve1d

        window = np.hanning(2 * half + 3)[1:-1].astype(np.float32)
        curves[:, channels] = convolve1d(curves[:, channels], window / window.sum(), axis=0, mode="nearest")
    return curves


def _closures_kept(smoothed: np.ndarray, curves: np.ndarray, fps: float) -> np.ndarray:
    """The lips as they were around every moment in which they were shut: smoothing must not open them."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d

    shut = (arkit.lip_aperture(curves) < _CLOSED_GAP).astype(np.float32)
    reach = max(1, round(_CLOSURE_SECONDS * fps))
    # Wide enough that the soft edge begins only outside of the closure.
    kept = gaussian_filter1d(maximum_filter1d(shut, 2 * reach + 1, mode="nearest"), reach / 3, mode="nearest")
    kept = np.maximum(kept, shut)[:, None]
    lips = list(arkit.LIP_CLOSING_CHANNELS)
    smoothed[:, lips] += kept * (curves[:, lips] - smoothed[:, lips])
    return smoothed


def _one_sided() -> list[int]:
    """Channels that asymmetry weakens: lids and gaze go together, and a shift to one side has no other side."""
    paired = {name for name in arkit.SHAPES if arkit.partner(name) != name}
    together = ("eyeBlink", "eyeLook", "jaw", "mouthLeft", "mouthRight")
    return [arkit.INDEX[name] for name in sorted(paired) if not name.startswith(together)]


def _require(what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise TalkerError(f"{what} is {value:g}; it lies in {low:g}..{high:g}")
