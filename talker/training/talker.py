"""`talker train talker`: face motion from what a trained speech encoder hears and from emotions that are asked for.

Every crop is learnt twice: as it was spoken, without mood, and in an emotion drawn at random, whose face is performed
on top of the speech. The same sound under another emotion keeps its lips wherever they touch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from talker.errors import TalkerError
from talker.models.checkpoint import load_prior, load_speech, save_checkpoint
from talker.models.motion_prior import MotionPrior
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES
from talker.models.talker import Talker, TalkerConfig
from talker.training import processes
from talker.training.course import Batch, Course, Lessons
from talker.training.diary import Diary
from talker.training.directions import random_strengths
from talker.training.hearing import hear
from talker.training.loop import LoopOptions, TrainingLoop
from talker.training.native import NativeLessons

_MEASURED_BATCHES = 12
_EMOTION_WEIGHT, _LATENT_WEIGHT = 0.5, 0.02


def train_talker(
    lessons: Lessons | NativeLessons,
    folder: Path,
    options: LoopOptions,
    encoder: str | Path = "default",
    config: TalkerConfig | None = None,
    prior: Path | None = None,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> list[float]:
    """Train on the "train" split of shards, or of takes in another space; returns the losses.

    Args:
        lessons: What to learn from.
        folder: Gets the averaged weights with every checkpoint, and how they do on the "validation" split: `Diary`.
        options: How long and how fast.
        encoder: Speech encoder to hear with; it is not changed.
        config: Sizes of the talker; its space is that of the lessons, and its prior's sizes are those of the `prior`.
        prior: Folder of the motion prior to speak through, which is not changed; straight to the motion when None.
        resume: Continue from the last checkpoint, with other crops than an undisturbed run would have drawn.
        say: Told what happens.
    """
    device = processes.device()
    speech = load_speech(encoder).to(device)
    course = lessons.course(options.seed, device)
    torch.manual_seed(options.seed)
    motion_prior = None if prior is None else _prior_of(prior, course.space).to(device)
    talker = _new_talker(config or TalkerConfig(speech.encoder.width), motion_prior, course).to(device)
    loop = TrainingLoop(talker, folder, options)
    if resume:
        loop.resume()
    batches = course.batches(loop.step)
    if loop.step == 0:
        some = [next(batches) for _ in range(_MEASURED_BATCHES)]
        with torch.inference_mode():
            heard = [hear(speech.encoder, batch["samples"], batch["length"]) for batch in some]
        talker.measure_features(torch.cat([h[w > 0] for h, w in zip(heard, (b["weight"] for b in some), strict=True)]))
        loop.averaged |= {name: value.clone() for name, value in talker.state_dict().items()}
    judge = _Judge(talker, motion_prior, course)
    diary = Diary(folder, resume, say)

    def loss_at(step: int) -> Tensor:
        batch = next(batches)
        with torch.no_grad():
            heard = hear(speech.encoder, batch["samples"], batch["length"])
        loss = judge.spoken(heard, batch)
        if course.perform is not None:
            random = np.random.default_rng([options.seed, step, processes.number()])
            strengths = random_strengths(len(heard), heard.shape[1], FEATURE_FPS, random).to(device)
            loss = loss + _EMOTION_WEIGHT * judge.performed(heard, batch, strengths)
        diary.note({"training loss": loss})
        return loss

    def on_checkpoint(loop: TrainingLoop) -> None:
        averaged = {f"talker.{name}": value for name, value in loop.averaged.items()}
        save_checkpoint(folder, speech, talker, averaged | speech.state_dict())
        diary.write(loop.step, course.validate(folder))
        diary.board.add_face(loop.step, folder)

    return loop.run(loss_at, on_checkpoint)


@dataclass(frozen=True)
class _Judge:
    """What a talker's faces are compared with."""

    talker: Talker
    prior: MotionPrior | None
    course: Course

    def spoken(self, heard: Tensor, batch: Batch) -> Tensor:
        """As each crop was spoken, in the emotion that the batch tells."""
        return self._loss(heard, batch, batch["strengths"], batch["motion"])

    def performed(self, heard: Tensor, batch: Batch, strengths: Tensor) -> Tensor:
        """The same speech in other emotions."""
        spoken = batch["motion"]
        wanted = spoken if self.course.perform is None else self.course.perform(spoken, strengths)
        return self._loss(heard, batch, strengths, wanted, spoken)

    def _loss(
        self, heard: Tensor, batch: Batch, strengths: Tensor, wanted: Tensor, spoken: Tensor | None = None
    ) -> Tensor:
        frames = torch.ceil(batch["length"] / HOP_SAMPLES).long()
        latents = self.talker.latents(heard, strengths, frames, batch["style"])
        predicted = self.talker.decode(latents, heard.shape[1], frames).float()
        with torch.autocast(predicted.device.type, enabled=False):  # A lip's width is less than bfloat16 can tell.
            loss = self.course.loss(predicted, wanted, batch["weight"], spoken=spoken)
            if self.prior is None:
                return loss
            with torch.no_grad():
                meant, _ = self.prior.encoder(wanted, frames)
            return loss + _LATENT_WEIGHT * (latents.float() - meant).square().mean()


def _prior_of(folder: Path, space: str) -> MotionPrior:
    prior, spoken = load_prior(folder)
    if spoken != space:
        raise TalkerError(f"{folder}: this motion prior speaks {spoken}, not {space}; train one on the same data")
    return prior


def _new_talker(config: TalkerConfig, prior: MotionPrior | None, course: Course) -> Talker:
    emotion = replace(config.emotion, styles=course.styles)
    talker = Talker(replace(config, emotion=emotion, space=course.space, prior=prior.config if prior else None))
    if prior is not None and talker.decoder is not None:
        talker.decoder.load_state_dict(prior.decoder.state_dict())
    return talker
