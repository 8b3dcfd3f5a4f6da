"""`talker train prior`: what faces do, from the same motion that talkers learn; no sound is heard."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from talker.files import atomic_output
from talker.models.checkpoint import load_prior, save_prior
from talker.models.motion_prior import MotionPrior, MotionPriorConfig
from talker.models.motion_space import motion_space
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES
from talker.rigs.head_mesh import HeadMesh
from talker.training import processes
from talker.training.course import Batch, Course, Lessons
from talker.training.curve_loss import vertex_factor
from talker.training.diary import Diary
from talker.training.directions import random_strengths
from talker.training.loop import LoopOptions, TrainingLoop
from talker.training.native import NativeLessons

_MEASURED_BATCHES = 12
_KL_WEIGHT, _VERTEX_WEIGHT = 1e-3, 1.0
_KL_WARM_UP = 0.3  # Share of the steps over which its weight rises: latents that cost from the start stay unused.


def train_prior(
    lessons: Lessons | NativeLessons,
    folder: Path,
    options: LoopOptions,
    config: MotionPriorConfig | None = None,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> list[float]:
    """Train on the motion of the "train" split; returns the losses.

    Args:
        lessons: What to learn from; every second crop is performed in an emotion drawn at random.
        folder: Gets the averaged weights with every checkpoint, their history, and `channels.csv`: the root mean square
            of what is lost of each channel on the "validation" split.
        options: How long and how fast.
        config: Sizes of the prior; its channels are those of the lessons' space.
        resume: Continue from the last checkpoint, with other crops than an undisturbed run would have drawn.
        say: Told what happens.
    """
    device = processes.device()
    course = lessons.course(options.seed, device)
    torch.manual_seed(options.seed)
    sizes = config or MotionPriorConfig(channels=motion_space(course.space).count)
    prior = MotionPrior(sizes).to(device)
    loop = TrainingLoop(prior, folder, options)
    if resume:
        loop.resume()
    batches = course.batches(loop.step)
    if loop.step == 0:
        some = [next(batches) for _ in range(_MEASURED_BATCHES)]
        played = [_played(batch, course, _random(options, number)) for number, batch in enumerate(some)]
        prior.measure(torch.cat([m[b["weight"] > 0] for m, b in zip(played, some, strict=True)]))
        loop.averaged |= {name: value.clone() for name, value in prior.state_dict().items()}
    factor = vertex_factor(HeadMesh.load()).to(device) if course.space == "arkit" else None
    diary = Diary(folder, resume, say)

    def loss_at(step: int) -> Tensor:
        batch = next(batches)
        weight, frames = batch["weight"], torch.ceil(batch["length"] / HOP_SAMPLES).long()
        motion = _played(batch, course, _random(options, step))
        decoded, mean, log_variance = prior(motion, frames)
        with torch.autocast(device.type, enabled=False):  # A lip's width is less than bfloat16 can tell.
            told = 0.5 * (mean.float().square() + log_variance.float().exp() - 1 - log_variance.float()).sum(-1).mean()
            share = min(1.0, step / max(1.0, _KL_WARM_UP * options.steps))
            loss = course.loss(decoded.float(), motion, weight, spoken=batch["motion"]) + _KL_WEIGHT * share * told
            if factor is not None:
                way = ((decoded.float() - motion) @ factor).square().sum(-1)
                loss = loss + _VERTEX_WEIGHT * (way * weight).sum() / weight.sum().clamp(min=1.0)
        diary.note({"training loss": loss})
        return loss

    def on_checkpoint(loop: TrainingLoop) -> None:
        save_prior(folder, prior, course.space, loop.averaged)
        figures, errors = course.validate_prior(load_prior(folder)[0])
        _write_errors(folder / "channels.csv", motion_space(course.space).channels, errors)
        diary.write(loop.step, figures)

    return loop.run(loss_at, on_checkpoint)


def _write_errors(path: Path, channels: tuple[str, ...], errors: np.ndarray) -> None:
    lines = [f"{name},{error:.5f}" for name, error in zip(channels, errors, strict=True)]
    with atomic_output(path) as temporary:
        temporary.write_text("\n".join(["channel,error", *lines, ""]), encoding="utf-8")


def _random(options: LoopOptions, step: int) -> np.random.Generator:
    return np.random.default_rng([options.seed, step, processes.number()])


def _played(batch: Batch, course: Course, random: np.random.Generator) -> Tensor:
    """A batch's motion, every second crop of it in some emotion."""
    motion: Tensor = batch["motion"]
    if course.perform is None:
        return motion
    motion = motion.clone()
    strengths = random_strengths(len(motion[::2]), motion.shape[1], FEATURE_FPS, random).to(motion)
    motion[::2] = course.perform(motion[::2], strengths)
    return motion
