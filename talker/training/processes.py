"""Several processes that train one network together, as `torchrun` starts them; alone, everything here does nothing.

torchrun --nproc-per-node 4 -m talker train speech …
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed, nn

_PATIENCE = timedelta(hours=12)  # One process hears hours of speech through a teacher while the others wait.


@contextmanager
def together() -> Iterator[None]:
    """Meet the other processes, when `torchrun` started this one, and part again at the end."""
    if "RANK" not in os.environ:
        yield
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)
    if torch.cuda.is_available():
        torch.cuda.set_device(device())
    try:
        yield
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


def number() -> int:
    """Which of them this is; 0 writes the files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def count() -> int:
    """How many there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def device() -> torch.device:
    """What this process computes on: a GPU of its own where there are some."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


@contextmanager
def first_alone() -> Iterator[None]:
    """Process 0 does this while the others wait; when their turn comes they find it done."""
    if count() > 1 and number() > 0:
        distributed.barrier()
    yield
    if count() > 1 and number() == 0:
        distributed.barrier()


def share_weights(network: nn.Module) -> None:
    """Give every process the weights of process 0."""
    if count() > 1:
        for tensor in network.state_dict().values():
            distributed.broadcast(tensor, 0)


def average_gradients(network: nn.Module) -> None:
    """Give every process the mean of all gradients: the same steps from the same weights keep them equal."""
    if count() == 1:
        return
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    # A parameter that one process's batch left untouched may have been moved by another's.
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    joined = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(joined)
    joined /= count()
    for parameter, part in zip(parameters, joined.split([g.numel() for g in gradients]), strict=True):
        parameter.grad = part.view_as(parameter)
