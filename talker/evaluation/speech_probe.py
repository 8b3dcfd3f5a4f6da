"""How much of a stranger's lips a speech encoder's features tell: `python -m talker.evaluation.speech_probe`.

Protocol: features are frozen; the same three-layer temporal CNN learns lip gap, mouth width and chin of the landmarks
(in outer eye distances) on `grid_s1`, one man; it is judged on people it never saw, `first_impressions` (the measured
offset between picture and sound removed) and the two actors of `javanese` from whose faces no encoder of ours learnt,
by the Pearson correlation of each clip, median over clips.
The sound is clean, or the same sound with noise, through a telephone, or in a room.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from torch import Tensor, nn

from talker.audio import NETWORK_RATE
from talker.cli.program import run_program
from talker.datasets.talker_sets import HELD_OUT_SPEAKERS
from talker.datasets.tracks import TrackedClip, read_tracks
from talker.evaluation.metrics import correlation
from talker.files import atomic_output, read_text
from talker.models.speech_encoder import FEATURE_FPS, SpeechEncoder, SpeechEncoderConfig, frame_count
from talker.rigs.landmark_numbers import CHIN, GAP_LOWER, GAP_UPPER, MOUTH_CORNERS, NOSE_BRIDGE, OUTER_EYE_CORNERS
from talker.training.teachers import load_teacher

TRAINED_ON = "grid_s1"
STRANGERS = ("first_impressions", "javanese")
MEASURES = ("gap", "width", "chin")
Features = Callable[[Sequence[np.ndarray]], dict[str, list[np.ndarray]]]
"""Recordings (N,) at 16 kHz -> by name, one or more kinds of features, (ceil(N / 320), width) of each recording."""

_NOISE_DB = 10.0
# Few steps and many dropped features: one man and one grammar are quickly learnt by heart.
_STEPS, _BATCH, _CROP_FRAMES = 250, 24, 128


@dataclass(frozen=True)
class ProbeClip:
    """What the probe learns from or is judged by: the sound and (T, 3) measurements at 50 Hz, with where they hold."""

    id: str
    samples: np.ndarray
    measured: np.ndarray
    valid: np.ndarray


@dataclass
class Probe:
    """Compare what speech encoders hear of the mouth.

    For example:
      python -m talker.evaluation.speech_probe --data ../shared/data --packages DIR --encoder checkpoints/default/speech
    """

    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that holds grid_s1, first_impressions and javanese."""
    packages: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the packages that hold Whisper's encoders; without it they are left out."""
    encoder: tuple[str, ...] = ("default",)
    """Encoders to compare: "default", or folders."""
    teachers: tuple[str, ...] = ("whisper-tiny.en", "whisper-base")
    """Whisper encoders to compare with."""
    conditions: tuple[str, ...] = ("clean", "noise", "telephone", "room")
    """What happens to the strangers' sound."""
    seeds: int = 2
    """Probes trained per encoder; figures are their means."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Where to write the figures as JSON."""

    def run(self) -> None:
        """Print a table, one row per encoder and condition."""
        training = read_clips(self.data / TRAINED_ON)
        tests = {name: read_strangers(self.data / name) for name in STRANGERS}
        rows = []
        for features in self._encoders():
            learnt = features([clip.samples for clip in training])
            probes = {
                name: [train_probe(heard, training, seed) for seed in range(self.seeds)]
                for name, heard in learnt.items()
            }
            for condition in self.conditions:
                for set_name, clips in tests.items():
                    for name, heard in features([CONDITIONS[condition](clip.samples) for clip in clips]).items():
                        figures = np.mean([correlations(probe, heard, clips) for probe in probes[name]], axis=0)
                        row = {"encoder": name, "condition": condition, "set": set_name}
                        rows.append(row | dict(zip(MEASURES, figures.round(3).tolist(), strict=True)))
                        print("  ".join(f"{value:>16}" for value in rows[-1].values()), flush=True)  # noqa: T201
        if self.output:
            with atomic_output(self.output) as temporary:
                temporary.write_text(json.dumps(rows, indent=1) + "\n")

    def _encoders(self) -> Iterator[Features]:
        yield log_mel
        torch.manual_seed(0)
        yield encoder_features("untrained", SpeechEncoder.from_config(SpeechEncoderConfig()))
        for name in self.encoder:
            yield encoder_features(name, SpeechEncoder.load(name))
        if self.packages is None:
            return
        for name in self.teachers:
            yield teacher_features(name, self.packages)


