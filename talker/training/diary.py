"""What a training tells with every checkpoint: a line, a table with its picture, and TensorBoard's files."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from talker.training.board import Board
from talker.training.history import History


class Diary:
    """Takes down the losses of every step, and writes their means beside the figures of a checkpoint.

    Losses and figures are called "KIND NAME", see `History`.
    """

    def __init__(self, folder: Path, resume: bool, say: Callable[[str], None]) -> None:
        self.board = Board(folder)
        self._history = History(folder, resume)
        self._say = say
        self._losses: dict[str, list[float]] = defaultdict(list)

    def note(self, losses: Mapping[str, Tensor]) -> None:
        """The losses of one step."""
        for name, loss in losses.items():
            self._losses[name].append(float(loss.detach()))

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """The figures of a checkpoint, after the mean losses since the one before."""
        row = {name: float(np.mean(values)) for name, values in self._losses.items()} | dict(figures)
        self._losses.clear()
        self._history.add(step, row)
        self.board.add(step, row)
        self._say(f"step {step}: " + ", ".join(f"{name} {value:.4f}" for name, value in row.items()))
