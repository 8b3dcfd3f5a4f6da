"""`talker train readers`: networks that read lips and emotions from drawn faces, to judge and to train talkers by."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.evaluation.phones import collapsed
from talker.evaluation.readers import judge
from talker.models.checkpoint import load_speech
from talker.models.emotion_net import EmotionNet, EmotionNetConfig
from talker.models.lip_reader import LipReader, LipReaderConfig
from talker.models.readers import Readers, save_readers
from talker.phones import PHONES
from talker.render.crops import face_crop, mouth_crop
from talker.training import processes
from talker.training.diary import Diary
from talker.training.loop import LoopOptions, TrainingLoop
from talker.training.reader_pictures import Shots, batch_of, through_other_cameras
from talker.training.reader_scenes import (
    FOR_TRAINING,
    PLAIN,
    PLAYED,
    Variation,
    acted_scenes,
    face_scenes,
    lip_scenes,
    performed_scenes,
)
from talker.training.reader_takes import FaceTake, filmed_takes, synthesised_takes
from talker.training.speech_corpus import UNKNOWN

LIP_BATCH, LIP_FRAMES = 10, 50
FACE_BATCH, FACE_FRAMES = 20, 18
PLAYED_CLIPS = 400
"""Neutral clips that are made to show an emotion."""

_ORDER_WEIGHT = 0.3
_ACTED_SHARE = 0.4
_DOUBT = 0.1  # Share of the target spread over all emotions.


@dataclass(frozen=True)
class ReaderData:
    """Where the moving faces come from.

    Attributes:
        shards: Folders that `talker prepare` made.
        sets: Folder of the sets themselves, for GRID's words; without it phones are heard.
        synthesised: Folder made by `python -m talker.training.synthesis`.
        talker: The model that moves a face to synthesised speech.
        speech: The encoder that hears phones.
        shippable: Only clips whose licence lets weights ship.
        clips: Of each set at most; of held-out people a sixth of it.
    """

    shards: Sequence[Path]
    sets: Path | None = None
    synthesised: Path | None = None
    talker: str | Path = "default"
    speech: str | Path = "default"
    shippable: bool = False
    clips: int = 240

    def takes(self, split: str) -> list[FaceTake]:
        """Everything in "train" or "validation"."""
        learnt = split == "train"
        limit = self.clips if learnt else -(-self.clips // 6)
        speech = load_speech(self.speech)
        takes = list(filmed_takes(self.shards, split, speech, self.sets, self.shippable and learnt, limit))
        if self.synthesised is not None:
            from talker.inference import load_model

            part = "train" if learnt else "test"
            takes += synthesised_takes(self.synthesised, part, load_model(self.talker).curves, limit)
        return takes


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Pictures of people that no reader learns from: speech, acted emotion, and performances at two intensities."""

    lips: Shots
    acted: Shots
    performed: Shots
    slight: Shots

    @classmethod
    def drawn(cls, takes: Sequence[FaceTake], cache: Path) -> "HeldOut":
        """Plain pictures, as of any talker that is judged."""
        face = face_crop()
        return cls(
            Shots.drawn(lip_scenes(takes, PLAIN), mouth_crop(), cache / "held_out_lips", PLAIN),
            Shots.drawn(acted_scenes(takes), face, cache / "held_out_acted", PLAIN),
            Shots.drawn(performed_scenes(takes, 1.0), face, cache / "held_out_performed", PLAIN),
            Shots.drawn(performed_scenes(takes, 1.0 / 3.0), face, cache / "held_out_slight", PLAIN),
        )


