"""`talker train talker`: face motion from what a trained speech encoder hears and from emotions that are asked for.

Every crop is learnt twice: as it was spoken, without mood, and in an emotion drawn at random, whose face is performed
on top of the speech. The same sound under another emotion keeps its lips wherever they touch.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from talker.datasets.stream import ShardStream, StreamOptions
from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.models.checkpoint import load_prior, load_speech, save_checkpoint
from talker.models.motion_prior import MotionPrior
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES
from talker.models.talker import Talker, TalkerConfig
from talker.rigs import arkit
from talker.training import augment, processes
from talker.training.curve_loss import channel_scale, curve_loss, is_spoken
from talker.training.directions import held_strengths, random_strengths
from talker.training.history import History
from talker.training.lips import Lips
from talker.training.loop import LoopOptions, TrainingLoop
from talker.training.performances import perform
from talker.training.speakers import Speakers

BATCH = 24
CROP_SECONDS = 3.0
SPEEDS = (0.87, 1.15)

_MEASURED_BATCHES = 12
_EMOTION_WEIGHT, _LATENT_WEIGHT = 0.5, 0.02
_STYLE_KEPT = 0.5  # Share of crops that are learnt in their speaker's style; the rest make the pivot.
_LEVELS = 3.0  # MEAD's levels of intensity.


@dataclass(frozen=True)
class Lessons:
    """What a talker learns from.

    Attributes:
        shards: Folders of shards.
        weights: How often a set is drawn from, relative to the others; 1 for those that are not named, 0 for never.
        shippable: Only clips whose licence lets weights ship.
        exchange: Every crop also under an emotion drawn at random. Without it, each as it was acted, mood included.
        styles: Learn every speaker's manner as a style.
    """

    shards: Sequence[Path]
    weights: Mapping[str, float] | None = None
    shippable: bool = False
    exchange: bool = True
    styles: bool = False


def train_talker(
    lessons: Lessons,
    folder: Path,
    options: LoopOptions,
    encoder: str | Path = "default",
    config: TalkerConfig | None = None,
    prior: Path | None = None,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> list[float]:
    """Train on the "train" split of what `talker prepare` made; returns the losses.

    Args:
        lessons: What to learn from.
        folder: Gets the averaged weights with every checkpoint, and how they do on the "validation" split: `History`.
        options: How long and how fast.
        encoder: Speech encoder to hear with; it is not changed.
        config: Sizes of the talker; its prior's are those of the `prior`.
        prior: Folder of the motion prior to speak through, which is not changed; straight to the curves when None.
        resume: Continue from the last checkpoint, with other crops than an undisturbed run would have drawn.
        say: Told what happens.
    """
    device = processes.device()
    speech = load_speech(encoder).to(device)
    held_out = ShardStream(lessons.shards, StreamOptions("validation", seconds=60.0, held=0), rank=0, world_size=1)
    speakers = Speakers.measure(lessons.shards, "train", lessons.shippable)
    torch.manual_seed(options.seed)
    motion_prior = None if prior is None else _arkit_prior(prior).to(device)
    talker = _new_talker(config or TalkerConfig(speech.encoder.width), motion_prior, speakers, lessons).to(device)
    loop = TrainingLoop(talker, folder, options)
    if resume:
        loop.resume()
    batches = _batches(lessons, speakers, options.seed, loop.step, device)
    if loop.step == 0:
        some = [next(batches) for _ in range(_MEASURED_BATCHES)]
        with torch.inference_mode():
            heard = [speech.encoder(batch["samples"], batch["length"]) for batch in some]
        talker.measure_features(torch.cat([h[w > 0] for h, w in zip(heard, (b["weight"] for b in some), strict=True)]))
        loop.averaged |= {name: value.clone() for name, value in talker.state_dict().items()}
    judge = _Judge(talker, motion_prior, channel_scale(speakers).to(device), Lips.of_default_head().to(device))
    history = History(folder, resume)
    recent: list[float] = []

    def loss_at(step: int) -> Tensor:
        batch = next(batches)
        with torch.no_grad():
            heard = speech.encoder(batch["samples"], batch["length"])
        loss = judge.spoken(heard, batch)
        if lessons.exchange:
            random = np.random.default_rng([options.seed, step, processes.number()])
            strengths = random_strengths(len(heard), heard.shape[1], FEATURE_FPS, random).to(device)
            loss = loss + _EMOTION_WEIGHT * judge.performed(heard, batch, strengths)
        recent.append(float(loss.detach()))
        return loss

    def on_checkpoint(loop: TrainingLoop) -> None:
        averaged = {f"talker.{name}": value for name, value in loop.averaged.items()}
        save_checkpoint(folder, speech, talker, averaged | speech.state_dict())
        row = {"training loss": float(np.mean(recent))} | validate(folder, held_out)
        recent.clear()
        history.add(loop.step, row)
        say(f"step {loop.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()))

    return loop.run(loss_at, on_checkpoint)


@dataclass(frozen=True)
class _Judge:
    """What a talker's faces are compared with."""

    talker: Talker
    prior: MotionPrior | None
    scale: Tensor
    lips: Lips

    def spoken(self, heard: Tensor, batch: dict[str, Any]) -> Tensor:
        """As each crop was spoken, in the emotion that the batch tells."""
        return self._loss(heard, batch, batch["strengths"], batch["curves"])

    def performed(self, heard: Tensor, batch: dict[str, Any], strengths: Tensor) -> Tensor:
        """The same speech in other emotions."""
        spoken = batch["curves"]
        wanted = torch.from_numpy(perform(spoken.cpu().numpy(), strengths.cpu().numpy())).to(spoken)
        return self._loss(heard, batch, strengths, wanted, spoken)

    def _loss(
        self, heard: Tensor, batch: dict[str, Any], strengths: Tensor, wanted: Tensor, spoken: Tensor | None = None
    ) -> Tensor:
        frames = torch.ceil(batch["length"] / HOP_SAMPLES).long()
        latents = self.talker.latents(heard, strengths, frames, batch["style"])
        predicted = self.talker.decode(latents, heard.shape[1], frames).float()
        with torch.autocast(predicted.device.type, enabled=False):  # A lip's width is less than bfloat16 can tell.
            loss = curve_loss(predicted, wanted, batch["weight"], self.scale, self.lips, spoken)
        if self.prior is None:
            return loss
        with torch.no_grad():
            meant, _ = self.prior.encoder(wanted, frames)
        return loss + _LATENT_WEIGHT * (latents - meant).square().mean()


