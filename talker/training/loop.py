"""One training loop for every stage: resumable, reproducible, with averaged weights as the result."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from talker.errors import TalkerError
from talker.files import atomic_output
from talker.training import processes

_STATE_FILE = "training.safetensors"


@dataclass(frozen=True)
class LoopOptions:
    """How to train.

    Attributes:
        steps: Optimiser steps in all.
        learning_rate: Its peak, after a short warm-up; it then falls to zero along a half cosine.
        seed: Decides initial weights, batches and dropout.
        checkpoint_seconds: Time between saved states.
        average: Decay of the moving average of the weights, which is what is kept in the end.
        bfloat16: Compute matrix products in bfloat16: nearly twice as fast on processors that have it.
    """

    steps: int
    learning_rate: float = 1e-3
    seed: int = 0
    checkpoint_seconds: float = 180.0
    average: float = 0.998
    bfloat16: bool = False


class TrainingLoop:
    """Steps an optimiser over batches that depend on the seed and the step number only.

    Because of that a resumed run repeats an uninterrupted one, and no generator state has to be stored. Under
    `torchrun` every process learns from batches of its own (see `talker.training.processes`); all take the same steps.
    """

    def __init__(self, modules: nn.Module, folder: Path, options: LoopOptions) -> None:
        self.modules = modules
        self.folder = folder
        self.options = options
        self.step = 0
        self.averaged = {name: value.detach().clone() for name, value in modules.state_dict().items()}
        decayed = [p for p in modules.parameters() if p.ndim > 1]
        kept = [p for p in modules.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.02}, {"params": kept, "weight_decay": 0.0}],
            lr=options.learning_rate,
            betas=(0.9, 0.98),
        )

    def run(
        self,
        loss_at: Callable[[int], Tensor],
        on_checkpoint: Callable[["TrainingLoop"], None],
    ) -> list[float]:
        """Train from the current step to the last one.

        Args:
            loss_at: The loss of the batch that belongs to a step number.
            on_checkpoint: Called after every save and at the end.

        Returns:
            The loss of every step taken.
        """
        from rich.console import Console
        from rich.progress import Progress

        losses: list[float] = []
        saved = time.monotonic()
        first = processes.number() == 0
        processes.share_weights(self.modules)
        with Progress(console=Console(stderr=True), transient=True, disable=not first) as progress:
            bar = progress.add_task("training", total=self.options.steps, completed=self.step)
            while self.step < self.options.steps:
                losses.append(self._take_step(loss_at))
                recent = sum(losses[-50:]) / len(losses[-50:])
                progress.update(bar, completed=self.step, description=f"loss {recent:.4f}")
                due = time.monotonic() - saved > self.options.checkpoint_seconds or self.step == self.options.steps
                if due and first:
                    self.save()
                    on_checkpoint(self)
                    saved = time.monotonic()
        return losses

    def _take_step(self, loss_at: Callable[[int], Tensor]) -> float:
        torch.manual_seed((self.options.seed * 1_000_003 + self.step) * processes.count() + processes.number())
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * _schedule(self.step, self.options.steps)
        self.modules.train()
        device = next(self.modules.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.options.bfloat16):
            loss = loss_at(self.step)
        if not torch.isfinite(loss):
            raise TalkerError(f"the loss is {loss.item()} at step {self.step}; lower the learning rate")
        self.optimiser.zero_grad()
        loss.backward()
        processes.average_gradients(self.modules)
        nn.utils.clip_grad_norm_(self.modules.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(self.options.average, self.step / (self.step + 10))
        with torch.no_grad():
            for name, value in self.modules.state_dict().items():
                self.averaged[name].lerp_(value, 1.0 - decay)
        return loss.item()

    def save(self) -> None:
        """Write everything a resumed run needs."""
        from safetensors.torch import save_file

        tensors = {f"average.{name}": value for name, value in self.averaged.items()}
        tensors |= {f"weights.{name}": value for name, value in self.modules.state_dict().items()}
        for name, parameter in self.modules.named_parameters():
            state = self.optimiser.state.get(parameter, {})
            tensors |= {f"optimiser.{key}.{name}": value for key, value in state.items()}
        with atomic_output(self.folder / _STATE_FILE) as temporary:
            contiguous = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
            save_file(contiguous, temporary, metadata={"step": str(self.step)})

    def resume(self) -> None:
        """Continue from the state in the folder, if there is one."""
        from safetensors import safe_open

        path = self.folder / _STATE_FILE
        if not path.is_file():
            return
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.step = int(file.metadata()["step"])
        try:
            self.modules.load_state_dict({name: tensors[f"weights.{name}"] for name in self.averaged})
            self.averaged = {name: tensors[f"average.{name}"].to(value) for name, value in self.averaged.items()}
            for name, parameter in self.modules.named_parameters():
                keys = ("step", "exp_avg", "exp_avg_sq")
                state = {k: tensors[f"optimiser.{k}.{name}"] for k in keys if f"optimiser.{k}.{name}" in tensors}
                if state:  # The step's count stays off the GPU, where AdamW wants it.
                    self.optimiser.state[parameter] = {
                        key: value if key == "step" else value.to(parameter.device) for key, value in state.items()
                    }
        except (KeyError, RuntimeError) as error:
            raise TalkerError(f"{path} belongs to another configuration; choose another folder for -o") from error


def is_saved(folder: Path) -> bool:
    """Whether a run can be continued there."""
    return (folder / _STATE_FILE).is_file()


def _schedule(step: int, steps: int) -> float:
    """Share of the peak learning rate: linear warm-up, then a half cosine."""
    warm_up = min(200, steps // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
