"""Faces for speech that nobody filmed: `python -m talker.training.taught`.

A whole Whisper encoder hears more of a stranger's mouth than an encoder that may ship, but costs ten times as much.
Here small talkers learn from filmed faces on what several of its layers hear; the mean of their faces, over the speech
of many other people, is what `talker train speech` and `talker train talker` then learn from beside the filmed faces.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch import Tensor

from talker.audio import NETWORK_RATE, Audio
from talker.cli.program import run_program
from talker.datasets.finish_clip import Done
from talker.datasets.mouth import MOUTH_MEASURES
from talker.datasets.report import write_report
from talker.datasets.samples import Curves, encode_json, encode_sound
from talker.datasets.shards import key_of, shard_path, write_finished
from talker.datasets.stream import ShardStream, StreamOptions
from talker.models.speech_encoder import FEATURE_FPS
from talker.models.talker import Talker, TalkerConfig
from talker.rigs import arkit
from talker.training.course import BATCH, MotionLoss, spoken_loss
from talker.training.curve_loss import is_spoken
from talker.training.speakers import Speakers
from talker.training.speech_corpus import Recording, read_corpus
from talker.training.teachers import WhisperTeacher, load_teacher

SET = "taught"

LAYERS = (
    ("whisper-base", 3),
    ("whisper-base.en", 3),
    ("whisper-base.en", 4),
    ("whisper-small", 4),
    ("whisper-small", 6),
)
"""What is listened to: the middle of an encoder tells most of lips (see `talker.evaluation.speech_probe`)."""

_FILMED = ("grid_s1",)
"""Sets of the speech corpus whose faces were filmed: better than taught."""

_LICENCE = "sound: free to ship; face: made by networks that learnt from sets that may ship"
_CROP_FRAMES, _RECORDINGS_PER_SHARD, _RECORDINGS_AT_ONCE = 128, 400, 40


@dataclass(frozen=True)
class Teach:
    """Put faces on recorded and synthesised speech, as shards to train from.

    For example:
      python -m talker.training.taught --shards shards --data ../shared/data --packages downloads -o taught
    """

    shards: tuple[Path, ...]
    """Shards of filmed faces, made by `talker prepare`; only what may ship is learnt from."""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder with the sets of speech."""
    packages: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder with the packages that hold the Whisper encoders; an error says how to fetch them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the shards; those that exist are kept."""
    synthesised: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Speech made by `python -m talker.training.synthesis`."""
    steps: int = 300
    """Steps that each small talker learns; with more, it learns its few speakers by heart."""
    seeds: int = 2
    """Small talkers for each layer that is listened to."""

    def run(self) -> None:
        """Learn, then write what is missing, shard by shard."""
        corpus = read_corpus(self.data, self.synthesised, _say)
        speech = [recording for recording in corpus if not recording.held_out and recording.set not in _FILMED]
        parts = [
            speech[begin : begin + _RECORDINGS_PER_SHARD] for begin in range(0, len(speech), _RECORDINGS_PER_SHARD)
        ]
        missing = {f"train-{number:06d}": part for number, part in enumerate(parts)}
        missing = {name: part for name, part in missing.items() if not shard_path(self.output, name).is_file()}
        if missing:
            self._write(missing)
        write_report(self.output)

    def _write(self, shards: dict[str, list[Recording]]) -> None:
        ears = Ears.load(self.packages)
        faces = self._learn(ears)
        self.output.mkdir(parents=True, exist_ok=True)
        for name, recordings in shards.items():
            taught = _taught(faces, ears, recordings)
            clips = ((key_of(SET, f"{r.set}-{r.id}"), _clip(r, shapes)) for r, shapes in taught)
            write_finished(name, clips, self.output)
            _say(f"{name}: {len(recordings)} recordings")

    def _learn(self, ears: "Ears") -> "Faces":
        speakers = Speakers.measure(self.shards, "train", shippable=True)
        lessons = list(_lessons(self.shards, speakers))
        heard = ears.listen([lesson["sound"] for lesson in lessons])
        loss = spoken_loss(speakers, torch.device("cpu"))
        talkers = []
        for layer, features in enumerate(heard):
            for seed in range(self.seeds):
                talkers.append((layer, learn(features, lessons, loss, self.steps, seed)))
                _say(f"learnt from layer {LAYERS[layer][1]} of {LAYERS[layer][0]}, seed {seed}")
        return Faces(tuple(talkers))


@dataclass(frozen=True)
class Ears:
    """The Whisper encoders."""

    teachers: dict[str, WhisperTeacher]

    @classmethod
    def load(cls, packages: Path) -> "Ears":
        """Those that `LAYERS` names, as far up as it does."""
        highest = {name: max(layer for other, layer in LAYERS if other == name) for name, _ in LAYERS}
        return cls({name: load_teacher(name, packages, True, layers=layer) for name, layer in highest.items()})

    def listen(self, sounds: Sequence[np.ndarray]) -> list[list[Tensor]]:
        """For each of `LAYERS`, the features of each recording, (T, width) in half precision."""
        heard: list[list[Tensor]] = [[] for _ in LAYERS]
        for begin in range(0, len(sounds), _RECORDINGS_AT_ONCE):
            some = sounds[begin : begin + _RECORDINGS_AT_ONCE]
            states = {name: teacher.features(some) for name, teacher in self.teachers.items()}
            for features, (name, layer) in zip(heard, LAYERS, strict=True):
                features += [recording[layer].half() for recording in states[name]]
        return heard


