"""Whether emotions leave the lips' closures where speech has them, and whether mouths stay as slow as people's.

`python -m talker.evaluation.kept_closures SOUNDS` animates every sound of a folder neutral, in each other emotion and
under emotions that change, and compares what comes out. Closures are those of `talker.evaluation.metrics` that lie
within phrases.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro

from talker.animation import FaceAnimation
from talker.audio import Audio, read_audio
from talker.cli.program import run_program
from talker.direction.animate import animate
from talker.emotion import EMOTIONS
from talker.evaluation.clips import mouth_of
from talker.evaluation.metrics import CLOSED, TOLERANCE, closures
from talker.finishing.cues import hear
from talker.finishing.speed import human_speed
from talker.rigs import arkit

if TYPE_CHECKING:
    from talker.inference import Model

TIMELINES = ("neutral@0 happy@2 angry@4", "sad@0 surprised@1~0.1 happy@1.6~0.1 fear@3~2", "angry:0.4@0 contempt@2~0")
"""Emotions that change while the mouth speaks, at once and slowly."""


@dataclass(frozen=True)
class Kept:
    """The closures of one face against those of the neutral one that says the same.

    Attributes:
        neutral: How many the neutral face has.
        moved: How many are more than a frame away.
        lost: How many are not there.
        invented: How many there are where the neutral lips are apart.
        farthest: Frames by which the farthest is away.
    """

    neutral: int = 0
    moved: int = 0
    lost: int = 0
    invented: int = 0
    farthest: float = 0.0

    def __add__(self, other: "Kept") -> "Kept":
        """Both together."""
        return Kept(
            self.neutral + other.neutral,
            self.moved + other.moved,
            self.lost + other.lost,
            self.invented + other.invented,
            max(self.farthest, other.farthest),
        )


def kept(neutral: FaceAnimation, felt: FaceAnimation) -> Kept:
    """Compare the closures' middles, each with the nearest within `TOLERANCE`."""
    theirs, left = (_closures(take) for take in (neutral, felt))
    moved = lost = 0
    farthest = 0.0
    for middle in theirs:
        near = min(left, key=lambda other: abs(other - middle), default=np.inf)
        away = abs(near - middle)
        if away > TOLERANCE * neutral.fps:
            lost += 1
            continue
        left.remove(near)
        farthest = max(farthest, away)
        moved += away > 1.0
    shut = np.flatnonzero(_gap(neutral) <= CLOSED)
    invented = sum(bool(np.abs(shut - middle).min(initial=np.inf) > 1.0) for middle in left)
    return Kept(len(theirs), moved, lost, invented, farthest)


def fastest(take: FaceAnimation) -> tuple[float, str]:
    """How fast the channel is that is fastest against people's fastest, and its name."""
    if take.frame_count < 2:
        return 0.0, arkit.CHANNELS[0]
    share = np.abs(np.diff(take.curves, axis=0)).max(axis=0) * take.fps / human_speed()
    return float(share.max()), arkit.CHANNELS[int(share.argmax())]


def compare(audio: Audio, model: "Model", fps: float) -> Iterator[tuple[str, Kept, tuple[float, str]]]:
    """Every emotion and timeline: its text, its closures, its fastest channel."""
    calm = animate(audio, model=model, fps=fps)
    for emotion in (*EMOTIONS, *TIMELINES):
        take = calm if emotion == "neutral" else animate(audio, emotion=emotion, model=model, fps=fps)
        yield emotion, kept(calm, take), fastest(take)


def main(sounds: Annotated[tuple[Path, ...], tyro.conf.Positional], fps: float = 60.0, model: str = "default") -> None:
    """Measure what emotions do to closures.

    Args:
        sounds: Recordings, or folders of them.
        fps: Of the faces.
        model: Weights.
    """
    from talker.inference import load_model

    networks = load_model(model)
    total: dict[str, Kept] = {}
    speed: dict[str, tuple[float, str]] = {}
    for path in _files(sounds):
        for emotion, closed, fast in compare(read_audio(path), networks, fps):
            total[emotion] = total.get(emotion, Kept()) + closed
            speed[emotion] = max(speed.get(emotion, fast), fast)
    for emotion, all_of in total.items():
        share, channel = speed[emotion]
        print(  # noqa: T201
            f"{emotion:48} {all_of.neutral:4} closures: {all_of.moved:3} moved, {all_of.lost:3} lost, "
            f"{all_of.invented:3} invented, farthest {all_of.farthest:.1f} frames; {channel} {share:.2f} of people's"
        )


def _closures(take: FaceAnimation) -> list[float]:
    """Middles of those within phrases: how a mouth rests in a pause is up to the mood."""
    gap = _gap(take)
    middles = closures(gap, np.ones(len(gap), bool), take.fps).mean(axis=1)
    phrases = hear(take.audio, take.duration).phrases if take.audio else np.array([[0.0, take.duration]])
    starts, ends = phrases.T * take.fps
    return [middle for middle in middles.tolist() if np.any((starts <= middle) & (middle <= ends))]


def _gap(take: FaceAnimation) -> np.ndarray:
    return mouth_of(take.curves)[:, 0]


def _files(sounds: tuple[Path, ...]) -> list[Path]:
    files = [[path] if path.is_file() else sorted(path.iterdir()) for path in sounds]
    return [path for group in files for path in group if path.suffix in (".wav", ".flac", ".opus", ".mp3")]


if __name__ == "__main__":
    sys.exit(run_program(main))
