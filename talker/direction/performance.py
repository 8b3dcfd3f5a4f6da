"""Speech performed: what the network says, neutral and emotional, kept apart so that a take can be directed again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from talker.audio import NETWORK_RATE, Audio
from talker.direction.mood import Personality, follow
from talker.direction.timeline import EmotionLike, EmotionTimeline
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.phones import PHONES
from talker.rigs import arkit

if TYPE_CHECKING:
    from torch import Tensor

    from talker.inference import Model
    from talker.models.voice_emotion import EmotionListener, VoiceEmotion

LAYER_FPS = 50.0
"""Frames per second of every layer: those of the network."""

AUTO = "auto"
"""In place of an emotion: the one in the voice."""


@dataclass(frozen=True, eq=False)
class Performance:
    """The layers of a take, float32 at 50 Hz.

    Attributes:
        speech: (T, 61) the network's curves under a neutral emotion.
        emotional: (T, 61) the same speech under `strengths`.
        strengths: (T, 8) shares of `talker.emotion.EMOTIONS`.
        effort: (T,) vocal effort, 0..1.
        phones: (T, phones) probabilities of `talker.phones.PHONES`, where the model hears them.
    """

    speech: np.ndarray
    emotional: np.ndarray
    strengths: np.ndarray
    effort: np.ndarray
    phones: np.ndarray | None = None

    @classmethod
    def of_layers(cls, layers: Mapping[str, np.ndarray]) -> "Performance":
        """From the layers of a take that `animate` made."""
        try:
            speech, strengths, effort = (layers[name] for name in ("speech", "strengths", "effort"))
        except KeyError as error:
            raise TalkerError(
                f"the take has no layer {error}: only an .npz by `talker animate` or `talker edit` can be edited"
            ) from error
        performance = cls(speech, layers.get("emotional", speech), strengths, effort, layers.get("phones"))
        frames = len(speech)
        shapes = {"speech": (frames, arkit.CHANNEL_COUNT), "strengths": (frames, len(EMOTIONS)), "effort": (frames,)}
        shapes |= {"emotional": shapes["speech"], "phones": (frames, len(PHONES))}
        for name, layer in performance.layers().items():
            if layer.shape != shapes[name] or not np.isfinite(layer).all():
                raise TalkerError(f"the layer {name} of the take is damaged; animate again")
        return performance

    def layers(self) -> dict[str, np.ndarray]:
        """By name, as a take keeps them; an emotion that is none is left out."""
        layers = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if np.array_equal(self.emotional, self.speech):
            layers["emotional"] = None
        return {name: layer for name, layer in layers.items() if layer is not None}

    def felt(self, gain: float) -> tuple[np.ndarray, np.ndarray]:
        """The curves and strengths with `gain` times the emotion."""
        if gain == 1.0:
            return self.emotional, self.strengths
        curves = self.speech + np.float32(gain) * (self.emotional - self.speech)
        shapes = curves[:, : arkit.SHAPE_COUNT]
        np.clip(shapes, 0.0, 1.0, out=shapes)
        return curves, scaled(self.strengths, gain)


def scaled(strengths: np.ndarray, gain: float) -> np.ndarray:
    """(T, 8) with `gain` times the emotion, neutral taking the rest; never more than a whole emotion."""
    out = strengths.astype(np.float64)
    out[:, 1:] *= gain
    out[:, 1:] /= np.maximum(out[:, 1:].sum(axis=1, keepdims=True), 1.0)
    out[:, 0] = np.maximum(1.0 - out[:, 1:].sum(axis=1), 0.0)
    return out.astype(np.float32)


def perform_speech(
    audio: Audio,
    model: "Model",
    emotion: EmotionLike = "neutral",
    intensity: float = 1.0,
    personality: Personality | None = None,
    seed: int = 0,
    style: str | None = None,
) -> Performance:
    """Run the networks over speech.

    Args:
        audio: The speech.
        model: Loaded networks.
        emotion: What to feel, or "auto".
        intensity: Factor on every emotion.
        personality: How the mood follows the voice under "auto".
        seed: Of the unsteadiness of a living face.
        style: Speaker whose manner to take on, of those that the model has learnt.
    """
    from talker.direction.acting import perform
    from talker.models.speech_encoder import frame_count

    samples = audio.resample(NETWORK_RATE).samples
    frames = frame_count(len(samples))
    if emotion == AUTO:
        felt = _heard(audio, frames, personality or Personality())
    else:
        felt = EmotionTimeline.of(emotion).sample(LAYER_FPS, frames)
    strengths = scaled(felt, intensity)
    calm = not strengths[:, 1:].any()
    learnt = _feels(model) and not calm
    spoken, phones = model.speak(samples, (None, strengths) if learnt else (None,), style)
    effort = np.zeros(frames, np.float32) if calm else _vocal_effort(audio, frames)
    emotional = spoken[-1] if learnt or calm else perform(spoken[0], strengths, effort, _natural(seed))
    # In halves, as the file keeps them: a take that is edited must see what it saw when it was new.
    heard = None if phones is None else phones.astype(np.float16)
    return Performance(spoken[0], emotional, strengths, effort, heard)


def performed_again(
    performance: Performance, emotion: EmotionLike, intensity: float = 1.0, seed: int = 0
) -> Performance:
    """The same speech under another emotion, without the network."""
    if emotion == AUTO:
        raise TalkerError("only `talker animate` can hear the emotion in the voice; give an emotion, or animate again")
    from talker.direction.acting import perform

    strengths = scaled(EmotionTimeline.of(emotion).sample(LAYER_FPS, len(performance.speech)), intensity)
    emotional = perform(performance.speech, strengths, performance.effort, _natural(seed))
    return replace(performance, emotional=emotional, strengths=strengths)


def _natural(seed: int) -> int:
    """Any whole number as one that numpy's generators take."""
    return seed & 0xFFFF_FFFF_FFFF_FFFF