@dataclass(frozen=True)
class Faces:
    """Small talkers, each with the place in `LAYERS` that it listens to."""

    talkers: tuple[tuple[int, Talker], ...]

    @torch.inference_mode()
    def mean(self, heard: Sequence[Tensor]) -> Tensor:
        """A recording's features of each of `LAYERS` -> (T, 52)."""
        faces = [talker(heard[layer][None].float())[0] for layer, talker in self.talkers]
        return (torch.stack(faces).mean(0) * is_spoken()).clamp(0.0, 1.0)


def learn(
    features: Sequence[Tensor], lessons: Sequence[dict[str, Any]], loss: MotionLoss, steps: int, seed: int
) -> Talker:
    """A talker that has learnt the lessons' faces from their features; all sets count alike."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    talker = Talker(TalkerConfig(features[0].shape[1], prior=None))
    talker.measure_features(torch.cat([some[::3] for some in features]).float())
    optimiser = torch.optim.AdamW(talker.parameters(), lr=1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    by_set = [
        [i for i, lesson in enumerate(lessons) if lesson["set"] == name]
        for name in dict.fromkeys(lesson["set"] for lesson in lessons)
    ]
    for _ in range(steps):
        chosen = [int(random.choice(by_set[k % len(by_set)])) for k in range(BATCH)]
        crops = [_crop(features[i], lessons[i], random) for i in chosen]
        heard, motion, weight = (torch.stack(column) for column in zip(*crops, strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            predicted = talker(heard)
        optimiser.zero_grad()
        loss(predicted.float(), motion, weight).backward()
        optimiser.step()
        schedule.step()
    return talker.eval()


def _lessons(shards: Sequence[Path], speakers: Speakers) -> Iterator[dict[str, Any]]:
    """Whole clips: `set`, `sound` (N,), `motion` (T, 52) and `weight` (T,)."""
    options = StreamOptions("train", seconds=60.0, shippable=True, held=0)
    for clip in ShardStream(shards, options, rank=0, world_size=1):
        batch = {name: value[None] if isinstance(value, Tensor) else [value] for name, value in clip.items()}
        motion = speakers.targets(batch)[0] * is_spoken()
        frames = clip["length"] * FEATURE_FPS // NETWORK_RATE
        yield {
            "set": clip["set"],
            "sound": clip["samples"][: clip["length"]].numpy(),
            "motion": motion[:frames],
            "weight": clip["weight"][:frames],
        }


def _crop(features: Tensor, lesson: dict[str, Any], random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    frames = min(len(features), len(lesson["motion"]))
    begin = int(random.integers(max(1, frames - _CROP_FRAMES + 1)))
    part = slice(begin, min(begin + _CROP_FRAMES, frames))
    missing = _CROP_FRAMES - (part.stop - begin)
    heard, motion = (
        torch.nn.functional.pad(values[part].float(), (0, 0, 0, missing)) for values in (features, lesson["motion"])
    )
    return heard, motion, torch.nn.functional.pad(lesson["weight"][part], (0, missing))


def _taught(faces: Faces, ears: Ears, recordings: Sequence[Recording]) -> Iterator[tuple[Recording, np.ndarray]]:
    heard = ears.listen([recording.sound() for recording in recordings])
    for recording, *features in zip(recordings, *heard, strict=True):
        yield recording, faces.mean(features).numpy()


def _clip(recording: Recording, shapes: np.ndarray) -> Done:
    """A clip as `talker prepare` would have finished it; there was no mouth to measure."""
    frames = len(shapes)
    curves = np.pad(shapes, ((0, 0), (0, arkit.CHANNEL_COUNT - arkit.SHAPE_COUNT)))
    seen, nowhere = np.ones(frames, bool), np.full((frames, len(MOUTH_MEASURES)), np.nan, np.float32)
    about: dict[str, Any] = {"set": SET, "speaker": recording.set, "view": "front", "emotion": None, "level": None}
    about |= {"seconds": len(recording.samples) / NETWORK_RATE, "licence": _LICENCE, "may_ship": True}
    members = {
        "opus": encode_sound(Audio(recording.sound(), NETWORK_RATE), "opus"),
        "curves.npz": Curves(curves, FEATURE_FPS, seen, seen.astype(np.float32), nowhere).encode(),
        "json": encode_json({"id": recording.id, **about}),
    }
    return Done(members, {"verdict": "kept", "reason": "", **about})


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(run_program(Teach))
