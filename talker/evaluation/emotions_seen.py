"""Which emotions are seen in a talker's faces on unseen voices, how strong, and what they do to the lips.

    python -m talker.evaluation.emotions_seen --shards shards --photographs facial_emotion_recognition-0.3.4.tar.gz

Two judges look: one that knows talker's head and its idea of every emotion, and, if its archive is given, one that
knows photographs only (`talker.evaluation.face_emotion`), which never heard of contempt.
"""

import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE
from talker.cli.program import run_program
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.evaluation import metrics
from talker.evaluation.clips import Clip, clips_of_shards, mouth_of
from talker.evaluation.face_emotion import SEEN, FaceEmotionJudge, draw_faces, frames_to_draw, named
from talker.evaluation.lip_reading import see_emotion
from talker.evaluation.talking import talked
from talker.models.readers import EVALUATION_READERS, Readers, load_readers
from talker.models.speech_encoder import FEATURE_FPS
from talker.render.portrait import Portrait, portrait_of

if TYPE_CHECKING:
    from talker.inference import Model


@dataclass
class Sightings:
    """What was seen at one intensity; rows are the emotions that were asked for.

    Attributes:
        seen: (8, 8) clips by the emotion that talker's judge sees.
        by_photographs: (8, 7) the same by `SEEN` of the judge that knows photographs.
        strength: Per emotion, how strong it looks in each clip.
        gap: Per emotion, the correlation of the lip gap with the landmarks in each clip.
    """

    seen: np.ndarray = field(default_factory=lambda: np.zeros((len(EMOTIONS), len(EMOTIONS)), int))
    by_photographs: np.ndarray = field(default_factory=lambda: np.zeros((len(EMOTIONS), len(SEEN)), int))
    strength: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    gap: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def accuracy(self) -> float:
        """Share of the clips in which talker's judge sees what was asked for, every emotion counting the same."""
        return float(np.mean(np.diag(self.seen) / self.seen.sum(1)))

    @property
    def accuracy_by_photographs(self) -> float:
        """The same of the other judge, over the seven emotions that it knows."""
        shares = self.by_photographs / np.maximum(self.by_photographs.sum(1, keepdims=True), 1)
        return float(np.mean([shares[EMOTIONS.index(name), column] for column, name in enumerate(SEEN)]))


@dataclass(frozen=True)
class EmotionsSeen:
    """Let a talker feel every emotion at several intensities, and tell what is seen."""

    shards: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR")]
    """Folders made by `talker prepare`."""
    photographs: Annotated[Path | None, tyro.conf.arg(metavar="TAR.GZ")] = None
    """Archive of the judge that knows photographs."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "default"
    """Weights to judge: "default", or a folder written by `talker train`."""
    readers: Annotated[str, tyro.conf.arg(metavar="NAME")] = EVALUATION_READERS
    """Talker's own judge."""
    sets: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SET")] = ("first_impressions", "javanese")
    """Of the shards: those whose voices the weights have not heard."""
    clips: int = 14
    """Of the validation split, spread over the speakers."""
    seconds: float = 5.0
    """Of each clip."""
    intensities: tuple[float, ...] = (1.0, 2 / 3, 1 / 3)
    """Of the emotions."""

    def run(self) -> None:
        """Judge and print."""
        from talker.inference import load_model

        clips = some_clips(self.shards, self.sets, self.clips, self.seconds)
        other = None if self.photographs is None else FaceEmotionJudge(self.photographs)
        found = look(load_model(self.model), clips, self.intensities, load_readers(self.readers), other)
        print("\n\n".join(report(found)))  # noqa: T201


def some_clips(shards: Sequence[Path], sets: Sequence[str], count: int, seconds: float) -> list[Clip]:
    """Clips of the validation split, of all speakers in turn."""
    of_speaker: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in clips_of_shards(shards, "validation"):
        if clip.set in sets:
            of_speaker[clip.set, clip.speaker].append(clip)
    if not of_speaker:
        raise TalkerError(f"no clip of {', '.join(sets)} in the validation split of {', '.join(map(str, shards))}")
    in_turn = [clip for clip in chain(*zip_longest(*of_speaker.values())) if clip is not None]
    return [_beginning(clip, seconds) for clip in in_turn[:count]]


