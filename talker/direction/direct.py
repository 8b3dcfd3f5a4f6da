"""How a take is played, as one value that is kept with it, and the take that follows from it and the layers."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from talker.animation import FaceAnimation, plain_meta
from talker.audio import Audio
from talker.direction.action_units import override, parse_action_units
from talker.direction.performance import LAYER_FPS, Performance, performed_again
from talker.direction.regions import Regions, articulated, shape, smooth_head
from talker.direction.timeline import emotion_track
from talker.errors import TalkerError
from talker.finishing import FinishingOptions, finish
from talker.rigs import arkit

MOST_INTENSITY = 2.0
_MOST_SHIFT = 60.0


@dataclass(frozen=True)
class Direction:
    """How to play a line.

    Attributes:
        emotion: A label, a mixture, keys over time (the text of an `EmotionTimeline`), or "auto".
        intensity: Strength of all emotions, 0..2; 1 is as `emotion` says.
        action_units: Overrides such as "AU12=0.6@1.0-2.0".
        regions: Strength and smoothness of parts of the face.
        finishing: Blinks, gaze, head and all else that speech does not say.
        shift: Seconds by which the face comes later than the sound; negative is earlier.
        seed: Another seed, another performance: blinks, gaze and head fall differently.
    """

    emotion: str = "neutral"
    intensity: float = 1.0
    action_units: str = ""
    regions: Regions = field(default_factory=Regions)
    finishing: FinishingOptions = field(default_factory=FinishingOptions)
    shift: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.intensity <= MOST_INTENSITY:
            raise TalkerError(f"an intensity of {self.intensity:g} is outside 0..{MOST_INTENSITY:g}")
        if not abs(self.shift) <= _MOST_SHIFT:
            raise TalkerError(f"a shift of {self.shift:g} s is outside -{_MOST_SHIFT:g}..{_MOST_SHIFT:g} s")
        parse_action_units(self.action_units)

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return plain_meta(asdict(self))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Direction":
        """What `to_json` wrote; what an older take does not say has its default."""
        try:
            return _built(cls, data)
        except (TypeError, ValueError, AttributeError) as error:
            raise TalkerError(f"the take's direction is damaged ({error}); animate again") from error


def direct(
    performance: Performance, direction: Direction, performed: Direction, audio: Audio, fps: float, meta: dict[str, Any]
) -> FaceAnimation:
    """The take that follows from a performance.

    Args:
        performance: The layers, which stay as they are.
        direction: How to play them.
        performed: The direction that the layers were made under: its emotion, intensity and seed are in them.
        audio: The sound.
        fps: Frames per second of the take.
        meta: What else to remember.
    """
    curves, strengths = _felt(performance, direction, performed)
    take = _played(curves, performance.speech, direction.regions, audio, fps)
    moved = not np.array_equal(curves, performance.speech)
    speech = _played(performance.speech, performance.speech, direction.regions, audio, fps).curves if moved else None
    times = np.minimum(take.times * LAYER_FPS, len(strengths) - 1)
    felt = np.stack([np.interp(times, np.arange(len(strengths)), column) for column in strengths.T], axis=1)
    felt /= felt.sum(axis=1, keepdims=True)
    phones = None if performance.phones is None else performance.phones.astype(np.float32)
    cuts = tuple(cut - direction.shift for cut in (0.0, *direction.finishing.cuts))
    options = replace(direction.finishing, cuts=cuts)
    finished = finish(take, felt, options, direction.seed, phones, speech).curves
    finished = _shifted(smooth_head(finished, fps, direction.regions.head_smooth), fps, direction.shift)
    return FaceAnimation(
        override(finished, fps, parse_action_units(direction.action_units)),
        fps,
        audio,
        {
            **meta,
            "emotion": emotion_track(strengths, LAYER_FPS),
            "direction": direction.to_json(),
            "performed": {"emotion": performed.emotion, "intensity": performed.intensity, "seed": performed.seed},
        },
        performance.layers(),
    )


def _played(curves: np.ndarray, speech: np.ndarray, regions: Regions, audio: Audio, fps: float) -> FaceAnimation:
    """A layer with what each part of the face does with it, at the rate and of the length of the take."""
    curves = articulated(curves, speech, regions.articulation)
    take = FaceAnimation(arkit.eye_angles_from_looks(shape(curves, LAYER_FPS, regions)), LAYER_FPS, audio)
    take = take.resample(fps)
    frames = max(1, math.ceil(audio.duration * fps - 1e-6))  # The last 50th of a second may outlast the sound.
    return replace(take, curves=take.curves[:frames])


def _felt(performance: Performance, direction: Direction, performed: Direction) -> tuple[np.ndarray, np.ndarray]:
    """Curves and strengths under the emotion that is wanted: from the layers where they have it."""
    if direction.emotion != performed.emotion:
        again = performed_again(performance, direction.emotion, direction.intensity, performed.seed)
        return again.emotional, again.strengths
    if direction.intensity == performed.intensity:
        return performance.emotional, performance.strengths
    if performed.intensity == 0:
        raise TalkerError("the take was animated at intensity 0: there is no emotion in it to strengthen")
    return performance.felt(direction.intensity / performed.intensity)


def _shifted(curves: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """Whole frames later, held at the ends."""
    frames = np.arange(len(curves)) - round(seconds * fps)
    return curves[np.clip(frames, 0, len(curves) - 1)]


def _built(kind: Any, data: Mapping[str, Any]) -> Any:
    """A dataclass, with dataclasses in it, from plain values; unknown names are left out."""
    values = {}
    for each in fields(kind):
        if each.name in data:
            value = data[each.name]
            default = each.default_factory() if callable(each.default_factory) else each.default
            if is_dataclass(default):
                value = _built(type(default), value)
            values[each.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)