def _feels(model: "Model") -> bool:
    """Whether the model has learnt emotions: its encoder of them starts out as nothing."""
    return bool(model.talker.emotion.output.weight.any())


def _heard(audio: Audio, frames: int, personality: Personality) -> np.ndarray:
    """(frames, 8) the mood that the voice leads to."""
    from talker.models.voice_emotion import TRACK_FPS

    voice = None if personality.voice is None else _voice_in(personality.voice)
    heard = _listener().hear(audio, voice).track.mixture
    return follow(_at_layer_rate(heard, TRACK_FPS, frames), LAYER_FPS, personality)


def _vocal_effort(audio: Audio, frames: int) -> np.ndarray:
    """(frames,) 0..1."""
    from talker.models.voice_emotion import TRACK_FPS, vocal_effort

    return _at_layer_rate(vocal_effort(_voice_network(), audio)[:, None], TRACK_FPS, frames)[:, 0]


def _at_layer_rate(track: np.ndarray, fps: float, frames: int) -> np.ndarray:
    """(S, C) readings, each the average over its slot, as (frames, C) at `LAYER_FPS`, linear in between."""
    slots = (np.arange(len(track)) + 0.5) / fps
    times = np.arange(frames) / LAYER_FPS
    return np.stack([np.interp(times, slots, column) for column in track.T], axis=1).astype(np.float32)


@lru_cache(maxsize=1)
def _listener() -> "EmotionListener":
    from talker.models.voice_emotion import load_listener

    return load_listener()


@lru_cache(maxsize=8)  # A thousand lines of one actor need it once.
def _voice_in(folder: Path) -> "Tensor":
    return _listener().voice_in(folder)


@lru_cache(maxsize=1)
def _voice_network() -> "VoiceEmotion":
    from talker.models.checkpoint import checkpoint_folder
    from talker.models.voice_emotion import load_voice_emotion

    return load_voice_emotion(checkpoint_folder("default") / "voice_emotion")