def read_clips(folder: Path) -> list[ProbeClip]:
    """A set's clips, with what the landmarks say at the times of the feature frames."""
    offsets_path = folder / "mouth_after_audio_ms.json"
    offsets = json.loads(read_text(offsets_path)) if offsets_path.is_file() else {}
    return [_probe_clip(clip, offsets.get(clip.id, 0.0) / 1000.0) for clip in read_tracks(folder)]


def read_strangers(folder: Path) -> list[ProbeClip]:
    """The clips of those people in a set whom no training of ours has seen; whoever they are, where nobody was seen."""
    unseen = HELD_OUT_SPEAKERS.get(folder.name, ("",))
    return [clip for clip in read_clips(folder) if clip.id.startswith(unseen)]


def _probe_clip(clip: TrackedClip, mouth_after_audio: float) -> ProbeClip:
    samples = clip.samples()
    rows = (np.arange(frame_count(len(samples))) / FEATURE_FPS + mouth_after_audio) * clip.fps
    values = _measures(clip)
    times = np.arange(len(values))
    measured = np.stack([np.interp(rows, times, column) for column in values.T], axis=1)
    nearest = np.clip(np.rint(rows), 0, len(values) - 1).astype(int)
    valid = clip.found[nearest] & (rows >= 0) & (rows <= len(values) - 1)
    return ProbeClip(clip.id, samples, measured.astype(np.float32), valid)


def _measures(clip: TrackedClip) -> np.ndarray:
    """(T, 3) of `MEASURES`: distances in the picture, in outer eye distances."""
    gap = np.mean([_distance(clip, pair) for pair in zip(GAP_UPPER, GAP_LOWER, strict=True)], axis=0)
    lengths = np.stack([gap, _distance(clip, MOUTH_CORNERS), _distance(clip, (NOSE_BRIDGE, CHIN))], axis=1)
    return lengths / _distance(clip, OUTER_EYE_CORNERS)[:, None]


def _distance(clip: TrackedClip, pair: tuple[int, int]) -> np.ndarray:
    return np.linalg.norm(clip.points[:, pair[0]] - clip.points[:, pair[1]], axis=-1)


