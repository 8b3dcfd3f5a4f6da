"""All the finishing steps in their order, each with its strength."""

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from talker.animation import FaceAnimation
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.finishing.blinks import BlinkRates, blink
from talker.finishing.closure import close_lips
from talker.finishing.contrast import add_contrast
from talker.finishing.cues import hear
from talker.finishing.gaze import look, plan_gaze
from talker.finishing.head import breathe, move_head
from talker.finishing.kept import keep_closures
from talker.finishing.look_at import parse_look_at
from talker.finishing.silence import rest_in_silence
from talker.finishing.speed import slow_down
from talker.finishing.tongue import move_tongue
from talker.phones import PHONES
from talker.rigs import arkit

_MOST = 3.0


@dataclass(frozen=True)
class FinishingOptions:
    """How much of what; 0 leaves a step out, 1 is usual.

    Attributes:
        blinks: How often the eyes blink.
        gaze: How far and how soon the eyes leave what they look at.
        head: How much the head moves.
        breath: How deep the breaths are that are seen.
        tongue: How far the tongue's tip comes for th, l, t, d and n, where phones are given.
        contrast: How much of the contrast between open and shut lips is given back that a network's caution takes.
        silence: How much of what the mouth does in silence is taken away, at most all.
        closure: How much of the gap that is left at p, b and m is closed, at most all; under every emotion alike.
        speed: How much of what is faster than people's faces is taken away, at most all.
        look_at: `camera`, `X,Y,Z` in metres (to the subject's left, up, forward), or a timeline `left@2 camera@4`.
        blink_rates: `conversation` (about 20 a minute) or `emoface`, the statistics of that paper (about 30).
        cuts: Seconds at which the picture cuts; no blink comes in the first frames after one.
    """

    blinks: float = 1.0
    gaze: float = 1.0
    head: float = 1.0
    breath: float = 1.0
    tongue: float = 1.0
    contrast: float = 1.0
    silence: float = 1.0
    closure: float = 1.0
    speed: float = 1.0
    look_at: str = "camera"
    blink_rates: BlinkRates = "conversation"
    cuts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, float) and not 0.0 <= value <= _MOST:
                raise TalkerError(f"the strength of {field.name} must lie in 0..{_MOST:g}, not {value:g}")
        parse_look_at(self.look_at)
        if not all(math.isfinite(cut) for cut in self.cuts):
            raise TalkerError(f"the times of cuts are seconds, not {', '.join(f'{cut:g}' for cut in self.cuts)}")


def finish(
    take: FaceAnimation,
    strengths: np.ndarray | None = None,
    options: FinishingOptions | None = None,
    seed: int = 0,
    phones: np.ndarray | None = None,
    speech: np.ndarray | None = None,
) -> FaceAnimation:
    """The take with all that speech does not say.

    Args:
        take: A face that talks; its sound is listened to, and without sound it is taken to be silent.
        strengths: (T, 8) emotions over the take's frames, rows summing to 1; neutral when None.
        options: What to do how much.
        seed: Same take, options and seed: same bytes.
        phones: (N, phones) at 50 Hz, as `talker.models.speech.Speech.phone_probabilities` tells them: the tongue needs
            them, and closures are surer with them.
        speech: (T, 61) of a face that says the same and feels nothing, where the take feels something: its lips close
            when these do.
    """
    options = options or FinishingOptions()
    fps, count = take.fps, take.frame_count
    strengths = _checked(strengths, count)
    if phones is not None and (phones.ndim != 2 or phones.shape[1] != len(PHONES) or len(phones) == 0):
        raise TalkerError(f"phones must have shape (frames, {len(PHONES)}), not {phones.shape}")
    cues = hear(take.audio, take.duration)
    curves = _spoken(take.curves, fps, phones, options, take.curves if speech is None else speech)
    if options.silence > 0:
        curves = rest_in_silence(curves, fps, cues, strengths, phones, options.silence)
    if options.tongue > 0:
        curves = move_tongue(curves, fps, phones, options.tongue)
    gaze = None
    if options.gaze > 0:
        gaze = plan_gaze(cues, strengths, fps, parse_look_at(options.look_at), options.gaze, seed)
    if options.breath > 0:
        curves = breathe(curves, fps, cues, options.breath, seed)
    if options.head > 0:
        curves = move_head(curves, fps, cues, strengths, gaze, options.head, seed)
    if gaze is not None:
        curves = look(curves, fps, gaze, options.gaze, seed)
    if options.blinks > 0:
        curves = blink(curves, fps, cues, strengths, gaze, options.blinks, options.blink_rates, options.cuts, seed)
    if options.speed > 0:
        curves = slow_down(curves, fps, options.speed)
    return replace(take, curves=curves)


def _spoken(
    curves: np.ndarray, fps: float, phones: np.ndarray | None, options: FinishingOptions, speech: np.ndarray
) -> np.ndarray:
    """The curves with lips as clear as people's: what speech lacks is found without the mood, and the mood stays."""
    said = speech
    if options.contrast > 0:
        said = add_contrast(said, options.contrast)
    if options.closure > 0:
        said = close_lips(said, fps, phones, options.closure)
    if curves is speech:
        return said
    shapes = slice(0, arkit.SHAPE_COUNT)
    felt = np.array(curves)
    felt[:, shapes] = np.clip(curves[:, shapes] + (said - speech)[:, shapes], 0.0, 1.0)
    return keep_closures(felt, said, options.closure) if options.closure > 0 else felt


def _checked(strengths: np.ndarray | None, count: int) -> np.ndarray:
    if strengths is None:
        neutral = np.zeros((count, len(EMOTIONS)))
        neutral[:, EMOTIONS.index("neutral")] = 1.0
        return neutral
    if strengths.shape != (count, len(EMOTIONS)) or not np.isfinite(strengths).all():
        raise TalkerError(f"strengths must be finite and of shape ({count}, {len(EMOTIONS)}), not {strengths.shape}")
    return np.asarray(strengths, np.float64)
