"""Pictures that readers of faces learn from: scenes drawn once, under random light, and kept on disk as bytes."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from talker.files import atomic_output
from talker.render.crops import LIGHT, Crop
from talker.training.reader_scenes import Scene, Variation
from talker.training.speech_corpus import UNKNOWN

_PIECE = 24  # Pictures drawn at a time: few enough for the processor's caches.
_FACTS = ("begins", "phones", "sets", "emotion", "intensity")

# What a camera does to a clip: radians, zoom, shift in halves of the picture; gamma; how often it blurs and adds noise.
_TILT, _ZOOM, _SHIFT = 0.02, (0.96, 1.05), 0.02
_GAMMA = (0.8, 1.25)
_BLURRED, _NOISY, _NOISE = 0.3, 0.3, (0.01, 0.05)


@dataclass(frozen=True, eq=False)
class Shots:
    """Sequences of pictures, back to back.

    Attributes:
        pictures: (N, S, S) uint8, on disk.
        begins: (C + 1,) where each sequence begins and the last one ends.
        phones: (N,) of each picture.
        sets: (C,) where each sequence is from.
        emotion: (C,) its number in `EMOTIONS`, -1 when unknown.
        intensity: (C,) 0 to 1, NaN when unknown.
    """

    pictures: np.ndarray
    begins: np.ndarray
    phones: np.ndarray
    sets: np.ndarray
    emotion: np.ndarray
    intensity: np.ndarray

    @classmethod
    def drawn(cls, scenes: Iterable[Scene], crop: Crop, path: Path, variation: Variation) -> "Shots":
        """Draw the scenes into `path`.npy and .npz, or read what was drawn there from the same scenes before."""
        scenes = list(scenes)
        pictures_path, facts_path = path.with_suffix(".npy"), path.with_suffix(".npz")
        origin = _origin(scenes, crop, variation)
        if not (facts_path.is_file() and str(np.load(facts_path, allow_pickle=False)["origin"]) == origin):
            path.parent.mkdir(parents=True, exist_ok=True)
            _draw_all(scenes, crop, pictures_path, variation)
            _write_facts(scenes, facts_path, origin)
        facts = np.load(facts_path, allow_pickle=False)
        return cls(np.load(pictures_path, mmap_mode="r"), *(facts[name] for name in _FACTS))

    def __len__(self) -> int:
        return len(self.sets)

    def length(self, number: int) -> int:
        """Pictures in a sequence."""
        return int(self.begins[number + 1] - self.begins[number])

    def sequence(self, number: int, start: int = 0, count: int | None = None) -> tuple[Tensor, Tensor]:
        """Pictures (T, S, S) in bytes and phones (T,), all of a sequence or some."""
        first, end = int(self.begins[number]) + start, int(self.begins[number + 1])
        part = slice(first, end if count is None else min(end, first + count))
        return torch.from_numpy(np.array(self.pictures[part])), torch.from_numpy(self.phones[part])


def batch_of(sequences: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Sequences of `Shots`: pictures (B, T, S, S) in [0, 1], phones (B, T), lengths (B,)."""
    pad = torch.nn.utils.rnn.pad_sequence
    pictures = pad([pictures for pictures, _ in sequences], batch_first=True).float() / 255.0
    phones = pad([phones for _, phones in sequences], batch_first=True, padding_value=UNKNOWN)
    return pictures, phones, torch.tensor([len(phones) for _, phones in sequences])


def through_other_cameras(pictures: Tensor, random: np.random.Generator) -> Tensor:
    """(B, T, S, S) in [0, 1] -> the same clips moved, mirrored, brighter or darker, blurred and noisy."""
    moved = functional.grid_sample(pictures, _cameras(pictures, random), padding_mode="border", align_corners=False)
    for number in range(len(moved)):
        if random.random() < _BLURRED:
            moved[number] = functional.avg_pool2d(moved[number], 3, stride=1, padding=1)
        if random.random() < _NOISY:
            noise = torch.from_numpy(random.standard_normal(moved[number].shape, np.float32))
            moved[number] += random.uniform(*_NOISE) * noise
    gamma = torch.from_numpy(random.uniform(*_GAMMA, (len(moved), 1, 1, 1)).astype(np.float32))
    return moved.clamp(1e-3, 1.0) ** gamma


def _cameras(pictures: Tensor, random: np.random.Generator) -> Tensor:
    batch = len(pictures)
    angle, zoom = random.normal(0.0, _TILT, batch), random.uniform(*_ZOOM, batch)
    mirror, shift = random.choice([-1.0, 1.0], batch), random.uniform(-_SHIFT, _SHIFT, (2, batch))
    rows = [
        [zoom * np.cos(angle) * mirror, -zoom * np.sin(angle), shift[0]],
        [zoom * np.sin(angle) * mirror, zoom * np.cos(angle), shift[1]],
    ]
    affine = torch.from_numpy(np.array(rows, np.float32)).permute(2, 0, 1)
    return functional.affine_grid(affine, list(pictures.shape), align_corners=False)


def _draw_all(scenes: Sequence[Scene], crop: Crop, path: Path, variation: Variation) -> None:
    from rich.console import Console
    from rich.progress import track

    random = np.random.default_rng((variation.seed, 3))
    frames = sum(len(scene.curves) for scene in scenes)
    with atomic_output(path) as temporary:
        pictures = np.lib.format.open_memmap(temporary, "w+", np.uint8, (frames, crop.size // 2, crop.size // 2))
        begin = 0
        for scene in track(scenes, f"drawing {path.stem}", console=Console(stderr=True), transient=True):
            light = np.array(LIGHT) + variation.light * random.uniform(-1.0, 1.0, 3)
            pictures[begin : begin + len(scene.curves)] = _draw(scene, crop, light)
            begin += len(scene.curves)
        pictures.flush()


@torch.inference_mode()
def _draw(scene: Scene, crop: Crop, light: np.ndarray) -> np.ndarray:
    pieces = torch.from_numpy(scene.curves).split(_PIECE)
    drawn = torch.cat([crop.halved(piece, torch.from_numpy(light)) for piece in pieces])
    return (drawn * 255.0 + 0.5).to(torch.uint8).numpy()


def _write_facts(scenes: Sequence[Scene], path: Path, origin: str) -> None:
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            origin=np.array(origin),
            begins=np.cumsum([0, *(len(scene.curves) for scene in scenes)]),
            phones=np.concatenate([np.zeros(0, np.int64), *(scene.phones for scene in scenes)]),
            sets=np.array([scene.set for scene in scenes], np.str_),
            emotion=np.array([scene.emotion for scene in scenes], np.int64),
            intensity=np.array([scene.intensity for scene in scenes], np.float32),
        )


def _origin(scenes: Sequence[Scene], crop: Crop, variation: Variation) -> str:
    """Tells pictures of other scenes, other heads and other light apart."""
    digest = hashlib.sha256(json.dumps([asdict(variation), crop.size, crop.span]).encode())
    digest.update(crop.grey.numpy().tobytes() + crop.head.deltas.numpy().tobytes())
    for scene in scenes:
        digest.update(f"{scene.set} {scene.emotion} {scene.intensity}".encode())
        digest.update(np.ascontiguousarray(scene.curves).tobytes() + scene.phones.astype(np.int64).tobytes())
    return digest.hexdigest()
