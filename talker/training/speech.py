"""`talker train speech`: a small speech encoder learns to hear as Whisper does, and to name phones.

The student starts from the layers of a small Whisper encoder, so that minutes of training go into hearing nearby frames
only, through noise and rooms, straight from the samples, instead of into hearing at all. What it then learns from is a
larger Whisper's features of the same speech when it was still clean.
"""

import copy
import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from talker.audio import NETWORK_RATE
from talker.errors import TalkerError
from talker.models.checkpoint import save_speech
from talker.models.speech import Speech
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES, SpeechEncoder, SpeechEncoderConfig, frame_count
from talker.phones import PHONES, SILENCE, index
from talker.training import augment
from talker.training.loop import LoopOptions, TrainingLoop, is_saved
from talker.training.speech_corpus import UNKNOWN, Recording, TeacherFeatures, read_corpus
from talker.training.teachers import WhisperTeacher, load_teacher

STUDENT_FROM, TEACHER = "whisper-tiny.en", "whisper-base"
TEACHER_LAYERS = (3, 5)
"""Of the teacher's six: lips are read best from the middle (see `talker.evaluation.speech_probe`), phones from later."""

CROP_SECONDS = 4.0
BATCH = 16
SPEEDS = (0.87, 1.15)
SET_SHARES = {"speechocean762": 3, "grid_s1": 2, "javanese_audio": 3, "emodb": 2, "facegood": 1, "synthesised": 5}
"""Crops of each set in sixteen, when all are there."""

_JUDGED_PER_SET = 40
_WITHOUT_SPEECH = 0.06  # Share of crops that are noise, tones or chords.
_PHONE_WEIGHT, _ORDER_WEIGHT, _HINT_WEIGHT = 0.3, 0.05, 0.3


@dataclass(frozen=True)
class SpeechBatch:
    """One step's crops.

    Attributes:
        samples: (B, N) float32.
        lengths: (B,) samples of each.
        heard: (B, T, F) standardised teacher features.
        known: (B, T) 1 where they hold.
        labels: (B, T) phone of each frame, `UNKNOWN` where nobody told.
        order: Phones of each crop that holds a whole transcribed recording; else empty.
    """

    samples: Tensor
    lengths: Tensor
    heard: Tensor
    known: Tensor
    labels: Tensor
    order: list[tuple[int, ...]]


