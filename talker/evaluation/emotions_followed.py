"""How soon a face shows what a timeline asks for, as talker's judge of emotions sees it.

    python -m talker.evaluation.emotions_followed speech.wav "neutral@0 happy@2 angry@4"

The judge looks at short stretches around every moment, so that what it sees is neither early nor late by itself.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from talker.animation import FaceAnimation
from talker.cli.program import run_program
from talker.direction.animate import animate
from talker.direction.timeline import EmotionTimeline
from talker.evaluation.lip_reading import pictures_of
from talker.models.emotion_net import FACE_FPS
from talker.models.readers import EVALUATION_READERS, Readers, load_readers
from talker.render.crops import face_crop

_WINDOW = 7  # Pictures that the judge looks at for each moment, half a second.
_STEADY = 3  # Moments in a row that show an emotion before it counts as seen.


@dataclass(frozen=True)
class EmotionsFollowed:
    """Animate speech by a timeline, and tell how long after each of its keys the emotion is seen."""

    sounds: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOUND")]
    """Speech."""
    emotion: Annotated[str, tyro.conf.arg(metavar="TIMELINE")] = "neutral@0 happy@2 angry@4"
    """Keys, one emotion each."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Weights to judge: "default", or a folder written by `talker train`."""
    readers: Annotated[str, tyro.conf.arg(metavar="NAME")] = EVALUATION_READERS
    """Who looks."""

    def run(self) -> None:
        """Animate, look and print."""
        from talker.inference import load_model

        model, readers = load_model(self.model), load_readers(self.readers)
        for path in self.sounds:
            take = animate(path, emotion=self.emotion, fps=2 * FACE_FPS, model=model)
            told = [f"{key} {lag:+.2f} s" for key, lag in delays(take, EmotionTimeline.of(self.emotion), readers)]
            print(f"{path.name}: {', '.join(told)}")  # noqa: T201


def delays(take: FaceAnimation, timeline: EmotionTimeline, readers: Readers) -> Iterator[tuple[str, float]]:
    """Each key within the take as it is written, and seconds until its emotion is seen; infinite when it never is."""
    seen, times = watch(take, readers)
    ends = [*(key.time for key in timeline.keys[1:]), take.duration]
    for key, end in zip(timeline.keys, ends, strict=True):
        if key.time < take.duration:
            shown = (seen == np.argmax(key.mixture)) & (times >= key.time) & (times < end)
            there = times[: 1 - _STEADY][np.lib.stride_tricks.sliding_window_view(shown, _STEADY).all(1)]
            yield key.text, float(there[0] - key.time) if len(there) else float("inf")


@torch.inference_mode()
def watch(take: FaceAnimation, readers: Readers) -> tuple[np.ndarray, np.ndarray]:
    """The number of the emotion that is seen around each moment, (N,), and the moments in seconds."""
    pictures = pictures_of(take, face_crop(), FACE_FPS)
    around = torch.arange(_WINDOW) - _WINDOW // 2
    places = (torch.arange(len(pictures))[:, None] + around).clamp(0, len(pictures) - 1)
    seen = torch.cat([readers.emotion(pictures[some]).scores.argmax(-1) for some in places.split(16)])
    return seen.numpy(), np.arange(len(pictures)) / FACE_FPS


if __name__ == "__main__":
    sys.exit(run_program(EmotionsFollowed))
