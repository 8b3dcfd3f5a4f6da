"""Lessons in FLAME or MetaHuman motion, from folders of sound files with the motion that goes with them beside them.

    takes/train/NAME.wav + NAME.npz             flame-npz: expression, jaw, neck, eyes
    takes/train/NAME.wav + NAME.json | .txt     metahuman-json, or EmoFace's text: board controls
    takes/train/NAME.about.json                 if known: {"emotion": "angry", "level": 3, "speaker": "M003"}
    takes/validation/...                        what is only judged by

Files may lie in folders of their own below `train` and `validation`. Nobody knows how to perform an emotion in these
spaces: what is learnt of emotions is what was acted.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from talker.audio import NETWORK_RATE, read_audio
from talker.batch import SOUND_EXTENSIONS
from talker.emotion import EMOTIONS, require_emotion
from talker.errors import TalkerError, no_such
from talker.export.native import READABLE, read_native
from talker.files import read_text
from talker.models.motion_prior import MotionPrior
from talker.models.motion_space import motion_space
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES
from talker.training import course, processes
from talker.training.course import LEVELS, Batch, Course, MotionLoss
from talker.training.directions import held_strengths

_VELOCITY_WEIGHT = 2.0
_LEAST_DEVIATION = 0.05  # Of the mean over channels: what moves less is noise.
_MEASURED_CLIPS = 200


@dataclass(frozen=True)
class NativeLessons:
    """Takes to learn from.

    Attributes:
        takes: Folder with `train` and `validation`.
        space: "flame" or "metahuman".
        styles: Learn every speaker's manner as a style.
    """

    takes: Path
    space: str
    styles: bool = False

    def course(self, seed: int, device: torch.device) -> Course:
        """Find the files, and measure how much each channel moves."""
        if self.space not in READABLE:
            raise no_such("space of takes", self.space, READABLE)
        clips = _find(self.takes / "train", self.space)
        speakers = tuple(dict.fromkeys(clip.speaker for clip in clips if clip.speaker)) if self.styles else ()
        held_out = _find(self.takes / "validation", self.space)
        few = np.random.default_rng(seed).permutation(len(clips))[:_MEASURED_CLIPS]
        deviation = np.concatenate([clips[i].motion() for i in few]).std(0)
        return Course(
            self.space,
            speakers,
            partial(_batches, clips, speakers, seed, device),
            _channel_loss(deviation, device),
            None,
            partial(_validate, held_out),
            partial(_validate_prior, held_out),
        )


@dataclass(frozen=True)
class _Clip:
    """Two files, and what is known about them."""

    sound: Path
    move: Path
    space: str
    emotion: int
    intensity: float
    speaker: str | None

    def samples(self) -> np.ndarray:
        """(N,) at 16 kHz."""
        return read_audio(self.sound).resample(NETWORK_RATE).samples

    def motion(self) -> np.ndarray:
        """(T, channels) at 50 Hz."""
        return read_native(self.move, self.space).resample(FEATURE_FPS).motion


def _find(folder: Path, space: str) -> list[_Clip]:
    sounds = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND_EXTENSIONS)
    clips = []
    for sound in sounds:
        move = next((f for f in map(sound.with_suffix, READABLE[space]) if f.is_file()), None)
        if move is not None:
            clips.append(_Clip(sound, move, space, *_about(sound.with_suffix(".about.json"))))
    if not clips:
        wanted = " or ".join(f"NAME{extension}" for extension in READABLE[space])
        raise TalkerError(f"{folder} holds no sound with {space} motion beside it: NAME.wav and {wanted}")
    return clips


def _about(path: Path) -> tuple[int, float, str | None]:
    """Index of the emotion, its intensity, the speaker."""
    if not path.is_file():
        return 0, 1.0, None
    try:
        about = dict(json.loads(read_text(path)))
        label, level, speaker = about.get("emotion", "neutral"), float(about.get("level", LEVELS)), about.get("speaker")
    except (ValueError, TypeError) as error:
        raise TalkerError(f'{path}: write {{"emotion": "angry", "level": 3, "speaker": "M003"}}') from error
    require_emotion(label)
    return EMOTIONS.index(label), min(1.0, level / LEVELS), None if speaker is None else str(speaker)


def _batches(
    clips: Sequence[_Clip], styles: tuple[str, ...], seed: int, device: torch.device, step: int
) -> Iterator[Batch]:
    random = np.random.default_rng([seed, step, processes.number()])
    while True:
        chosen = [clips[int(i)] for i in random.integers(len(clips), size=course.BATCH)]
        samples, motion, weight, lengths = zip(*(_crop(clip, random) for clip in chosen), strict=True)
        emotion = torch.tensor([clip.emotion for clip in chosen])
        intensity = torch.tensor([clip.intensity for clip in chosen])
        batch = {
            "samples": torch.stack(samples),
            "length": torch.tensor(lengths),
            "motion": torch.stack(motion),
            "weight": torch.stack(weight),
            "strengths": held_strengths(emotion, intensity, len(motion[0])),
            "style": torch.tensor([styles.index(c.speaker) if c.speaker in styles else -1 for c in chosen]),
        }
        yield {name: value.to(device) for name, value in batch.items()}


def _crop(clip: _Clip, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, int]:
    """Samples, motion, weight, and how many samples there are."""
    samples, motion = clip.samples(), clip.motion()
    frames = round(course.CROP_SECONDS * FEATURE_FPS)
    together = min(len(motion), -(-len(samples) // HOP_SAMPLES))
    start = int(random.integers(max(1, together - frames + 1)))
    motion = motion[start : min(start + frames, together)]
    samples = samples[start * HOP_SAMPLES : (start + len(motion)) * HOP_SAMPLES]
    missing = frames - len(motion)
    return (
        torch.from_numpy(np.pad(samples, (0, frames * HOP_SAMPLES - len(samples))).astype(np.float32)),
        torch.from_numpy(np.pad(motion, ((0, missing), (0, 0)))),
        torch.from_numpy(np.pad(np.ones(len(motion), np.float32), (0, missing))),
        len(samples),
    )


def _channel_loss(deviation: np.ndarray, device: torch.device) -> MotionLoss:
    """Squared error and its velocity, each channel in units of what it usually moves."""
    moving = deviation > 1e-6
    least = _LEAST_DEVIATION * float(deviation[moving].mean()) if moving.any() else 1.0
    scale = torch.from_numpy(1.0 / np.maximum(deviation, least) ** 2 / max(1, moving.sum())).float().to(device)

    def loss(predicted: Tensor, wanted: Tensor, weight: Tensor, *, spoken: Tensor | None = None) -> Tensor:
        error = (predicted - wanted) * weight[..., None]
        moved = error[:, 1:] - error[:, :-1]
        total = (error.square() * scale).sum() + _VELOCITY_WEIGHT * (moved.square() * scale).sum()
        return total / weight.sum().clamp(min=1.0)

    return loss


def _validate(clips: Sequence[_Clip], folder: Path) -> dict[str, float]:
    from talker.inference import load_model

    model = load_model(folder)
    pairs = []
    for clip in clips:
        samples, true = clip.samples(), clip.motion()
        frames = -(-len(samples) // HOP_SAMPLES)
        felt = held_strengths(torch.tensor([clip.emotion]), torch.tensor([clip.intensity]), frames)[0].numpy()
        predicted = model.motion(samples, felt)
        count = min(len(true), frames)
        pairs.append((predicted[:count], true[:count]))
    return _correlations(pairs, clips[0].space)


def _validate_prior(clips: Sequence[_Clip], prior: MotionPrior) -> tuple[dict[str, float], np.ndarray]:
    pairs = []
    for clip in clips:
        true = clip.motion()
        with torch.inference_mode():
            pairs.append((prior(torch.from_numpy(true)[None])[0][0].numpy(), true))
    error = np.sqrt(np.concatenate([np.square(one - other) for one, other in pairs]).mean(0))
    return _correlations(pairs, motion_space(clips[0].space).name), error


def _correlations(pairs: Sequence[tuple[np.ndarray, np.ndarray]], space: str) -> dict[str, float]:
    """The median correlation of the channels that move."""
    predicted, true = (np.concatenate(part) for part in zip(*pairs, strict=True))
    moving = (true.std(0) > 1e-6) & (predicted.std(0) > 1e-6)
    if not moving.any():
        return {f"correlation {space}": 0.0}
    centred = [values[:, moving] - values[:, moving].mean(0) for values in (predicted, true)]
    scores = (centred[0] * centred[1]).mean(0) / (centred[0].std(0) * centred[1].std(0))
    return {f"correlation {space}": float(np.median(scores))}
