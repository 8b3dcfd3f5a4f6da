"""`talker train speech`: a small speech encoder learns to hear as Whisper does, and to name phones.

The student starts as the lower half of a Whisper encoder, so that minutes of training go into hearing nearby frames,
through noise and rooms, instead of into hearing at all. What it then learns from is what that Whisper makes of the same
speech when it was still clean, half-way up and further up than the student reaches; and, where there are shards, the
faces that were filmed or taught: nothing tells as well what is worth hearing.
"""

import copy
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from talker.datasets.phone_times import grid_words
from talker.errors import TalkerError
from talker.models.checkpoint import load_speech, save_checkpoint, save_speech
from talker.models.speech import PhoneHead, Speech
from talker.models.speech_encoder import HOP_SAMPLES, SpeechEncoder, SpeechEncoderConfig
from talker.models.talker import Talker, TalkerConfig
from talker.phones import PHONES
from talker.training import processes
from talker.training.course import Batch, Course, Lessons, MotionLoss
from talker.training.diary import Diary
from talker.training.hearing import hear
from talker.training.loop import LoopOptions, TrainingLoop, is_saved
from talker.training.phones import PHONE_STEPS, learn_phones, phone_loss
from talker.training.speech_batches import SpeechBatch, SpeechBatches
from talker.training.speech_corpus import UNKNOWN, Recording, TeacherFeatures, read_corpus
from talker.training.teachers import WhisperTeacher, load_teacher
from talker.training.word_alignment import label_words

TEACHER = "whisper-base"
TEACHER_LAYERS = (3, 5)
"""Of the teacher's six: the middle tells most of lips (see `talker.evaluation.speech_probe`), a later one of phones."""

HEAD_STEPS = 150

_JUDGED_PER_SET = 40
_PHONE_WEIGHT, _ORDER_WEIGHT, _FACE_WEIGHT = 0.3, 0.05, 6.0
_MEASURED_BATCHES = 8


