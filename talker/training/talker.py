"""`talker train talker`: speech encoder and talker together, from tracked talking video."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from talker.audio import NETWORK_RATE
from talker.datasets.tracks import TrackedClip, read_tracks
from talker.errors import TalkerError
from talker.files import atomic_output
from talker.models.checkpoint import save_checkpoint
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES, SpeechEncoder, SpeechEncoderConfig, frame_count
from talker.models.talker import Talker, TalkerConfig
from talker.rigs import arkit
from talker.training import augment
from talker.training.loop import LoopOptions, TrainingLoop
from talker.training.targets import TARGET_CHANNELS, lip_gap, measure_speaker, target_curves

SETS = ("grid_s1", "javanese")
HELD_OUT_ACTORS = ("03", "07")
HELD_OUT_GRID_CLIPS = 100
CROP_SECONDS = 3.0
BATCH = 16

_SILENCE_DB = -35.0  # Below the clip's loud parts: nothing is heard.
_JAW, _CLOSE = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]


@dataclass(frozen=True)
class Clip:
    """A clip to learn from: 16 kHz `samples`, `curves` (T, 52) and `gap` (T,) at `fps`; `seen` (T,) frames count."""

    id: str
    set: str
    held_out: bool
    fps: float
    samples: np.ndarray
    curves: np.ndarray
    gap: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True)
class Batch:
    """`samples` (B, N) with `lengths` (B,); `curves` (B, T, 52) at 50 Hz; `weight` (B, T), 0 where nothing is known."""

    samples: Tensor
    lengths: Tensor
    curves: Tensor
    weight: Tensor


def train_talker(
    data: Path,
    folder: Path,
    options: LoopOptions,
    encoder_config: SpeechEncoderConfig | None = None,
    talker_config: TalkerConfig | None = None,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> list[float]:
    """Train on `data`/grid_s1 and `data`/javanese (whichever are there) into `folder`; returns the losses."""
    encoder_config = encoder_config or SpeechEncoderConfig()
    talker_config = talker_config or TalkerConfig(feature_width=encoder_config.width)
    clips = load_clips(data)
    training, held_out = [c for c in clips if not c.held_out], [c for c in clips if c.held_out]
    say(f"{len(training)} clips to train on, {len(held_out)} held out")

    torch.manual_seed(options.seed)
    encoder, talker = SpeechEncoder.from_config(encoder_config), Talker(talker_config)
    modules = nn.ModuleDict({"encoder": encoder, "talker": talker})
    loop = TrainingLoop(modules, folder, options)
    if resume:
        loop.resume()
    scale = channel_scale(training)

    def loss_at(step: int) -> Tensor:
        batch = make_batch(training, np.random.default_rng((options.seed, step)))
        predicted = talker(encoder(batch.samples, batch.lengths), _frames(batch.lengths))
        return curve_loss(predicted.float(), batch, scale)

    def on_checkpoint(loop: TrainingLoop) -> None:
        save_checkpoint(folder, encoder_config, talker_config, loop.averaged)
        report = validate(folder, held_out)
        with atomic_output(folder / "validation.json") as temporary:
            temporary.write_text(json.dumps({"step": loop.step, "lip_gap_correlation": report}, indent=2) + "\n")
        say(f"step {loop.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in report.items()))

    return loop.run(loss_at, on_checkpoint)


def load_clips(data: Path) -> list[Clip]:
    """All clips of the known sets below `data`, with targets."""
    clips = [clip for name in SETS if (data / name).is_dir() for clip in _load_set(data / name)]
    if not clips:
        raise TalkerError(f"{data} holds none of the folders {', '.join(SETS)}; give their parent with --data")
    return clips


def _load_set(folder: Path) -> list[Clip]:
    by_speaker: dict[str, list[TrackedClip]] = defaultdict(list)
    for clip in read_tracks(folder):
        by_speaker[clip.id[:2] if folder.name == "javanese" else folder.name].append(clip)
    out = []
    for name, tracked in by_speaker.items():
        sounds = [clip.samples() for clip in tracked]
        silent = [silent_frames(s, c.fps, len(c.found)) for s, c in zip(sounds, tracked, strict=True)]
        speaker = measure_speaker(tracked, silent)
        for i, (clip, samples) in enumerate(zip(tracked, sounds, strict=True)):
            held_out = name in HELD_OUT_ACTORS or (folder.name == "grid_s1" and len(tracked) - i <= HELD_OUT_GRID_CLIPS)
            curves = target_curves(clip, speaker)
            out.append(Clip(clip.id, folder.name, held_out, clip.fps, samples, curves, lip_gap(clip), clip.found))
    return out


def silent_frames(samples: np.ndarray, fps: float, count: int) -> np.ndarray:
    """(count,) bool: video frames in which the sound is far below the clip's loud parts."""
    edges = np.rint(np.arange(count + 1) / fps * NETWORK_RATE).astype(int)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    power = np.diff(energy[np.minimum(edges, len(samples))])
    return power < np.percentile(power, 95) * 10 ** (_SILENCE_DB / 10)


