"""What talkers and motion priors learn: crops of speech and the motion that goes with it, and what counts as wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from talker.datasets.stream import ShardStream, StreamOptions
from talker.direction.acting import perform
from talker.errors import TalkerError
from talker.models.motion_prior import MotionPrior
from talker.models.speech_encoder import FEATURE_FPS
from talker.rigs import arkit
from talker.rigs.lips import Lips
from talker.training import augment, processes
from talker.training.curve_loss import channel_scale, curve_loss, is_spoken
from talker.training.directions import held_strengths, random_strengths
from talker.training.speakers import Speakers

BATCH = 24
CROP_SECONDS = 3.0
LEVELS = 3.0
"""MEAD's levels of intensity."""

_DRAWN_EMOTIONS = 1000
_FELT_SHARE = 0.5  # Of how far emotions move a channel: by all of it, brows would count too little to be learnt soon.
_STYLE_KEPT = 0.5  # Share of crops that are learnt in their speaker's style; the rest make the pivot.

Batch = dict[str, Any]
"""`samples` (B, N) at 16 kHz, `length` (B,), `motion` (B, T, channels), `weight` (B, T) in [0, 1], `strengths`
(B, T, 8) and `style` (B,) that the motion was made in."""


class MotionLoss(Protocol):
    """How wrong (B, T, channels) are that weigh (B, T); `spoken` is the same speech without emotion."""

    def __call__(self, predicted: Tensor, wanted: Tensor, weight: Tensor, *, spoken: Tensor | None = None) -> Tensor:
        """One number."""


@dataclass(frozen=True)
class Course:
    """Something to learn.

    Attributes:
        space: The motion space.
        styles: Speakers whose manner is told by the batches' `style`.
        batches: Endless batches from a step of the training on.
        loss: What counts as wrong.
        perform: (B, T, channels) of neutral speech under (B, T, 8) strengths; None to learn what was acted only.
        validate: Figures of a talker in a folder, called "KIND SET".
        validate_prior: The same of a motion prior, and an error for each channel.
    """

    space: str
    styles: tuple[str, ...]
    batches: Callable[[int], Iterator[Batch]]
    loss: MotionLoss
    perform: Callable[[Tensor, Tensor], Tensor] | None
    validate: Callable[[Path], dict[str, float]]
    validate_prior: Callable[[MotionPrior], tuple[dict[str, float], np.ndarray]]


@dataclass(frozen=True)
class Lessons:
    """Shards to learn ARKit curves from.

    Attributes:
        shards: Folders of shards.
        weights: How often a set is drawn from, relative to the others; 1 for those that are not named, 0 for never.
        shippable: Only clips whose licence lets weights ship.
        exchange: Every crop also under an emotion drawn at random. Without it, each as it was acted, mood included.
        styles: Learn every speaker's manner as a style.
        moods: Share of the crops that keep the mood that their speaker was in, though it is not told of.
        heard: The sound matters: voices, rooms and lines are varied. Without it, only the motion is.
    """

    shards: Sequence[Path]
    weights: Mapping[str, float] | None = None
    shippable: bool = False
    exchange: bool = True
    styles: bool = False
    moods: float = 0.0
    heard: bool = True

    def course(self, seed: int, device: torch.device) -> Course:
        """Read all curves once, and know what is to be learnt."""
        from talker.training.validation import validate, validate_prior

        held_out = ShardStream(self.shards, StreamOptions("validation", seconds=60.0, held=0), rank=0, world_size=1)
        speakers = Speakers.measure(self.shards, "train", self.shippable)
        return Course(
            "arkit",
            tuple(map("/".join, speakers.opening)) if self.styles else (),
            partial(_batches, self, speakers, seed, device),
            spoken_loss(speakers, device),
            _performed if self.exchange else None,
            partial(validate, clips=held_out),
            partial(validate_prior, clips=held_out),
        )


def _batches(lessons: Lessons, speakers: Speakers, seed: int, device: torch.device, step: int) -> Iterator[Batch]:
    options = StreamOptions("train", _weights(lessons, speakers), CROP_SECONDS, speeds=augment.SPEEDS, seed=seed)
    varied = augment.augment if lessons.heard else augment.mute
    stream = ShardStream(lessons.shards, replace(options, shippable=lessons.shippable), varied)
    stream.set_epoch(step)
    styles = list(map("/".join, speakers.opening))
    random = np.random.default_rng([seed, step, processes.number()])
    for batch in DataLoader(stream, BATCH, num_workers=1, prefetch_factor=4):
        emotion = batch["emotion"] if not lessons.exchange else torch.full_like(batch["emotion"], -1)
        level = torch.where(batch["level"] > 0, batch["level"] / LEVELS, 1.0)
        with_mood = (emotion > 0) | torch.from_numpy(random.random(len(emotion)) < lessons.moods)
        batch["motion"] = speakers.targets(batch, with_mood) * is_spoken()
        batch["strengths"] = held_strengths(emotion, level, batch["motion"].shape[1])
        names = map("/".join, zip(batch["set"], batch["speaker"], strict=True))
        known = [styles.index(name) if random.random() < _STYLE_KEPT else -1 for name in names]
        batch["style"] = torch.tensor(known) if lessons.styles else torch.full_like(emotion, -1)
        yield {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}


def _weights(lessons: Lessons, speakers: Speakers) -> dict[str, float]:
    """All sets alike unless told otherwise: one has an hour of one voice, another minutes of several."""
    given = lessons.weights or {}
    unknown = sorted(set(given) - set(speakers.sets))
    if unknown:
        known = ", ".join(speakers.sets)
        raise TalkerError(f"there is no clip of the set '{unknown[0]}' to learn from; there are {known}")
    weights = {name: given.get(name, 1.0) for name in speakers.sets}
    return {name: weight for name, weight in weights.items() if weight > 0}


def spoken_loss(speakers: Speakers, device: torch.device) -> MotionLoss:
    """The loss of ARKit curves, each channel measured by how far these speakers, or an emotion, move it."""
    lips = Lips.of_default_head().to(device)
    said = speakers.deviation * is_spoken().numpy()
    # An emotion moves brows and cheeks ten times as far as speech does: such motion has its own measure.
    strengths = random_strengths(_DRAWN_EMOTIONS, 1, FEATURE_FPS, np.random.default_rng(0))
    felt = _performed(torch.zeros(_DRAWN_EMOTIONS, 1, arkit.SHAPE_COUNT), strengths).std(0)[0].numpy()
    plain, acted = (channel_scale(deviation).to(device) for deviation in (said, np.hypot(said, _FELT_SHARE * felt)))

    def loss(predicted: Tensor, wanted: Tensor, weight: Tensor, *, spoken: Tensor | None = None) -> Tensor:
        return curve_loss(predicted, wanted, weight, plain if spoken is None else acted, lips, spoken)

    return loss


def _performed(motion: Tensor, strengths: Tensor) -> Tensor:
    return torch.from_numpy(perform(motion.cpu().numpy(), strengths.cpu().numpy())).to(motion)
