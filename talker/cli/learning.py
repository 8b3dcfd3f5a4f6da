"""Weights of your own: train them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from talker.cli.output import say


@dataclass(frozen=True)
class Train:
    """Train weights of your own.

    For example:
      talker train talker --data ../shared/data -o mine
      talker train talker --data ../shared/data -o mine --resume
    """

    stage: Annotated[Literal["talker"], tyro.conf.Positional]
    """What to train. talker: speech encoder and talker together, from tracked talking video."""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that holds the sets grid_s1 and javanese, or one of them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, usable with `talker animate --model` from the first checkpoint on."""
    steps: int = 3000
    """Optimiser steps; each hears 24 seconds of speech and takes about half a second on one CPU core."""
    learning_rate: float = 8e-4
    """Peak learning rate."""
    seed: int = 0
    """Decides initial weights, batches and dropout."""
    bfloat16: bool = False
    """Compute in bfloat16: nearly twice as fast on processors that have it."""
    resume: bool = False
    """Continue from the last checkpoint in the output folder."""

    def run(self) -> int:
        """Train and report."""
        from talker.training.loop import LoopOptions
        from talker.training.talker import train_talker

        options = LoopOptions(self.steps, self.learning_rate, self.seed, bfloat16=self.bfloat16)
        train_talker(self.data, self.output, options, resume=self.resume, say=say)
        return 0