def channel_scale(clips: list[Clip]) -> Tensor:
    """(52,) loss weight of each channel: the inverse variance, so that small but clear motion counts; 0 if unused."""
    deviation = np.concatenate([clip.curves for clip in clips]).std(axis=0)
    weight = 1.0 / np.maximum(deviation, 0.03) ** 2
    for name in arkit.SHAPES:
        i = arkit.INDEX[name]
        importance = 1.0 if arkit.region(name) in ("jaw", "mouth") else 0.3  # Brows follow the voice loosely.
        weight[i] *= importance if name in TARGET_CHANNELS else 0.0
    return torch.from_numpy(weight / len(TARGET_CHANNELS)).float()


def make_batch(clips: list[Clip], random: np.random.Generator, size: int = BATCH) -> Batch:
    """Random crops, half of them from each set: one of them has an hour of one voice, the other minutes of several."""
    by_set = defaultdict(list)
    for clip in clips:
        by_set[clip.set].append(clip)
    pools = list(by_set.values())
    crops = [_crop(pool[random.integers(len(pool))], random) for pool in (pools[i % len(pools)] for i in range(size))]
    lengths = torch.tensor([len(samples) for samples, _, _ in crops])
    samples = torch.zeros(size, int(lengths.max()))
    frames = frame_count(samples.shape[1])
    curves, weight = torch.zeros(size, frames, arkit.SHAPE_COUNT), torch.zeros(size, frames)
    for i, (sound, target, seen) in enumerate(crops):
        samples[i, : len(sound)] = torch.from_numpy(sound)
        curves[i, : len(target)] = torch.from_numpy(target)
        weight[i, : len(seen)] = torch.from_numpy(seen)
    return Batch(samples, lengths, curves, weight)


def _crop(clip: Clip, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A stretch of a clip, played faster or slower (which also moves pitch and formants), in another room."""
    speed = random.uniform(0.85, 1.2)
    duration = min(len(clip.samples) / NETWORK_RATE, len(clip.curves) / clip.fps)
    taken = min(CROP_SECONDS * speed, duration)
    begin = random.uniform(0.0, duration - taken)
    count = int(taken / speed * NETWORK_RATE)
    position = begin * NETWORK_RATE + np.arange(count) * speed
    samples = np.interp(position, np.arange(len(clip.samples)), clip.samples)

    row = (begin + np.arange(frame_count(count)) / FEATURE_FPS * speed) * clip.fps
    row = np.clip(row, 0, len(clip.curves) - 1)
    low = row.astype(int)
    high, share = np.minimum(low + 1, len(clip.curves) - 1), (row - low)[:, None]
    curves = clip.curves[low] * (1 - share) + clip.curves[high] * share
    seen = clip.seen[low] & clip.seen[high]

    samples = augment.add_room(augment.change_voice(samples, random), random)
    samples = augment.set_loudness(augment.add_noise(samples, random), random)
    samples, curves = augment.mute(samples, curves, FEATURE_FPS, random)
    return samples.astype(np.float32), curves.astype(np.float32), seen.astype(np.float32)


def curve_loss(predicted: Tensor, batch: Batch, scale: Tensor) -> Tensor:
    """Squared error of curves, of their velocity, and of the lips' aperture, in which shut lips count most."""
    weight = batch.weight
    error = (predicted - batch.curves) * weight[..., None]
    position = (error.square() * scale).sum()
    velocity = ((error[:, 1:] - error[:, :-1]).square() * scale).sum()
    aperture = batch.curves[..., _JAW] - batch.curves[..., _CLOSE]
    shut = torch.exp(-aperture / 0.04)
    lips = ((error[..., _JAW] - error[..., _CLOSE]).square() * (1.0 + 3.0 * shut)).sum()
    return (position + 2.0 * velocity + scale[_JAW] * len(TARGET_CHANNELS) * lips) / weight.sum().clamp(min=1.0)


def validate(folder: Path, clips: list[Clip]) -> dict[str, float]:
    """Median over clips of the correlation between the predicted lip aperture and the landmarks' lip gap, per set."""
    from talker.inference import load_model

    model = load_model(folder)
    scores = defaultdict(list)
    for clip in clips:
        scores[clip.set].append(lip_correlation(model.curves(clip.samples), clip.gap, clip.seen, clip.fps))
    return {name: float(np.median(values)) for name, values in scores.items()}


def lip_correlation(
    curves: np.ndarray, gap: np.ndarray, seen: np.ndarray, fps: float, mouth_after_audio: float = 0.0
) -> float:
    """Pearson correlation of predicted aperture, (T, 61) at 50 Hz, and measured gap, (S,) at `fps`.

    `mouth_after_audio` seconds is the recording's own error: how much later the picture is than the sound.
    """
    aperture = arkit.lip_aperture(curves)
    times = np.arange(len(gap)) / fps - mouth_after_audio
    use = seen & (times >= 0) & (times <= (len(aperture) - 1) / FEATURE_FPS)
    predicted = np.interp(times[use], np.arange(len(aperture)) / FEATURE_FPS, aperture)
    if predicted.std() < 1e-9 or gap[use].std() < 1e-9:
        return 0.0
    return float(np.corrcoef(predicted, gap[use])[0, 1])


def _frames(lengths: Tensor) -> Tensor:
    return torch.ceil(lengths / HOP_SAMPLES).long()
