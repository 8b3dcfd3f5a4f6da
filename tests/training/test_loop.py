"""The training loop itself, on a network of a few weights."""

import numpy as np
import pytest
import torch

from talker.errors import TalkerError
from talker.training.loop import LoopOptions, TrainingLoop


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))


def test_a_resumed_run_repeats_an_uninterrupted_one(tmp_path):
    def train(folder, stops):
        for i, stop in enumerate(stops):
            modules = network()
            loop = TrainingLoop(modules, folder, LoopOptions(10))
            if i:
                loop.resume()

            def loss_at(step, modules=modules):
                inputs = torch.from_numpy(np.random.default_rng((0, step)).normal(size=(8, 3))).float()
                return modules(inputs).square().mean()

            while loop.step < stop:
                loop._take_step(loss_at)
            loop.save()
        return loop

    once, twice = train(tmp_path / "a", [10]), train(tmp_path / "b", [4, 10])
    for name, value in once.averaged.items():
        torch.testing.assert_close(twice.averaged[name], value, rtol=0, atol=0)


def test_a_state_of_other_sizes_and_a_loss_that_is_no_number_are_told(tmp_path):
    TrainingLoop(network(), tmp_path, LoopOptions(1)).save()
    with pytest.raises(TalkerError, match="belongs to another configuration"):
        TrainingLoop(torch.nn.Linear(3, 4), tmp_path, LoopOptions(1)).resume()
    loop = TrainingLoop(network(), tmp_path, LoopOptions(1))
    with pytest.raises(TalkerError, match="the loss is nan at step 0; lower the learning rate"):
        loop.run(lambda _: torch.tensor(torch.nan), lambda _: None)
