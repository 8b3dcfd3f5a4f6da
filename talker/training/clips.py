"""Tracked talking video as batches to learn from: which clips there are, who is held out, how they are augmented."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from talker.audio import NETWORK_RATE
from talker.datasets.talker_sets import HELD_OUT_GRID_CLIPS, HELD_OUT_SPEAKERS
from talker.datasets.tracks import TrackedClip, read_tracks
from talker.errors import TalkerError
from talker.files import read_text
from talker.models.speech_encoder import FEATURE_FPS, frame_count
from talker.rigs import arkit
from talker.training import augment
from talker.training.targets import lip_gap, measure_speaker, target_curves

TRAINING_SETS = ("grid_s1", "javanese")
STRANGERS = ("first_impressions",)
"""Sets that are never trained on: their licence forbids it, and someone has to be a stranger."""

SETS = TRAINING_SETS + STRANGERS
HELD_OUT_ACTORS = HELD_OUT_SPEAKERS["javanese"]
CROP_SECONDS = 3.0
BATCH = 8

_SILENCE_DB = -35.0  # Below the clip's loud parts: nothing is heard.


@dataclass(frozen=True)
class Clip:
    """A clip to learn from or to be judged by.

    Attributes:
        id: Its name within the set.
        set: The set it belongs to.
        held_out: Kept away from training.
        fps: Video frames per second.
        samples: (N,) float32 at 16 kHz.
        curves: (T, 52) targets.
        gap: (T,) measured lip gap in outer eye distances.
        seen: (T,) bool, whether the frame showed a face; the others do not count.
        mouth_after_audio: Seconds by which the recording's picture is later than its sound (known of strangers only).
    """

    id: str
    set: str
    held_out: bool
    fps: float
    samples: np.ndarray
    curves: np.ndarray
    gap: np.ndarray
    seen: np.ndarray
    mouth_after_audio: float = 0.0


@dataclass(frozen=True)
class Batch:
    """`samples` (B, N) with `lengths` (B,); `curves` (B, T, 52) at 50 Hz; `weight` (B, T), 0 where nothing is known."""

    samples: Tensor
    lengths: Tensor
    curves: Tensor
    weight: Tensor


def load_clips(data: Path) -> list[Clip]:
    """All clips of the known sets below `data`, with targets."""
    clips = [clip for name in SETS if (data / name).is_dir() for clip in _load_set(data / name)]
    if all(clip.set in STRANGERS for clip in clips):
        raise TalkerError(f"{data} holds none of the folders {', '.join(TRAINING_SETS)}; give their parent with --data")
    return clips


def _load_set(folder: Path) -> list[Clip]:
    by_speaker: dict[str, list[TrackedClip]] = defaultdict(list)
    for clip in read_tracks(folder):
        by_speaker[_speaker_of(folder.name, clip.id)].append(clip)
    offsets_path = folder / "mouth_after_audio_ms.json"
    offsets = json.loads(read_text(offsets_path)) if offsets_path.is_file() else {}
    out = []
    for name, tracked in by_speaker.items():
        sounds = [clip.samples() for clip in tracked]
        silent = [silent_frames(s, c.fps, len(c.found)) for s, c in zip(sounds, tracked, strict=True)]
        speaker = measure_speaker(tracked, silent)
        for i, (clip, samples) in enumerate(zip(tracked, sounds, strict=True)):
            last_of_grid = folder.name == "grid_s1" and len(tracked) - i <= HELD_OUT_GRID_CLIPS
            out.append(
                Clip(
                    clip.id,
                    folder.name,
                    folder.name in STRANGERS or last_of_grid or name in HELD_OUT_ACTORS,
                    clip.fps,
                    samples,
                    target_curves(clip, speaker),
                    lip_gap(clip),
                    clip.found,
                    offsets.get(clip.id, 0.0) / 1000.0,
                )
            )
    return out


def _speaker_of(set_name: str, clip_id: str) -> str:
    """GRID's clips are one man's; a Javanese id begins with the actor; a stranger's is the video and the part of it."""
    if set_name == "javanese":
        return clip_id[:2]
    return clip_id.rsplit(".", 1)[0] if set_name in STRANGERS else set_name


def silent_frames(samples: np.ndarray, fps: float, count: int) -> np.ndarray:
    """(count,) bool: video frames in which the sound is far below the clip's loud parts."""
    edges = np.rint(np.arange(count + 1) / fps * NETWORK_RATE).astype(int)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    power = np.diff(energy[np.minimum(edges, len(samples))])
    return power < np.percentile(power, 95) * 10 ** (_SILENCE_DB / 10)


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
    speed = random.uniform(*augment.SPEEDS)
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