def train_readers(
    data: ReaderData,
    folder: Path,
    options: LoopOptions,
    variation: Variation = FOR_TRAINING,
    cache: Path | None = None,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> list[float]:
    """Train both readers together; returns the losses.

    Args:
        data: What to learn from.
        folder: Gets the averaged weights with every checkpoint, and how they do on held-out people: `Diary`.
        options: How long and how fast.
        variation: How much the pictures differ.
        cache: Keeps the pictures, 300 MB for an hour of faces; a temporary folder when None.
        resume: Continue from the last checkpoint.
        say: Told what happens.
    """
    with tempfile.TemporaryDirectory() as temporary:
        kept = cache if cache is not None else Path(temporary)
        with processes.first_alone():
            lips, faces = _training_shots(data.takes("train"), kept, variation)
            held_out = HeldOut.drawn(data.takes("validation"), kept)
        say(f"{len(lips)} mouths, {len(lips.pictures)} pictures; {len(faces)} faces, {len(faces.pictures)} pictures")
        return _train(lips, faces, held_out, folder, options, resume, say)


def _training_shots(takes: Sequence[FaceTake], cache: Path, variation: Variation) -> tuple[Shots, Shots]:
    faces = face_scenes(takes, PLAYED_CLIPS, variation)
    name = f"seed_{variation.seed}"
    return (
        Shots.drawn(lip_scenes(takes, variation), mouth_crop(), cache / f"lips_{name}", variation),
        Shots.drawn(faces, face_crop(), cache / f"faces_{name}", variation),
    )


def _train(
    lips: Shots,
    faces: Shots,
    held_out: HeldOut,
    folder: Path,
    options: LoopOptions,
    resume: bool,
    say: Callable[[str], None],
) -> list[float]:
    torch.manual_seed(options.seed)
    readers = Readers(LipReader(LipReaderConfig()), EmotionNet(EmotionNetConfig())).to(processes.device())
    loop = TrainingLoop(readers, folder, options)
    if resume:
        loop.resume()
    diary = Diary(folder, resume, say)
    lip_batches, face_batches = LipBatches(lips), FaceBatches(faces)

    def loss_at(step: int) -> Tensor:
        random = np.random.default_rng((options.seed, step, processes.number()))
        read, seen = lip_batches.loss(readers.lips, random), face_batches.loss(readers.emotion, random)
        diary.note({"training lips": read, "training emotion": seen})
        return read + seen

    def on_checkpoint(loop: TrainingLoop) -> None:
        save_readers(folder, readers, loop.averaged)
        diary.write(loop.step, judge(folder, held_out.lips, held_out.acted, held_out.performed, held_out.slight))

    return loop.run(loss_at, on_checkpoint)


class LipBatches:
    """Crops of mouths, large sets more often than small ones, but less so than they are larger."""

    def __init__(self, shots: Shots) -> None:
        self.shots = shots
        frames = np.diff(shots.begins).astype(float)
        of_set = {name: frames[shots.sets == name].sum() for name in np.unique(shots.sets)}
        share = frames / np.sqrt([of_set[name] for name in shots.sets])
        self.share = share / share.sum()

    def loss(self, reader: LipReader, random: np.random.Generator) -> Tensor:
        """Cross-entropy of each frame's phone, and CTC of their order."""
        chosen = random.choice(len(self.shots), LIP_BATCH, p=self.share)
        crops = [_crop(self.shots, number, LIP_FRAMES, random) for number in chosen]
        pictures, phones, lengths = (tensor.to(processes.device()) for tensor in batch_of(crops))
        scores, order = reader(through_other_cameras(pictures, random), lengths)
        frames = functional.cross_entropy(
            scores.float().transpose(1, 2), phones, ignore_index=UNKNOWN, label_smoothing=0.05
        )
        return frames + _ORDER_WEIGHT * _order_loss(order.float(), phones, lengths)


def _order_loss(order: Tensor, phones: Tensor, lengths: Tensor) -> Tensor:
    said = [collapsed([phone for phone in row if phone != UNKNOWN]) for row in phones.tolist()]
    return functional.ctc_loss(
        order.log_softmax(-1).transpose(0, 1),
        torch.tensor([phone for row in said for phone in row], dtype=torch.long, device=order.device),
        lengths,
        torch.tensor([len(row) for row in said]),
        blank=len(PHONES),
        zero_infinity=True,
    )


class FaceBatches:
    """Crops of faces, acted and played, every emotion of either equally often."""

    def __init__(self, shots: Shots) -> None:
        if not (shots.sets == PLAYED).any():
            raise TalkerError("there is no take of a neutral face to perform emotions with; prepare some that say so")
        self.shots = shots
        kinds = list(zip(shots.sets == PLAYED, shots.emotion, strict=True))
        share = np.array([1.0 / kinds.count(kind) for kind in kinds])
        played = shots.sets == PLAYED
        for some, wanted in ((played, 1.0 - _ACTED_SHARE), (~played, _ACTED_SHARE)):
            share[some] *= wanted / max(share[some].sum(), 1e-9)
        self.share = share / share.sum()
        acted = [{int(e) for e in shots.emotion[shots.sets == name]} | {0} for name in shots.sets]
        # A set says nothing about what nobody in it acts: it must not teach that its people are never disgusted.
        self.possible = torch.tensor([[number in some for number in range(len(EMOTIONS))] for some in acted])

    def loss(self, network: EmotionNet, random: np.random.Generator) -> Tensor:
        """Cross-entropy of the emotion, and of the intensity where it is known."""
        chosen = random.choice(len(self.shots), FACE_BATCH, p=self.share)
        crops = [_crop(self.shots, number, FACE_FRAMES, random) for number in chosen]
        pictures, _, lengths = (tensor.to(processes.device()) for tensor in batch_of(crops))
        seen = network(through_other_cameras(pictures, random), lengths)
        possible = self.possible[chosen].to(pictures.device)
        emotion = torch.from_numpy(self.shots.emotion[chosen]).to(pictures.device)
        likelihood = seen.scores.float().masked_fill(~possible, -1e4).log_softmax(-1)
        named = -likelihood.gather(1, emotion[:, None])[:, 0]
        spread = -(likelihood * possible).sum(1) / possible.sum(1)
        loss = ((1.0 - _DOUBT) * named + _DOUBT * spread).mean()
        intensity = torch.from_numpy(self.shots.intensity[chosen]).to(pictures.device)
        known = ~intensity.isnan()
        if known.any():
            loss = loss + functional.binary_cross_entropy_with_logits(seen.intensity.float()[known], intensity[known])
        return loss


def _crop(shots: Shots, number: int, frames: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    return shots.sequence(number, int(random.integers(max(1, shots.length(number) - frames + 1))), frames)
