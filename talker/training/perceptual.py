"""`talker train perceptual`: a talker learns to look right to a lip reader and to a judge of emotions.

Emotions are exchanged within the batch while the sound stays. What such a face should look like nobody filmed: its lips
must read like those of the same sound, its mood like that of the clip that gave the emotion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from talker.errors import TalkerError
from talker.models.checkpoint import load_checkpoint, save_checkpoint
from talker.models.emotion_net import FACE_FPS
from talker.models.lip_reader import LIP_FPS
from talker.models.readers import READERS, Readers, load_readers
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES
from talker.models.talker import Talker
from talker.render.crops import Crop, face_crop, mouth_crop
from talker.rigs import arkit
from talker.training import processes
from talker.training.course import Batch, Course, Lessons
from talker.training.diary import Diary
from talker.training.directions import random_strengths
from talker.training.hearing import hear
from talker.training.loop import LoopOptions, TrainingLoop

SEEN_CLIPS = 4
"""Clips of a batch that are drawn; the others are compared as curves only, which is a hundred times faster."""

SEEN_SECONDS = 2.0

_LIPS_WEIGHT, _EMOTION_WEIGHT = 1.0, 0.5
_PERFORMED_WEIGHT = 0.5


@dataclass(frozen=True, eq=False)
class Onlookers:
    """Frozen readers, and the pictures that they look at."""

    readers: Readers
    mouth: Crop
    face: Crop

    @classmethod
    def of_default_head(cls, readers: str | Path = READERS, device: torch.device | None = None) -> "Onlookers":
        """Those of a folder, looking at the head that ships with talker."""
        where = device or torch.device("cpu")
        return cls(load_readers(readers).to(where), mouth_crop().to(where), face_crop().to(where))

    def lip_reading_loss(self, predicted: Tensor, reference: Tensor) -> Tensor:
        """How unlike the lips of two faces read, frame by frame: (B, T, 52..61) curves at 50 Hz; 0 to 2."""
        seen = self._lips(predicted)
        with torch.no_grad():
            wanted = self._lips(reference)
        return (1.0 - nn.functional.cosine_similarity(seen, wanted, dim=-1)).mean()

    def emotion_loss(self, predicted: Tensor, donor: Tensor) -> Tensor:
        """How unlike the moods of two faces look, clip by clip: (B, T, 52..61) curves at 50 Hz; 0 to 2."""
        seen = self._mood(predicted)
        with torch.no_grad():
            wanted = self._mood(donor)
        return (1.0 - nn.functional.cosine_similarity(seen, wanted, dim=-1)).mean()

    def _lips(self, curves: Tensor) -> Tensor:
        return self.readers.lips.features(self.mouth.halved(_in_range(curves[:, :: round(FEATURE_FPS / LIP_FPS)])))

    def _mood(self, curves: Tensor) -> Tensor:
        pictures = self.face.halved(_in_range(curves[:, :: round(FEATURE_FPS / FACE_FPS)]))
        return self.readers.emotion(pictures).features


def _in_range(curves: Tensor) -> Tensor:
    """(B, T, 52..61) -> (B, T, 61) that a face can make, looking straight ahead."""
    shapes = curves[..., : arkit.SHAPE_COUNT].float().clamp(0.0, 1.0)
    return nn.functional.pad(shapes, (0, arkit.CHANNEL_COUNT - arkit.SHAPE_COUNT))


def train_perceptual(
    lessons: Lessons,
    folder: Path,
    options: LoopOptions,
    start: str | Path = "default",
    readers: str | Path = READERS,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> list[float]:
    """Go on training a talker, with what its faces look like; returns the losses.

    Args:
        lessons: What to learn from.
        folder: Gets the averaged weights with every checkpoint, and how they do on the "validation" split: `Diary`.
        options: How long and how fast.
        start: The talker to begin with; its speech encoder and its motion prior stay as they are.
        readers: Who looks at it.
        resume: Continue from the last checkpoint, with other crops than an undisturbed run would have drawn.
        say: Told what happens.
    """
    device = processes.device()
    speech, talker = load_checkpoint(start)
    if talker.config.space != "arkit":
        raise TalkerError(f"{start} speaks {talker.config.space}; only faces of ARKit's shapes can be looked at")
    speech, talker = speech.to(device), talker.to(device).requires_grad_(True)
    if talker.decoder is not None:
        talker.decoder.requires_grad_(False)
    onlookers = Onlookers.of_default_head(readers, device)
    course = lessons.course(options.seed, device)
    loop = TrainingLoop(talker, folder, options)
    if resume:
        loop.resume()
    batches = course.batches(loop.step)
    diary = Diary(folder, resume, say)

    def loss_at(step: int) -> Tensor:
        batch = next(batches)
        with torch.no_grad():
            heard = hear(speech.encoder, batch["samples"], batch["length"])
        random = np.random.default_rng([options.seed, step, processes.number()])
        losses = exchange_losses(talker, heard, batch, course, onlookers, random)
        diary.note(losses)
        return torch.stack(list(losses.values())).sum()

    def on_checkpoint(loop: TrainingLoop) -> None:
        averaged = {f"talker.{name}": value for name, value in loop.averaged.items()}
        save_checkpoint(folder, speech, talker, averaged | speech.state_dict())
        diary.write(loop.step, course.validate(folder))

    return loop.run(loss_at, on_checkpoint)


def exchange_losses(
    talker: Talker, heard: Tensor, batch: Batch, course: Course, onlookers: Onlookers, random: np.random.Generator
) -> dict[str, Tensor]:
    """What is wrong with a batch: as spoken, as performed, and what some of it looks like with emotions exchanged."""
    frames = torch.ceil(batch["length"] / HOP_SAMPLES).long()
    spoken, weight = batch["motion"], batch["weight"]
    strengths = random_strengths(len(heard), heard.shape[1], FEATURE_FPS, random).to(heard)
    performed = spoken if course.perform is None else course.perform(spoken, strengths)

    def talk(felt: Tensor) -> Tensor:
        return talker(heard, felt, frames, batch["style"]).float()

    with torch.autocast(heard.device.type, enabled=False):
        losses = {
            "training spoken": course.loss(talk(batch["strengths"]), spoken, weight),
            "training performed": _PERFORMED_WEIGHT * course.loss(talk(strengths), performed, weight, spoken=spoken),
        }
        donor = torch.from_numpy(random.permutation(len(heard))).to(heard.device)
        exchanged, part = talk(strengths[donor]), _some_frames(weight, random)
        donated = performed[donor[part[0]], part[1]]
        losses["looks lips"] = _LIPS_WEIGHT * onlookers.lip_reading_loss(exchanged[part], spoken[part])
        losses["looks emotion"] = _EMOTION_WEIGHT * onlookers.emotion_loss(exchanged[part], donated)
    return losses


def _some_frames(weight: Tensor, random: np.random.Generator) -> tuple[Tensor, slice]:
    """Which clips are drawn, those that are known best before others, and from when to when."""
    known = weight.float().mean(1).cpu().numpy() + 0.2 * random.random(len(weight))
    clips = torch.from_numpy(np.argsort(-known)[:SEEN_CLIPS].copy()).to(weight.device)
    count = min(round(SEEN_SECONDS * FEATURE_FPS), weight.shape[1])
    start = int(random.integers(weight.shape[1] - count + 1))
    return clips, slice(start, start + count)
