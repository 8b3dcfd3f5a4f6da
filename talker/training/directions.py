"""Directions to play speech by: emotions that somebody might ask for, over time."""

import numpy as np
import torch
from torch import Tensor

from talker.emotion import EMOTIONS

_NEUTRAL = EMOTIONS.index("neutral")
_MIXED, _CHANGING = 0.25, 0.3  # Shares of the directions that mix emotions, and that change on the way.
_FADE_SECONDS = (0.1, 0.8)


def random_strengths(count: int, frames: int, fps: float, random: np.random.Generator) -> Tensor:
    """(count, frames, 8): single emotions at any intensity, mixtures, and changes from one to another or to neutral."""
    return torch.from_numpy(np.stack([_direction(frames, fps, random) for _ in range(count)]))


def held_strengths(emotion: Tensor, intensity: Tensor, frames: int) -> Tensor:
    """(B,) indices, neutral where negative, and (B,) in [0, 1] -> (B, frames, 8) that never change."""
    strengths = torch.zeros(len(emotion), len(EMOTIONS))
    known = emotion.clamp(min=0).cpu()
    share = intensity.cpu().float() * (emotion.cpu() >= 0)
    strengths[torch.arange(len(emotion)), known] += share
    strengths[:, _NEUTRAL] += 1 - share
    return strengths[:, None].repeat(1, frames, 1)


def _direction(frames: int, fps: float, random: np.random.Generator) -> np.ndarray:
    before = _mixture(random)
    if random.random() >= _CHANGING:
        return np.tile(before, (frames, 1))
    after = _mixture(random) if random.random() < 0.5 else np.eye(len(EMOTIONS), dtype=np.float32)[_NEUTRAL]
    if random.random() < 0.5:
        before, after = after, before
    place, fade = random.uniform(0.1, 0.9) * frames, random.uniform(*_FADE_SECONDS) * fps
    share = np.clip((np.arange(frames) - place) / fade + 0.5, 0, 1)[:, None]
    return (before + (after - before) * share).astype(np.float32)


def _mixture(random: np.random.Generator) -> np.ndarray:
    """(8,) one emotion or two, at an intensity."""
    weights = np.zeros(len(EMOTIONS), np.float32)
    others = [i for i in range(len(EMOTIONS)) if i != _NEUTRAL]
    count = 2 if random.random() < _MIXED else 1
    weights[random.choice(others, count, replace=False)] = random.dirichlet(np.ones(count))
    intensity = 1.0 if random.random() < 0.3 else random.uniform(0.1, 1.0)
    weights *= intensity
    weights[_NEUTRAL] = 1 - intensity
    return weights