def _arkit_prior(folder: Path) -> MotionPrior:
    prior, space = load_prior(folder)
    if space != "arkit":
        raise TalkerError(f"{folder}: this motion prior speaks {space}, where shards hold arkit")
    return prior


def _new_talker(config: TalkerConfig, prior: MotionPrior | None, speakers: Speakers, lessons: Lessons) -> Talker:
    styles = tuple("/".join(key) for key in speakers.opening) if lessons.styles else ()
    config = replace(config, emotion=replace(config.emotion, styles=styles), prior=prior.config if prior else None)
    talker = Talker(config)
    if prior is not None and talker.decoder is not None:
        talker.decoder.load_state_dict(prior.decoder.state_dict())
    return talker


def _batches(
    lessons: Lessons, speakers: Speakers, seed: int, epoch: int, device: torch.device
) -> Iterator[dict[str, Any]]:
    """Crops with `curves` (B, T, 52) to learn, `strengths` (B, T, 8) and `style` (B,)."""
    options = StreamOptions("train", _weights(lessons, speakers), CROP_SECONDS, speeds=SPEEDS, seed=seed)
    stream = ShardStream(lessons.shards, replace(options, shippable=lessons.shippable), augment.augment)
    stream.set_epoch(epoch)
    styles = ["/".join(key) for key in speakers.opening]
    random = np.random.default_rng([seed, epoch, processes.number()])
    for batch in DataLoader(stream, BATCH, num_workers=1, prefetch_factor=4):
        emotion = batch["emotion"] if not lessons.exchange else torch.full((BATCH,), -1)
        level = torch.where(batch["level"] > 0, batch["level"] / _LEVELS, 1.0)
        batch["curves"] = speakers.targets(batch, with_mood=emotion > 0) * is_spoken()
        batch["strengths"] = held_strengths(emotion, level, batch["curves"].shape[1])
        names = ["/".join(key) for key in zip(batch["set"], batch["speaker"], strict=True)]
        kept = random.random(len(names)) < _STYLE_KEPT if lessons.styles else np.zeros(len(names), bool)
        batch["style"] = torch.tensor([styles.index(n) if k else -1 for n, k in zip(names, kept, strict=True)])
        yield {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}


def _weights(lessons: Lessons, speakers: Speakers) -> dict[str, float]:
    """All sets alike unless told otherwise: one has an hour of one voice, another minutes of several."""
    given = lessons.weights or {}
    unknown = sorted(set(given) - set(speakers.sets))
    if unknown:
        raise TalkerError(
            f"there is no clip of the set '{unknown[0]}' to learn from; there are {', '.join(speakers.sets)}"
        )
    weights = {name: given.get(name, 1.0) for name in speakers.sets}
    return {name: weight for name, weight in weights.items() if weight > 0}


def validate(folder: Path, clips: Iterable[dict[str, Any]]) -> dict[str, float]:
    """How well the lips of a talker follow those that were measured, per set; medians over clips.

    Args:
        folder: The talker.
        clips: Of `ShardStream`; those whose mouths were not measured tell nothing.

    Returns:
        Correlations: "gap SET" and "width SET" of neutral speech, "emotional-gap SET" under emotions at full strength.
    """
    from talker.inference import load_model

    model, lips = load_model(folder), Lips.of_default_head()
    scores: dict[str, list[float]] = defaultdict(list)
    for number, clip in enumerate(clips):
        samples = clip["samples"][: clip["length"]].numpy()
        seen = clip["mouth_weight"].numpy() > 0
        if not seen.any():
            continue
        curves = model.curves(samples)
        felt = held_strengths(torch.tensor([1 + number % (len(EMOTIONS) - 1)]), torch.ones(1), len(curves))[0].numpy()
        plain, acted = (
            lips.measures(torch.from_numpy(moved[:, : arkit.SHAPE_COUNT])).numpy()
            for moved in (curves, model.curves(samples, felt))
        )
        count = min(len(plain), len(seen))
        for name, moved, at in (("gap", plain, 0), ("width", plain, 1), ("emotional-gap", acted, 0)):
            measured = clip["mouth"][:count, at].numpy()[seen[:count]]
            scores[f"{name} {clip['set']}"].append(_correlation(moved[:count, at][seen[:count]], measured))
    return {name: float(np.median(values)) for name, values in sorted(scores.items())}


def _correlation(predicted: np.ndarray, measured: np.ndarray) -> float:
    if len(predicted) < FEATURE_FPS // 2 or predicted.std() < 1e-9 or measured.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(predicted, measured)[0, 1])