def look(
    model: "Model",
    clips: Sequence[Clip],
    intensities: Sequence[float],
    readers: Readers,
    other: FaceEmotionJudge | None = None,
) -> dict[float, Sightings]:
    """What is seen of every emotion at each intensity."""
    found = {intensity: Sightings() for intensity in intensities}
    portrait = None if other is None else portrait_of(None)
    for clip in clips:
        neutral = talked(model, clip)
        unmoved = None if other is None or portrait is None else _evidence(other, portrait, neutral)
        for intensity, sightings in found.items():
            for row, label in enumerate(EMOTIONS):
                curves = talked(model, clip, label, intensity) if row else neutral
                shares, strength = see_emotion(readers, FaceAnimation(curves, FEATURE_FPS))
                sightings.seen[row, shares.argmax()] += 1
                sightings.strength[row].append(strength)
                gap = mouth_of(curves)[: clip.frames, 0]
                sightings.gap[row].append(metrics.agreement(gap, clip.mouth[:, 0], clip.seen, FEATURE_FPS).r)
                if other is not None and portrait is not None and unmoved is not None:
                    sightings.by_photographs[row, named(_evidence(other, portrait, curves), unmoved)] += 1
    return found


def report(found: dict[float, Sightings]) -> list[str]:
    """Tables: what is seen at each intensity, then what grows with it, then what becomes of the lips."""
    parts = []
    for intensity, sightings in found.items():
        asked = f"asked for at {intensity:.0%} (rows), seen as (columns), clips"
        parts.append(f"{_table(sightings.seen, EMOTIONS, asked)}\nright: {sightings.accuracy:.2f}")
        if sightings.by_photographs.any():
            title = f"the same by the judge who knows photographs, {intensity:.0%}"
            right = f"right, of what it knows: {sightings.accuracy_by_photographs:.2f}"
            parts.append(f"{_table(sightings.by_photographs, SEEN, title)}\n{right}")
    return [*parts, _strengths(found), _gaps(found)]


def _strengths(found: dict[float, Sightings]) -> str:
    """How strong each emotion looks at each intensity, and in which share of the clips it grows at every step."""
    rising = sorted(found)
    lines = ["strength seen".ljust(16) + "".join(f"{i:>8.0%}" for i in rising) + "   grows at every step in"]
    for row, label in enumerate(EMOTIONS[1:], start=1):
        by_clip = np.array([found[intensity].strength[row] for intensity in rising])
        grows = float((np.diff(by_clip, axis=0) > 0).all(0).mean())
        lines.append(f"{label:<16}" + "".join(f"{v:8.2f}" for v in by_clip.mean(1)) + f"   {grows:.0%} of the clips")
    return "\n".join(lines)


def _gaps(found: dict[float, Sightings]) -> str:
    """The median correlation of the lip gap under each emotion at the highest intensity, and how far from neutral's."""
    gap = found[max(found)].gap
    medians = {label: float(np.nanmedian(gap[row])) for row, label in enumerate(EMOTIONS)}
    lines = [f"lip gap r at {max(found):.0%}".ljust(22) + "against neutral"]
    lines += [f"{label:<16}{r:6.3f}{r - medians['neutral']:+12.3f}" for label, r in medians.items()]
    return "\n".join(lines)


def _table(counts: np.ndarray, columns: Sequence[str], title: str) -> str:
    lines = [title, " " * 10 + "".join(f"{name:>11}" for name in columns)]
    lines += [f"{name:<10}" + "".join(f"{n:11d}" for n in row) for name, row in zip(EMOTIONS, counts, strict=True)]
    return "\n".join(lines)


def _evidence(judge: FaceEmotionJudge, portrait: Portrait, curves: np.ndarray) -> np.ndarray:
    return judge.evidence(draw_faces(curves[frames_to_draw(len(curves))], portrait)).mean(0)


def _beginning(clip: Clip, seconds: float) -> Clip:
    frames = round(seconds * FEATURE_FPS)
    samples = clip.samples[: round(seconds * NETWORK_RATE)]
    tracks = (track[:frames] for track in (clip.curves, clip.mouth, clip.seen, clip.silent))
    return Clip(clip.set, clip.name, clip.speaker, samples, *tracks)


if __name__ == "__main__":
    sys.exit(run_program(EmotionsSeen))
