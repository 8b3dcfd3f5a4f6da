"""How well a talker, or a motion prior, does on clips that it has not learnt from."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from talker.emotion import EMOTIONS
from talker.evaluation.metrics import correlation
from talker.models.motion_prior import MotionPrior
from talker.models.speech_encoder import FEATURE_FPS, HOP_SAMPLES
from talker.rigs import arkit
from talker.rigs.lips import Lips
from talker.training.curve_loss import SHUT_GAP, is_spoken
from talker.training.directions import held_strengths
from talker.training.speakers import even

_FEWEST_FRAMES = FEATURE_FPS // 2  # Fewer tell no correlation.


def validate(folder: Path, clips: Iterable[dict[str, Any]]) -> dict[str, float]:
    """How well the lips of a talker follow those that were measured, per set; medians over clips.

    Args:
        folder: The talker.
        clips: Of `ShardStream`; those whose mouths were not measured tell nothing.

    Returns:
        Correlations: "gap SET" and "width SET" of neutral speech, "emotional-gap SET" under emotions at full strength.
    """
    from talker.inference import load_model

    model, lips = load_model(folder), Lips.of_default_head()
    scores: dict[str, list[float]] = defaultdict(list)
    for number, clip in enumerate(clips):
        samples = clip["samples"][: clip["length"]].numpy()
        seen = clip["mouth_weight"].numpy() > 0
        if seen.sum() < _FEWEST_FRAMES:
            continue
        emotion = torch.tensor([1 + number % (len(EMOTIONS) - 1)])
        felt = held_strengths(emotion, torch.ones(1), -(-len(samples) // HOP_SAMPLES))[0].numpy()
        plain, acted = (_lip_measures(curves, lips) for curves in model.speak(samples, (None, felt))[0])
        figures = {"gap": plain[:, 0], "width": plain[:, 1], "emotional-gap": acted[:, 0]}
        count = min(len(plain), len(seen))
        for name, moved in figures.items():
            measured = clip["mouth"][:count, int(name == "width")].numpy()[seen[:count]]
            scores[f"{name} {clip['set']}"].append(correlation(moved[:count][seen[:count]], measured))
    return {name: float(np.nanmedian(values)) for name, values in sorted(scores.items())}


def validate_prior(prior: MotionPrior, clips: Iterable[dict[str, Any]]) -> tuple[dict[str, float], np.ndarray]:
    """How well motion survives a motion prior.

    Args:
        prior: Of ARKit curves.
        clips: Of `ShardStream`.

    Returns:
        Root mean squares over frames of each set, in thousandths of eye distances: "gap-error SET" of the lips, and
        "closure-error SET" where they are shut; "curve-error SET" in thousandths of a shape's range; and the latter
        for each shape over all sets, (52,).
    """
    lips, spoken = Lips.of_default_head(), is_spoken()
    squares: dict[str, list[np.ndarray]] = defaultdict(list)
    by_shape = []
    for clip in clips:
        frames = min(len(clip["curves"]), -(-int(clip["length"]) // HOP_SAMPLES))
        true = even(clip["curves"][:frames, : arkit.SHAPE_COUNT]) * spoken
        with torch.inference_mode():
            error = prior(true[None])[0][0].clamp(0, 1) - true
        seen = clip["weight"][:frames] > 0
        gap = (lips.gap(error)[seen]).square().numpy()
        shut = lips.gap(true)[seen].numpy() < SHUT_GAP
        by_shape.append(error[seen].square().numpy())
        for name, values in (("gap", gap), ("closure", gap[shut]), ("curve", by_shape[-1].mean(1))):
            squares[f"{name}-error {clip['set']}"].append(values)
    figures = {name: _root_mean(np.concatenate(values)) for name, values in sorted(squares.items())}
    return figures, np.sqrt(np.concatenate(by_shape).mean(0))


def _lip_measures(curves: np.ndarray, lips: Lips) -> np.ndarray:
    return lips.measures(torch.from_numpy(curves[:, : arkit.SHAPE_COUNT])).numpy()


def _root_mean(squares: np.ndarray) -> float:
    """In thousandths."""
    return 1000 * float(np.sqrt(squares.mean())) if len(squares) else 0.0
