"""Blinks: when they come, and what lids and brows do.

Sources of the figures: 17 a minute at rest and 26 in conversation, log-normal (Bentivoglio et al. 1997); EmoFace's fit
of rates on MEAD; lids close in about 100 ms and open in about twice that.
"""

from typing import Literal

import numpy as np

from talker.emotion import EMOTIONS
from talker.finishing.cues import Cues
from talker.finishing.gaze import Gaze
from talker.finishing.motion import eased, random_of
from talker.rigs import arkit

LOOK_AHEAD = 1.0
"""Seconds: a blink waits for the end of a phrase or a turn of the eyes that is about to come."""

BlinkRates = Literal["conversation", "emoface"]

LIDS: tuple[int, ...] = tuple(
    i for i, name in enumerate(arkit.CHANNELS) if name.startswith(("eyeBlink", "eyeWide", "brow"))
)
"""The channels that this step owns."""

RATES: dict[str, tuple[float, float]] = {"conversation": (float(np.log(21.0)), 0.5), "emoface": (3.518, 0.532)}
"""Mean and deviation of the logarithm of blinks per minute."""

CUT_FRAMES = 5
"""No blink in so many frames after a cut, where it would look like a mistake of the cut."""

_TALKING, _IDLE = 1.2, 0.8
_RAREST = 1e-9  # Blinks per minute: never, and still a number of seconds.
_EMOTION_RATE = {
    "neutral": 1.0,
    "happy": 1.1,
    "sad": 0.9,
    "surprised": 0.45,
    "fear": 1.35,
    "disgusted": 1.0,
    "angry": 0.7,
    "contempt": 0.85,
}
_SHORTEST_INTERVAL = 0.45  # Seconds, from start to start.
_DOUBLE, _DOUBLE_INTERVAL = 0.05, 0.42
_PARTIAL, _PARTIAL_DEPTH = 0.12, (0.5, 0.8)
_CLOSE, _CLOSED, _OPEN = (0.102, 0.12), 0.02, (0.17, 0.27)  # Seconds.
_LONGEST = _CLOSE[1] + _CLOSED + _OPEN[1]
_REACH = 0.6  # Seconds that a blink moves to meet the end of a phrase or a turn of the eyes.
_LARGE_SHIFT = np.radians(8.0)
_WIDE, _STARTLED = 0.35, 2.0  # Opening of the eyes, and for how many seconds after it nobody blinks.

# What squinting and looking down have closed already, against the whole of a blink: lid gaps of the default head.
_SQUINT_CLOSES, _LOOK_DOWN_CLOSES = 0.35, 0.52
_BROW_LOWERS, _BROW_RAISES_LESS = 0.05, 0.12


def blink(
    curves: np.ndarray,
    fps: float,
    cues: Cues,
    strengths: np.ndarray,
    gaze: Gaze | None = None,
    amount: float = 1.0,
    rates: BlinkRates = "conversation",
    cuts: tuple[float, ...] = (),
    seed: int = 0,
) -> np.ndarray:
    """(T, 61) with blinks. Owns `LIDS`; looks `LOOK_AHEAD` ahead.

    Args:
        curves: Of the face.
        fps: Frames per second.
        cues: Of its sound.
        strengths: (T, 8) emotions.
        gaze: Whose turns draw blinks.
        amount: How often, against the usual.
        rates: Whose statistics.
        cuts: Seconds at which the picture cuts; the start is one.
        seed: Of the chance in it.
    """
    out = np.array(curves, np.float32)
    closing, shut = _closing(
        len(curves), fps, plan_blinks(curves, fps, cues, strengths, gaze, amount, rates, cuts, seed)
    )
    for side in ("Left", "Right"):
        lid, wide, squint, down = (arkit.INDEX[f"eye{part}{side}"] for part in ("Blink", "Wide", "Squint", "LookDown"))
        room = 1.0 - _SQUINT_CLOSES * out[:, squint] - _LOOK_DOWN_CLOSES * out[:, down]
        # Aiming at the room there is when shut, lids do not also run after eyes that turn meanwhile.
        out[:, lid] = np.maximum(out[:, lid], np.minimum(out[:, lid] + closing * (room - out[:, lid])[shut], room))
        out[:, wide] *= 1.0 - closing
        out[:, arkit.INDEX[f"browDown{side}"]] += _BROW_LOWERS * closing * (1 - out[:, arkit.INDEX[f"browDown{side}"]])
        out[:, arkit.INDEX[f"browOuterUp{side}"]] *= 1.0 - _BROW_RAISES_LESS * closing
    out[:, arkit.INDEX["browInnerUp"]] *= 1.0 - _BROW_RAISES_LESS * closing
    return out


