"""A small data set that needs no film and no network: noise that swells like speech, and a jaw that follows it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from talker.audio import Audio, write_wav
from talker.datasets.catalogue import read_clips
from talker.datasets.source import ClipSource, Licence
from talker.rigs import arkit

RATE, FPS = 16_000, 30
SPEAKERS = ("01", "02", "03", "04")
CLIPS_EACH = 3


def speech(seconds: float, seed: int, lead: float = 0.03) -> tuple[Audio, np.ndarray]:
    """Syllables of noise, and (T,) how far the mouth is open, which begins `lead` seconds before it is heard."""
    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    loud = np.zeros_like(times)
    at = 0.3
    while at < seconds - 0.4:
        length, strength = random.uniform(0.1, 0.35), random.uniform(0.3, 1.0)
        loud += strength * np.clip(1 - np.abs(times - at - length / 2) / (length / 2), 0, 1) ** 0.5
        at += length + random.choice([0.04, 0.25, 0.5])
    samples = 0.1 * loud * random.standard_normal(len(times)) + 1e-4 * random.standard_normal(len(times))
    frames = np.arange(round(seconds * FPS)) / FPS
    return Audio(samples.astype(np.float32), RATE), np.interp(frames + lead, times, loud)


def write_etf_clip(root: Path, name: str, audio: Audio, opening: np.ndarray) -> None:
    """One clip of a 3D-ETF tree."""
    weights = np.zeros((len(opening), arkit.SHAPE_COUNT), np.float32)
    weights[:, sorted(arkit.SHAPES).index("jawOpen")] = np.clip(0.6 * opening, 0, 1)
    for folder in ("npy", "wav"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    np.save(root / f"npy/{name}.npy", weights)
    write_wav(audio, root / f"wav/{name}.wav")


def etf_reader(root: Path, licence: Licence | None = None) -> Iterator[ClipSource]:
    """The clips of such a tree."""
    return (clip.under(licence) for clip in read_clips("3d-etf", root))