class SpeechStudent(nn.Module):
    """The encoder with what it is taught through: heads for the teacher's features, and two for phones."""

    def __init__(self, encoder: SpeechEncoder, teacher_width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.talker = Talker(TalkerConfig(encoder.width, prior=None))
        self.to_teacher = nn.Linear(encoder.width, teacher_width * len(TEACHER_LAYERS))
        self.phone_head = PhoneHead(encoder.width, len(PHONES))
        self.order_head = nn.Linear(encoder.width, len(PHONES) + 1)  # The last is "nothing new".

    def loss(self, batch: SpeechBatch) -> dict[str, Tensor]:
        """What speech itself teaches, by name; "total" is what to descend."""
        features = hear(self.encoder, batch.samples, batch.lengths)
        weight = batch.known[..., None] / (batch.known.sum().clamp(min=1) * batch.heard.shape[-1])
        teacher = ((self.to_teacher(features).float() - batch.heard).square() * weight).sum()
        phones = phone_loss(self.phone_head(features), batch.labels)
        order = self._order_loss(features, batch)
        total = teacher + _PHONE_WEIGHT * phones + _ORDER_WEIGHT * order
        return {"total": total, "teacher": teacher, "phones": phones, "order": order}

    def face_loss(self, batch: Batch, loss: MotionLoss) -> Tensor:
        """What the faces of other speech teach."""
        features = hear(self.encoder, batch["samples"], batch["length"])
        frames = torch.ceil(batch["length"] / HOP_SAMPLES).long()
        predicted = self.talker(features, batch["strengths"], frames).float()
        with torch.autocast(predicted.device.type, enabled=False):  # A lip's width is less than bfloat16 can tell.
            return loss(predicted, batch["motion"], batch["weight"])

    def _order_loss(self, features: Tensor, batch: SpeechBatch) -> Tensor:
        """Connectionist temporal classification, per phone, over the crops whose whole transcript is known."""
        known = [i for i, order in enumerate(batch.order) if order]
        if not known:
            return features.sum() * 0.0
        scores = self.order_head(features[known]).float().log_softmax(-1).transpose(0, 1)
        targets = torch.tensor([phone for i in known for phone in batch.order[i]], device=scores.device)
        sizes = torch.tensor([len(batch.order[i]) for i in known])
        frames = torch.ceil(batch.lengths[known] / HOP_SAMPLES).long().cpu()
        return nn.functional.ctc_loss(scores, targets, frames, sizes, blank=len(PHONES), zero_infinity=True)


def train_speech(
    data: Path,
    packages: Path,
    folder: Path,
    options: LoopOptions,
    synthesised: Path | None = None,
    cache: Path | None = None,
    config: SpeechEncoderConfig | None = None,
    resume: bool = False,
    say: Callable[[str], None] = print,
    align: str | Path | None = None,
    faces: Lessons | None = None,
    start: str | Path | None = None,
) -> list[float]:
    """Train an encoder on the sets below `data` and on synthesised speech; returns the losses.

    Args:
        data: Folder of the sets in `talker.training.speech_corpus.SPEECH_SETS`.
        packages: Folder that holds the teachers' packages.
        folder: Gets the averaged weights with every checkpoint, and how they do: see `Diary`. With `faces` it becomes
            a whole talker, without emotions, whose `speech/` is the encoder.
        options: How long and how fast.
        synthesised: What `python -m talker.training.synthesis` made.
        cache: Where the teacher's features are kept; `folder / "teacher"` when None.
        config: Sizes of the encoder.
        resume: Continue from the last checkpoint.
        say: Told what happens.
        align: Encoder that tells where in GRID's words their phones lie; without one, GRID's phones are only known in
            order, and its silences in time.
        faces: Shards to learn from as well what faces do to what is heard.
        start: Encoder to go on from, of an earlier run; the lower half of the teacher when None.
    """
    say = say if processes.number() == 0 else _silently
    device = processes.device()
    corpus = read_corpus(data, synthesised, say)
    if align is not None:
        corpus = label_words(corpus, grid_words(data / "grid_s1"), load_speech(align).to(device))
    features = TeacherFeatures(cache or folder / "teacher", TEACHER_LAYERS)
    teacher = load_teacher(TEACHER, packages, options.bfloat16, device)
    with processes.first_alone():
        features.prepare(teacher, corpus, say)
    heard = [recording for recording in corpus if not recording.held_out]
    batches = SpeechBatches(heard, features, options.seed)
    held_out = [recording for recording in corpus if recording.held_out]

    course = None if faces is None else faces.course(options.seed, device)
    torch.manual_seed(options.seed)
    student = SpeechStudent(SpeechEncoder.from_config(config or SpeechEncoderConfig()), teacher.width).to(device)
    if not (resume and is_saved(folder)):
        if start is None:
            start_from_whisper(student.encoder, teacher)
        else:
            start_from_encoder(student.encoder, start)
        _prepare_heads(student, batches, course, options, say)
    loop = TrainingLoop(student, folder, options)
    if resume:
        loop.resume()
    filmed = iter(()) if course is None else course.batches(loop.step)
    diary = Diary(folder, resume, say)
    speech = Speech(student.encoder, PHONES, student.phone_head)

    def save(weights: dict[str, Tensor]) -> None:
        if course is None:
            save_speech(folder, speech, weights)
        else:
            save_checkpoint(folder, speech, student.talker, weights)

    def on_checkpoint(loop: TrainingLoop) -> None:
        save(loop.averaged)
        figures = {} if course is None else course.validate(folder)
        diary.write(loop.step, figures | judge(student, loop.averaged, batches, held_out))

    with ThreadPoolExecutor(1) as pool:
        upcoming = _Upcoming(pool, batches.at)

        def loss_at(step: int) -> Tensor:
            losses = student.loss(upcoming.take(step).to(device))
            if course is not None:
                losses["faces"] = student.face_loss(next(filmed), course.loss)
                losses["total"] = losses["total"] + _FACE_WEIGHT * losses["faces"]
            diary.note({f"training {name}": loss for name, loss in losses.items()})
            return losses["total"]

        taught = loop.run(loss_at, on_checkpoint)
    student.load_state_dict(loop.averaged)
    _tell(learn_phones(speech, heard, PHONE_STEPS, options.bfloat16, options.seed), "phones, step {}: {:.3f}", say)
    if processes.number() == 0:
        save(student.state_dict())
    return taught


def _prepare_heads(
    student: SpeechStudent,
    batches: SpeechBatches,
    course: Course | None,
    options: LoopOptions,
    say: Callable[[str], None],
) -> None:
    """What reads the encoder fits it before it begins to change."""
    if course is not None:
        measure_features(student, course)
    heads = learn_heads(student, batches, HEAD_STEPS, options.bfloat16, course)
    _tell(heads, "heads, step {}: {:.3f} of the teacher's variance unexplained", say)


def measure_features(student: SpeechStudent, course: Course) -> None:
    """Set what the student's talker standardises features by from the first lessons."""
    batches = list(itertools.islice(course.batches(0), _MEASURED_BATCHES))
    with torch.inference_mode():
        heard = [hear(student.encoder, b["samples"], b["length"])[b["weight"] > 0] for b in batches]
    student.talker.measure_features(torch.cat(heard))


def _tell(losses: Iterator[float], text: str, say: Callable[[str], None]) -> None:
    """Take the steps, and say how every fiftieth went."""
    for step, loss in enumerate(losses):
        if step % 50 == 0:
            say(text.format(step, loss))


def _silently(_: str) -> None:
    """One process tells what happens to all."""


class _Upcoming:
    """Makes the next batch while the current one is learnt."""

    def __init__(self, pool: Executor, batch_at: Callable[[int], SpeechBatch]) -> None:
        self._pool = pool
        self._batch_at = batch_at
        self._next: tuple[int, Future[SpeechBatch]] | None = None

    def take(self, step: int) -> SpeechBatch:
        if self._next is None or self._next[0] != step:
            self._next = step, self._pool.submit(self._batch_at, step)
        batch = self._next[1].result()
        self._next = step + 1, self._pool.submit(self._batch_at, step + 1)
        return batch


@torch.inference_mode()
def judge(
    student: SpeechStudent, weights: dict[str, Tensor], batches: SpeechBatches, held_out: Sequence[Recording]
) -> dict[str, float]:
    """What averaged weights make of clean recordings of unheard speakers, per set.

    "unexplained": share of the variance of the teacher's features that is missed; "phone error": share of the frames
    with a known phone that get another one.
    """
    judged = copy.deepcopy(student).eval()
    judged.load_state_dict(weights)
    scores: dict[str, list[float]] = defaultdict(list)
    seen: dict[str, int] = defaultdict(int)
    for recording in held_out:
        seen[recording.set] += 1
        if seen[recording.set] > _JUDGED_PER_SET:
            continue
        features = torch.from_numpy(judged.encoder.features(recording.sound())).to(judged.to_teacher.weight)
        wanted = batches.standardised(recording, np.arange(recording.frames))
        missed = judged.to_teacher(features).cpu() - torch.from_numpy(wanted)
        scores[f"unexplained {recording.set}"].append(float(missed.square().mean()))
        known = recording.labels != UNKNOWN
        if known.any():
            said = judged.phone_head(features[None])[0].argmax(-1).cpu().numpy()
            scores[f"phone error {recording.set}"].append(float((said != recording.labels)[known].mean()))
    return {name: float(np.mean(values)) for name, values in scores.items()}


def start_from_whisper(encoder: SpeechEncoder, teacher: WhisperTeacher) -> None:
    """Begin as the lower layers of a Whisper encoder, which compute exactly what this encoder's layers do, nearby."""
    ours, theirs = encoder.network.encoder, teacher.encoder
    mine, config = encoder.network.config, theirs.config
    wanted = (config.d_model, config.encoder_attention_heads, config.encoder_ffn_dim)
    if wanted != (mine.hidden_size, mine.num_attention_heads, mine.intermediate_size):
        raise TalkerError(f"an encoder that starts from this Whisper needs width, heads and feed_forward {wanted}")
    if len(ours.layers) > len(theirs.layers):
        raise TalkerError(f"an encoder that starts from this Whisper has {len(theirs.layers)} layers at most")
    pairs = (
        ("attention.q_proj", "self_attn.q_proj"),
        ("attention.k_proj", "self_attn.k_proj"),
        ("attention.v_proj", "self_attn.v_proj"),
        ("attention.out_proj", "self_attn.out_proj"),
        ("layer_norm", "self_attn_layer_norm"),
        ("feed_forward.intermediate_dense", "fc1"),
        ("feed_forward.output_dense", "fc2"),
        ("final_layer_norm", "final_layer_norm"),
    )
    with torch.no_grad():
        for layer, origin in zip(ours.layers, theirs.layers, strict=False):
            for to, source in pairs:
                _copy(layer.get_submodule(to), origin.get_submodule(source))
        stem = encoder.network.feature_extractor
        _copy(stem.conv1, theirs.conv1)
        _copy(stem.conv2, theirs.conv2)
        ours.pos_conv_embed.conv.parametrizations.weight.original0.zero_()  # Nothing to add yet; it can learn to.
        ours.pos_conv_embed.conv.bias.zero_()


def start_from_encoder(encoder: SpeechEncoder, name: str | Path) -> None:
    """Begin as an encoder of an earlier run, of the same sizes."""
    weights = load_speech(name).encoder.state_dict()
    sizes, wanted = ({key: value.shape for key, value in state.items()} for state in (weights, encoder.state_dict()))
    if sizes != wanted:
        raise TalkerError(
            f"{name}: an encoder of other sizes or of another kind; start from one of `talker train speech`"
        )
    encoder.load_state_dict(weights)


def _copy(to: Any, source: Any) -> None:
    to.weight.copy_(source.weight)
    to.bias.copy_(torch.zeros_like(to.bias) if source.bias is None else source.bias)  # Whisper's keys have no bias.


def learn_heads(
    student: SpeechStudent, batches: SpeechBatches, steps: int, bfloat16: bool, course: Course | None = None
) -> Iterator[float]:
    """Let the heads learn to read the encoder as it is, so that it is not first pulled about by what they guess."""
    heads = nn.ModuleList([student.to_teacher, student.phone_head, student.order_head, student.talker])
    filmed = iter(()) if course is None else course.batches(2**31)
    device = student.to_teacher.weight.device
    optimiser = torch.optim.AdamW(heads.parameters(), lr=3e-3)
    processes.share_weights(heads)
    student.encoder.requires_grad_(False)
    for step in range(steps):
        batch = batches.at(2**31 + step).to(device)  # Other crops than the main training will see.
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            loss = student.loss(batch)
            total = loss["total"]
            if course is not None:
                total = total + student.face_loss(next(filmed), course.loss)
        optimiser.zero_grad()
        total.backward()
        processes.average_gradients(heads)
        optimiser.step()
        yield loss["teacher"].item()
    student.encoder.requires_grad_(True)
