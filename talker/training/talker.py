"""`talker train talker`: face curves from what a trained speech encoder hears, learnt from tracked talking video."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from talker.datasets.stream import ShardStream, StreamOptions
from talker.models.checkpoint import load_speech, save_checkpoint
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES
from talker.models.talker import Talker, TalkerConfig
from talker.rigs import arkit
from talker.training import augment, processes
from talker.training.history import History
from talker.training.lips import Lips
from talker.training.loop import LoopOptions, TrainingLoop
from talker.training.speakers import Speakers

BATCH = 24
CROP_SECONDS = 3.0
SPEEDS = (0.87, 1.15)

_MEASURED_BATCHES = 12
_VELOCITY_WEIGHT, _LIPS_WEIGHT, _SHUT_WEIGHT = 2.0, 2.0, 3.0
_SHUT_GAP = 0.012  # Eye distances within which lips count as nearly shut.

# What speech can tell. Blinks, gaze, the head, the tongue and all that goes sideways are left at rest; brows follow the
# voice loosely.
_SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
_IMPORTANCE = {"jaw": 1.0, "mouth": 1.0, "cheeks": 0.3, "nose": 0.3, "brows": 0.3}


def train_talker(
    shards: Sequence[Path],
    folder: Path,
    options: LoopOptions,
    encoder: str | Path = "default",
    config: TalkerConfig | None = None,
    shippable: bool = False,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> list[float]:
    """Train on the "train" split of what `talker prepare` made; returns the losses.

    Args:
        shards: Folders of shards.
        folder: Gets the averaged weights with every checkpoint, and how they do on the "validation" split: `History`.
        options: How long and how fast.
        encoder: Speech encoder to hear with; it is not changed.
        config: Sizes of the talker.
        shippable: Learn only from clips whose licence lets weights ship.
        resume: Continue from the last checkpoint, with other crops than an undisturbed run would have drawn.
        say: Told what happens.
    """
    device = processes.device()
    speech = load_speech(encoder).to(device)
    held_out = ShardStream(shards, StreamOptions("validation", seconds=60.0, held=0), rank=0, world_size=1)
    speakers = Speakers.measure(shards, "train", shippable)
    scale, lips = channel_scale(speakers).to(device), Lips.of_default_head().to(device)
    torch.manual_seed(options.seed)
    talker = Talker(config or TalkerConfig(feature_width=speech.encoder.width)).to(device)
    loop = TrainingLoop(talker, folder, options)
    if resume:
        loop.resume()
    batches = _batches(shards, speakers, shippable, options.seed, loop.step, device)
    if loop.step == 0:
        some = [next(batches) for _ in range(_MEASURED_BATCHES)]
        with torch.inference_mode():
            heard = [speech.encoder(batch["samples"], batch["length"]) for batch in some]
        talker.measure_features(torch.cat([h[w > 0] for h, w in zip(heard, (b["weight"] for b in some), strict=True)]))
        loop.averaged |= {name: value.clone() for name, value in talker.state_dict().items()}
    history = History(folder, resume)
    recent: list[float] = []

    def loss_at(_: int) -> Tensor:
        batch = next(batches)
        with torch.no_grad():
            heard = speech.encoder(batch["samples"], batch["length"])
        predicted = talker(heard, torch.ceil(batch["length"] / HOP_SAMPLES).long()).float()
        loss = curve_loss(predicted, batch["curves"], batch["weight"], scale, lips)
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


def _batches(
    shards: Sequence[Path], speakers: Speakers, shippable: bool, seed: int, epoch: int, device: torch.device
) -> Iterator[dict[str, Any]]:
    """Crops of all sets alike: one has an hour of one voice, another minutes of several."""
    weights = dict.fromkeys(speakers.sets, 1.0)
    stream = ShardStream(
        shards,
        StreamOptions("train", weights, CROP_SECONDS, speeds=SPEEDS, shippable=shippable, seed=seed),
        augment.augment,
    )
    stream.set_epoch(epoch)
    for batch in DataLoader(stream, BATCH, num_workers=1, prefetch_factor=4):
        batch["curves"] = speakers.targets(batch)
        yield {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}


def channel_scale(speakers: Speakers) -> Tensor:
    """(52,) loss weight of each channel: the inverse variance, so that small but clear motion counts; 0 if unused."""
    weight = 1.0 / np.maximum(speakers.deviation, 0.03) ** 2
    weight *= [0.0 if name in _SIDEWAYS else _IMPORTANCE.get(arkit.region(name), 0.0) for name in arkit.SHAPES]
    return torch.from_numpy(weight / np.count_nonzero(weight)).float()


def curve_loss(predicted: Tensor, wanted: Tensor, weight: Tensor, scale: Tensor, lips: Lips) -> Tensor:
    """Squared error of curves, of their velocity, and of what the lips do with them; shut lips count most.

    Args:
        predicted: (B, T, 52).
        wanted: (B, T, 52).
        weight: (B, T) how much each frame is to be trusted.
        scale: (52,) weight of each channel.
        lips: What curves do to the lips.
    """
    # A channel that is not learnt must not move the lips either.
    error = (predicted - wanted) * weight[..., None] * (scale > 0)
    position = (error.square() * scale).sum()
    velocity = ((error[:, 1:] - error[:, :-1]).square() * scale).sum()
    shut = torch.exp(-lips.gap(wanted).clamp(min=0) / _SHUT_GAP)
    mouth = (lips.standardised(error).square().mean(-1) * (1.0 + _SHUT_WEIGHT * shut)).sum()
    return (position + _VELOCITY_WEIGHT * velocity + _LIPS_WEIGHT * mouth) / weight.sum().clamp(min=1.0)


def validate(folder: Path, clips: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Median over clips of the correlation of predicted and measured lip gap and mouth width, per set.

    Args:
        folder: The talker.
        clips: Of `ShardStream`; those whose mouths were not measured tell nothing.
    """
    from talker.inference import load_model

    model, lips = load_model(folder), Lips.of_default_head()
    scores: dict[str, list[float]] = defaultdict(list)
    for clip in clips:
        curves = model.curves(clip["samples"][: clip["length"]].numpy())
        moved = lips.measures(torch.from_numpy(curves[:, : arkit.SHAPE_COUNT])).numpy()
        count = min(len(moved), len(clip["mouth"]))
        seen = clip["mouth_weight"][:count].numpy() > 0
        if not seen.any():
            continue
        for at, name in enumerate(("gap", "width")):
            measured = clip["mouth"][:count, at].numpy()
            scores[f"{name} {clip['set']}"].append(_correlation(moved[:count, at][seen], measured[seen]))
    return {name: float(np.median(values)) for name, values in sorted(scores.items())}


def _correlation(predicted: np.ndarray, measured: np.ndarray) -> float:
    if len(predicted) < FEATURE_FPS // 2 or predicted.std() < 1e-9 or measured.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(predicted, measured)[0, 1])