class SpeechBatches:
    """Crops of the training recordings, each as somebody else might have recorded it."""

    def __init__(self, corpus: list[Recording], features: TeacherFeatures, seed: int) -> None:
        self.pools: dict[str, list[Recording]] = defaultdict(list)
        for recording in corpus:
            if recording.frames >= FEATURE_FPS // 2:
                self.pools[recording.set].append(recording)
        shares = np.array([SET_SHARES.get(name, 1) for name in self.pools], float)
        self.shares = shares / shares.sum()
        self.features = features
        self.mean, self.deviation = features.moments()
        self.seed = seed

    def at(self, step: int) -> SpeechBatch:
        """The batch of a step: the same whenever it is asked for."""
        random = np.random.default_rng((self.seed, step))
        crops = [self._crop(random) for _ in range(BATCH)]
        lengths = torch.tensor([len(samples) for samples, *_ in crops])
        size, frames = int(lengths.max()), frame_count(int(lengths.max()))
        batch = SpeechBatch(
            torch.zeros(BATCH, size),
            lengths,
            torch.zeros(BATCH, frames, len(self.mean)),
            torch.zeros(BATCH, frames),
            torch.full((BATCH, frames), UNKNOWN),
            [order for *_, order in crops],
        )
        for i, (samples, heard, known, labels, _) in enumerate(crops):
            batch.samples[i, : len(samples)] = torch.from_numpy(samples)
            batch.heard[i, : len(heard)] = torch.from_numpy(heard)
            batch.known[i, : len(known)] = torch.from_numpy(known)
            batch.labels[i, : len(labels)] = torch.from_numpy(labels)
        return batch

    def _crop(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple]:
        if random.random() < _WITHOUT_SPEECH:
            return self._without_speech(random)
        pool = list(self.pools.values())[int(random.choice(len(self.pools), p=self.shares))]
        recording = pool[int(random.integers(len(pool)))]
        return self._of(recording, random)

    def _of(
        self, recording: Recording, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple]:
        """A stretch played faster or slower, in another room; labels and features follow the new times."""
        speed = random.uniform(*SPEEDS)
        duration = len(recording.samples) / NETWORK_RATE
        taken = min(CROP_SECONDS * speed, duration)
        begin = random.uniform(0.0, duration - taken)
        count = max(1, int(taken / speed * NETWORK_RATE))
        position = begin * NETWORK_RATE + np.arange(count) * speed
        first, last = int(position[0]), int(position[-1]) + 2
        sound = recording.samples[first:last].astype(np.float32) / 32768.0
        samples = np.interp(position - first, np.arange(len(sound)), sound)

        rows = (begin + np.arange(frame_count(count)) / FEATURE_FPS * speed) * FEATURE_FPS
        rows = np.clip(rows, 0, recording.frames - 1)
        heard = self.standardised(recording, rows)
        labels = recording.labels[np.rint(rows).astype(int)].astype(np.int64)

        muted = np.ones((len(rows), 1), np.float32)  # The augmentation fades curves where it mutes: let it fade ones.
        samples = augment.add_room(augment.change_voice(samples, random), random)
        samples = self._add_babble(augment.add_noise(samples, random), random)
        samples = augment.encode(augment.limit_band(samples, random), random)
        samples, muted = augment.mute(augment.set_loudness(samples, random), muted, FEATURE_FPS, random)
        audible = muted[:, 0] > 0.99
        labels = np.where(audible, labels, np.where(muted[:, 0] < 0.01, index(SILENCE), UNKNOWN))
        whole = taken == duration and bool(audible.all())
        return samples.astype(np.float32), heard, audible, labels, recording.transcript if whole else ()

    def standardised(self, recording: Recording, rows: np.ndarray) -> np.ndarray:
        """(len(rows), F) float32: the teacher's features at fractional frames, each feature with mean 0, variance 1."""
        return (self.features.rows(recording, rows) - self.mean) / self.deviation

    def _add_babble(self, samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Now and then, other people talk in the background."""
        if random.random() < 0.85:
            return samples
        pools = list(self.pools.values())
        babble = np.zeros(len(samples))
        for _ in range(3):
            pool = pools[int(random.integers(len(pools)))]
            other = pool[int(random.integers(len(pool)))].sound()
            babble += np.resize(other, len(samples))
        ratio = 10 ** (-random.uniform(8, 25) / 20)
        return samples + babble * (ratio * samples.std() / max(float(babble.std()), 1e-6))

    def _without_speech(
        self, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple]:
        """Noise, a chord or a melody: the mouth has nothing to say."""
        count = int(CROP_SECONDS * NETWORK_RATE)
        times = np.arange(count) / NETWORK_RATE
        samples = np.zeros(count)
        if random.random() < 0.6:
            for _ in range(int(random.integers(1, 5))):
                pitch = 2.0 ** random.uniform(np.log2(60.0), np.log2(4000.0))
                notes = pitch * 2.0 ** (random.integers(-12, 13, size=8)[(times * 2).astype(int) % 8] / 12.0)
                if random.random() < 0.5:
                    notes = np.full(count, pitch)
                phase = np.cumsum(notes) * (2 * np.pi / NETWORK_RATE)
                samples += np.sin(phase) + random.uniform(0, 0.5) * np.sin(2 * phase) * random.uniform(0.2, 1.0)
        else:
            samples = augment.add_noise(random.standard_normal(count), random)
            samples = np.convolve(samples, random.standard_normal(8), "same")
        samples = augment.limit_band(augment.add_room(samples, random), random)
        samples = augment.set_loudness(samples, random)
        frames = frame_count(count)
        labels = np.full(frames, index(SILENCE))
        heard = np.zeros((frames, len(self.mean)), np.float32)
        return samples.astype(np.float32), heard, np.zeros(frames, bool), labels, ()


class SpeechStudent(nn.Module):
    """The encoder with what it is taught through: heads for the teacher's features, and two for phones."""

    def __init__(self, encoder: SpeechEncoder, teacher_width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.to_teacher = nn.Linear(encoder.width, teacher_width * len(TEACHER_LAYERS))
        self.hint = nn.Linear(encoder.width, teacher_width)
        self.phone_head = nn.Linear(encoder.width, len(PHONES))
        self.order_head = nn.Linear(encoder.width, len(PHONES) + 1)  # The last is "nothing new".

    def loss(self, batch: SpeechBatch) -> dict[str, Tensor]:
        """Everything it is taught, by name; "total" is what to descend."""
        states = self.encoder.hidden_states(batch.samples, batch.lengths)
        features = self.encoder.network.encoder.layer_norm(states[-1])
        weight = batch.known[..., None] / (batch.known.sum().clamp(min=1) * batch.heard.shape[-1])
        teacher = ((self.to_teacher(features).float() - batch.heard).square() * weight).sum()
        # Half-way up it should already hear what the teacher hears in its middle.
        middle = batch.heard[..., : self.hint.out_features]
        normed = nn.functional.layer_norm(states[len(states) // 2], states[-1].shape[-1:])
        hint = ((self.hint(normed).float() - middle).square() * weight * len(TEACHER_LAYERS)).sum()
        phones = nn.functional.cross_entropy(
            self.phone_head(features).float().transpose(1, 2), batch.labels, ignore_index=UNKNOWN, label_smoothing=0.05
        )
        order = self._order_loss(features, batch)
        total = teacher + _HINT_WEIGHT * hint + _PHONE_WEIGHT * phones + _ORDER_WEIGHT * order
        return {"total": total, "teacher": teacher, "hint": hint, "phones": phones, "order": order}

    def _order_loss(self, features: Tensor, batch: SpeechBatch) -> Tensor:
        """Connectionist temporal classification, per phone, over the crops whose whole transcript is known."""
        known = [i for i, order in enumerate(batch.order) if order]
        if not known:
            return features.sum() * 0.0
        scores = self.order_head(features[known]).float().log_softmax(-1).transpose(0, 1)
        targets = torch.tensor([phone for i in known for phone in batch.order[i]])
        sizes = torch.tensor([len(batch.order[i]) for i in known])
        frames = torch.ceil(batch.lengths[known] / HOP_SAMPLES).long()
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
) -> list[float]:
    """Train an encoder on the sets below `data` and on synthesised speech; returns the losses.

    Args:
        data: Folder of the sets in `talker.training.speech_corpus.SPEECH_SETS`.
        packages: Folder that holds the teachers' packages.
        folder: Gets the averaged weights with every checkpoint, and `history.csv` with how they do.
        options: How long and how fast.
        synthesised: What `python -m talker.training.synthesis` made.
        cache: Where the teacher's features are kept; `folder / "teacher"` when None.
        config: Sizes of the encoder.
        resume: Continue from the last checkpoint.
        say: Told what happens.
    """
    corpus = read_corpus(data, synthesised, say)
    features = TeacherFeatures(cache or folder / "teacher", TEACHER_LAYERS)
    teacher = load_teacher(TEACHER, packages, options.bfloat16)
    features.prepare(teacher, corpus, say)
    batches = SpeechBatches([recording for recording in corpus if not recording.held_out], features, options.seed)
    held_out = [recording for recording in corpus if recording.held_out]

    torch.manual_seed(options.seed)
    student = SpeechStudent(SpeechEncoder.from_config(config or SpeechEncoderConfig()), teacher.width)
    if not (resume and is_saved(folder)):
        smaller = load_teacher(STUDENT_FROM, packages)
        start_from_whisper(student.encoder, smaller)
        for step, loss in enumerate(learn_stem(student.encoder, smaller, batches)):
            if step % 100 == 0:
                say(f"stem, step {step}: {loss:.3f} of the variance unexplained")
    loop = TrainingLoop(student, folder, options)
    if resume:
        loop.resume()
    recent: dict[str, list[float]] = defaultdict(list)
    upcoming = _Upcoming(batches.at)

    def loss_at(step: int) -> Tensor:
        losses = student.loss(upcoming.take(step))
        for name, value in losses.items():
            recent[name].append(float(value.detach()))
        return losses["total"]

    def on_checkpoint(loop: TrainingLoop) -> None:
        save_speech(folder, Speech(student.encoder, PHONES, student.phone_head), loop.averaged)
        row = {f"training {name}": float(np.mean(values)) for name, values in recent.items()}
        row |= judge(student, loop.averaged, batches, held_out)
        recent.clear()
        _append_row(folder / "history.csv", {"step": loop.step, **row})
        say(f"step {loop.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()))

    return loop.run(loss_at, on_checkpoint)


class _Upcoming:
    """Makes the next batch while the current one is learnt."""

    def __init__(self, batch_at: Callable[[int], SpeechBatch]) -> None:
        self._batch_at = batch_at
        self._pool = ThreadPoolExecutor(1)
        self._next: tuple[int, Future[SpeechBatch]] | None = None

    def take(self, step: int) -> SpeechBatch:
        if self._next is None or self._next[0] != step:
            self._next = step, self._pool.submit(self._batch_at, step)
        batch = self._next[1].result()
        self._next = step + 1, self._pool.submit(self._batch_at, step + 1)
        return batch


@torch.inference_mode()
def judge(
    student: SpeechStudent, weights: dict[str, Tensor], batches: SpeechBatches, held_out: list[Recording]
) -> dict[str, float]:
    """What averaged weights make of clean recordings of unheard speakers, per set.

    "unexplained": share of the variance of the teacher's features that is missed; "phone error": share of the frames
    with a known phone that get another one.
    """
    judged = copy.deepcopy(student).eval()
    judged.load_state_dict(weights)
    sums: dict[str, list[float]] = defaultdict(list)
    seen: dict[str, int] = defaultdict(int)
    for recording in held_out:
        seen[recording.set] += 1
        if seen[recording.set] > _JUDGED_PER_SET:
            continue
        features = judged.encoder(torch.from_numpy(recording.sound())[None])
        wanted = batches.standardised(recording, np.arange(recording.frames))
        missed = (judged.to_teacher(features)[0] - torch.from_numpy(wanted)).square().mean()
        sums[f"unexplained {recording.set}"].append(float(missed))
        known = recording.labels != UNKNOWN
        if known.any():
            said = judged.phone_head(features)[0].argmax(-1).numpy()
            sums[f"phone error {recording.set}"].append(float((said != recording.labels)[known].mean()))
    return {name: float(np.mean(values)) for name, values in sums.items()}


def _append_row(path: Path, row: dict[str, float]) -> None:
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow({name: round(value, 5) for name, value in row.items()})


def start_from_whisper(encoder: SpeechEncoder, teacher: WhisperTeacher) -> None:
    """Copy a Whisper encoder's transformer layers, which compute exactly what this encoder's layers do."""
    ours, theirs = encoder.network.encoder, teacher.encoder
    if theirs.config.d_model != encoder.width or len(theirs.layers) < len(ours.layers):
        raise TalkerError(f"Whisper's {len(theirs.layers)} x {theirs.config.d_model} layers do not fit this encoder")
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
        for mine, other in zip(ours.layers, theirs.layers, strict=False):
            for to, source in pairs:
                target, origin = mine.get_submodule(to), other.get_submodule(source)
                target.weight.copy_(origin.weight)
                if target.bias is not None:
                    target.bias.copy_(origin.bias if origin.bias is not None else torch.zeros_like(target.bias))
        ours.layer_norm.load_state_dict(theirs.layer_norm.state_dict())


def learn_stem(
    encoder: SpeechEncoder, teacher: WhisperTeacher, batches: SpeechBatches, steps: int = 400
) -> Iterator[float]:
    """Teach the convolutions, which hear samples, to say what Whisper's stem says of the log-mel spectrogram."""
    network = encoder.network
    parts = nn.ModuleList([network.feature_extractor, network.feature_projection])
    optimiser = torch.optim.AdamW(parts.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for step in range(steps):
        batch = batches.at(2**31 + step)  # Other crops than the main training will see.
        with torch.no_grad():
            wanted = torch.stack([teacher.stem(samples) for samples in batch.samples.numpy()])
        hidden = network.feature_extractor(encoder._framed(batch.samples)).transpose(1, 2)
        said = network.feature_projection(hidden)[0]
        loss = nn.functional.mse_loss(said, wanted) / wanted.var()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        yield loss.item()
