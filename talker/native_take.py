"""A take in the motion space of a network that speaks FLAME or MetaHuman: nothing is lost to ARKit's shapes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from talker.audio import NETWORK_RATE, Audio, read_audio
from talker.errors import TalkerError
from talker.models.motion_space import MotionSpace

if TYPE_CHECKING:
    from talker.direction.direct import Direction
    from talker.inference import Model

_NETWORK_FPS = 50.0


@dataclass(frozen=True, eq=False)
class NativeTake:
    """Motion (T, C) float32 in the channels of a space; frame i is the face at i / fps seconds."""

    space: MotionSpace
    motion: np.ndarray
    fps: float
    audio: Audio | None = None

    def resample(self, fps: float) -> "NativeTake":
        """The same motion at another rate, linear in between."""
        if fps == self.fps:
            return self
        count = max(1, round(len(self.motion) * fps / self.fps))
        place = np.arange(count) * (self.fps / fps)
        columns = [np.interp(place, np.arange(len(self.motion)), column) for column in self.motion.T]
        return replace(self, motion=np.stack(columns, 1).astype(np.float32), fps=fps)


def animate_native(
    source: Path, model: "Model", direction: "Direction", style: str | None = None, fps: float = 60.0
) -> NativeTake:
    """What the network says and feels, as it is: blinks, gaze, head and the rest of directing are ARKit's.

    Args:
        source: A sound or video file.
        model: Loaded networks.
        direction: Its emotion and intensity.
        style: Speaker whose manner to take on, of those that the model has learnt.
        fps: Frames per second of the result.
    """
    from talker.direction.performance import AUTO, scaled
    from talker.direction.timeline import EmotionTimeline
    from talker.models.speech_encoder import frame_count

    if direction.emotion == AUTO:
        raise TalkerError(f"a model that speaks {model.talker.space.name} needs an emotion by name instead of auto")
    audio = read_audio(source)
    samples = audio.resample(NETWORK_RATE).samples
    if len(samples) == 0:
        raise TalkerError(f"{source} is empty: there is nothing to animate")
    felt = EmotionTimeline.of(direction.emotion).sample(_NETWORK_FPS, frame_count(len(samples)))
    motion = model.motion(samples, scaled(felt, direction.intensity), style)
    return NativeTake(model.talker.space, motion, _NETWORK_FPS, audio).resample(fps)
