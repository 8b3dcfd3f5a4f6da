"""Options that the trainings share: which faces to learn from, how long and how fast."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from talker.cli.output import Flag, Folders, OptionalPath, told
from talker.errors import TalkerError

if TYPE_CHECKING:
    from talker.training.course import Lessons
    from talker.training.loop import LoopOptions


@dataclass(frozen=True)
class Pace:
    """How long and how fast to learn."""

    steps: int
    """Optimiser steps."""
    learning_rate: float
    """Peak learning rate."""
    seed: int = 0
    """Decides initial weights, batches and dropout."""
    bfloat16: Flag = False
    """Compute in bfloat16: nearly twice as fast on processors that have it."""
    resume: Flag = False
    """Continue from the last checkpoint in the output folder."""

    def options(self, **more: Any) -> "LoopOptions":
        """As the training loop takes them."""
        from talker.training.loop import LoopOptions

        return LoopOptions(self.steps, self.learning_rate, self.seed, bfloat16=self.bfloat16, **more)


@dataclass(frozen=True)
class FilmedFaces:
    """Shards to learn from, made by `talker prepare` or `talker.training.taught`."""

    shards: Folders = ()
    """Folders of shards: their training part is learnt from, their validation part judges."""
    weights: Annotated[tuple[str, ...], told("SET=WEIGHT")] = ()
    """How often to draw from a set, relative to the others; 1 where nothing is said, 0 for never."""
    shippable: Flag = False
    """Learn only from clips under licences that let the weights be given to anybody."""

    def lessons(self, **more: Any) -> "Lessons":
        """As the stages take them."""
        from talker.training.course import Lessons

        if not self.shards:
            raise TalkerError("give --shards to learn from; `talker prepare` makes them")
        return Lessons(self.shards, set_weights(self.weights), self.shippable, **more)


@dataclass(frozen=True)
class NativeFaces:
    """Or takes in another motion space."""

    takes: OptionalPath = None
    """Folder of takes: train/NAME.wav with train/NAME.npz beside it, and the same below validation."""
    space: Annotated[str, tyro.conf.arg(metavar="SPACE")] = "flame"
    """What they hold and the weights will speak: flame (.npz), or metahuman (.json with board, EmoFace's .txt)."""


def set_weights(given: tuple[str, ...]) -> Mapping[str, float]:
    """Of texts such as "grid_s1=2"."""
    weights = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            weights[name] = float(number)
        except ValueError:
            weights[name] = -1.0
        if not 0 <= weights[name] < float("inf"):
            raise TalkerError(f"--weights {text}: write the name of a set and a number, such as grid_s1=0.5")
    return weights