def plan_blinks(
    curves: np.ndarray,
    fps: float,
    cues: Cues,
    strengths: np.ndarray,
    gaze: Gaze | None,
    amount: float,
    rates: BlinkRates,
    cuts: tuple[float, ...],
    seed: int,
) -> np.ndarray:
    """(B, 4): start, seconds to close, seconds to open, depth; arguments as of `blink`."""
    random = random_of(seed, "blinks")
    duration = len(curves) / fps
    drawn_by = _attractions(cues, gaze)
    startled = _startled(curves, fps)
    per_minute = np.array([_EMOTION_RATE[emotion] for emotion in EMOTIONS])
    mean, deviation = RATES[rates]
    blinks: list[tuple[float, float, float, float]] = []
    time = 0.0
    while amount > 0 and time < duration:
        normal = float(np.clip(random.standard_normal(), -2.5, 2.5))
        draws = random.random(5)
        mood = strengths[min(int(time * fps), len(strengths) - 1)]
        talking = np.any((cues.phrases[:, 0] < time + LOOK_AHEAD) & (cues.phrases[:, 1] > time - LOOK_AHEAD))
        rate = np.exp(mean + deviation * normal) * float(mood @ per_minute) * (_TALKING if talking else _IDLE) * amount
        # The first interval had begun before the take did.
        wish = time + max(60.0 / max(rate, _RAREST) * (draws[0] if time == 0 else 1.0), _SHORTEST_INTERVAL)
        start = _allowed(_drawn(wish, time + _SHORTEST_INTERVAL, drawn_by), fps, cuts, startled)
        close, reopen = (low + (high - low) * draws[1] for low, high in (_CLOSE, _OPEN))
        partial = draws[2] < _PARTIAL
        low, high = _PARTIAL_DEPTH
        blinks.append((start, close, reopen, low + (high - low) * draws[3] if partial else 1.0))
        if draws[4] < _DOUBLE:
            start = _allowed(start + _DOUBLE_INTERVAL, fps, cuts, startled)
            blinks.append((start, close, reopen, 1.0))
        time = start
    return np.array(blinks).reshape(-1, 4)


def _attractions(cues: Cues, gaze: Gaze | None) -> np.ndarray:
    """Seconds, in order, at which people like to blink."""
    shifts = np.zeros(0) if gaze is None else gaze.start[gaze.size > _LARGE_SHIFT]
    return np.sort(np.concatenate([cues.phrases[:, 1], shifts]))


def _drawn(wish: float, earliest: float, drawn_by: np.ndarray) -> float:
    """The attraction nearest to a wished time, if one is near."""
    near = drawn_by[np.searchsorted(drawn_by, max(wish - _REACH, earliest)) : np.searchsorted(drawn_by, wish + _REACH)]
    return float(near[np.argmin(np.abs(near - wish))]) if len(near) else wish


def _startled(curves: np.ndarray, fps: float) -> np.ndarray:
    """Seconds, in order, at which the eyes go wide."""
    wide = curves[:, [arkit.INDEX["eyeWideLeft"], arkit.INDEX["eyeWideRight"]]].max(axis=1) > _WIDE
    return np.flatnonzero(wide & ~np.r_[False, wide[:-1]]) / fps


def _allowed(start: float, fps: float, cuts: tuple[float, ...], startled: np.ndarray) -> float:
    """The first time from `start` on that is neither in a startled look nor right after a cut."""
    last = int(np.searchsorted(startled, start + _CLOSE[1], "right")) - 1
    if last >= 0:
        start = max(start, float(startled[last]) + _STARTLED)
    for cut in sorted((0.0, *cuts)):
        if cut - _LONGEST - 1 / fps <= start < cut + (CUT_FRAMES + 1) / fps:
            start = cut + (CUT_FRAMES + 1) / fps
    return start


def _closing(count: int, fps: float, blinks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T,) how far the lids close, and (T,) the frame in which they meet."""
    closing, meeting = np.zeros(count, np.float32), np.arange(count)
    for start, close, reopen, depth in blinks:
        if start * fps >= count:  # Who hardly blinks may do so in a million years.
            continue
        # The lids meet on a frame, or a film at 24 a second would never show them shut.
        shut = np.ceil((start + close) * fps - 1e-6) / fps
        first, last = max(int((shut - close) * fps), 0), int((shut + _CLOSED + reopen) * fps) + 2
        times = np.arange(first, min(last, count)) / fps - shut
        lids = eased(1 + times / close) * (1 - eased(np.maximum((times - _CLOSED) / reopen, 0.0) ** 0.65))
        more = depth * lids > closing[first:last]
        closing[first:last][more] = (depth * lids)[more]
        meeting[first:last][more] = min(round(shut * fps), count - 1)
    return closing, meeting