class ProbeNetwork(nn.Module):
    """Three temporal convolutions from standardised features to standardised measurements."""

    feature_mean: Tensor
    feature_std: Tensor
    target_mean: Tensor
    target_std: Tensor

    def __init__(self, features: Tensor, measured: Tensor, width: int = 128) -> None:
        super().__init__()
        self.register_buffer("feature_mean", features.mean(0))
        self.register_buffer("feature_std", features.std(0) + 1e-3)
        self.register_buffer("target_mean", measured.mean(0))
        self.register_buffer("target_std", measured.std(0))
        layers: list[nn.Module] = [nn.Dropout1d(0.4)]
        for inputs in (features.shape[1], width, width):
            layers += [nn.Conv1d(inputs, width, 5, padding=2), nn.GELU(), nn.Dropout(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv1d(width, len(MEASURES), 1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, F) -> (B, T, 3), standardised."""
        standard = (features - self.feature_mean) / self.feature_std
        return self.layers(standard.transpose(1, 2)).transpose(1, 2)


def train_probe(features: Sequence[np.ndarray], clips: Sequence[ProbeClip], seed: int) -> ProbeNetwork:
    """A probe that has learnt to tell the clips' measurements from the features."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = ProbeNetwork(_joined(features), torch.from_numpy(np.concatenate([c.measured[c.valid] for c in clips])))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS)
    for _ in range(_STEPS):
        crops = [_crop(features[i], clips[i], random) for i in random.integers(len(clips), size=_BATCH)]
        heard, measured, valid = (torch.from_numpy(np.stack(column)) for column in zip(*crops, strict=True))
        wanted = (measured - network.target_mean) / network.target_std
        error = (network(heard.float()) - wanted).square().mean(-1)
        optimiser.zero_grad()
        ((error * valid).sum() / valid.sum().clamp(min=1)).backward()
        optimiser.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def correlations(probe: ProbeNetwork, features: Sequence[np.ndarray], clips: Sequence[ProbeClip]) -> np.ndarray:
    """(3,) median over clips of the correlation of each measurement."""
    scores = []
    for heard, clip in zip(features, clips, strict=True):
        predicted = probe(torch.from_numpy(heard).float()[None])[0].numpy()[clip.valid]
        scores.append([correlation(p, m) for p, m in zip(predicted.T, clip.measured[clip.valid].T, strict=True)])
    return np.nanmedian(scores, axis=0)


def encoder_features(name: str, encoder: SpeechEncoder) -> Features:
    """The encoder's last layer."""
    encoder.eval()
    return lambda recordings: {name: [encoder.features(samples) for samples in recordings]}


def teacher_features(name: str, packages: Path) -> Features:
    """A Whisper encoder's last layer, which its decoder reads, and the one half-way up, which tells most of lips."""
    teacher = load_teacher(name, packages, bfloat16=True)
    layers = len(teacher.encoder.layers)

    def features(recordings: Sequence[np.ndarray]) -> dict[str, list[np.ndarray]]:
        heard = teacher.features(recordings)
        return {f"{name} {n}/{layers}": [states[n].numpy() for states in heard] for n in (layers, layers // 2)}

    return features


def log_mel(recordings: Sequence[np.ndarray]) -> dict[str, list[np.ndarray]]:
    """80 log-mel bands, two frames of 10 ms side by side."""
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor()
    out = []
    for samples in recordings:
        padded = np.pad(samples, (0, 2 * NETWORK_RATE))  # The extractor wants more than one frame.
        mel = extractor(padded, sampling_rate=NETWORK_RATE, padding="do_not_pad").input_features[0].T
        frames = frame_count(len(samples))
        out.append(mel[: 2 * frames].reshape(frames, -1))
    return {"log-mel": out}


def _noise(samples: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(len(samples))
    power = np.mean(np.square(samples, dtype=np.float64)) / 10 ** (_NOISE_DB / 10)
    return (samples + random.standard_normal(len(samples)) * np.sqrt(power)).astype(np.float32)


def _telephone(samples: np.ndarray) -> np.ndarray:
    from scipy.signal import butter, sosfiltfilt

    band = butter(4, (300.0, 3400.0), "bandpass", fs=NETWORK_RATE, output="sos")
    return sosfiltfilt(band, samples).astype(np.float32)


def _room(samples: np.ndarray) -> np.ndarray:
    """Half a second of reverberation, as loud as the direct sound."""
    from scipy.signal import fftconvolve

    random = np.random.default_rng(len(samples))
    decay = 10 ** (-3 * np.arange(NETWORK_RATE // 2) / (NETWORK_RATE // 2))
    tail = random.standard_normal(len(decay)) * decay
    tail /= np.linalg.norm(tail)
    tail[0] += 1.0
    return fftconvolve(samples, tail)[: len(samples)].astype(np.float32)


CONDITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "clean": lambda samples: samples,
    "noise": _noise,
    "telephone": _telephone,
    "room": _room,
}


def _crop(features: np.ndarray, clip: ProbeClip, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """The same stretch of features, measurements and validity, padded where the clip is shorter."""
    begin = random.integers(max(1, len(features) - _CROP_FRAMES + 1))
    rows = np.arange(begin, begin + _CROP_FRAMES)
    inside = rows < len(features)
    rows = np.minimum(rows, len(features) - 1)
    return features[rows], clip.measured[rows], (clip.valid[rows] & inside).astype(np.float32)


def _joined(features: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(features)).float()


if __name__ == "__main__":
    sys.exit(run_program(Probe))
