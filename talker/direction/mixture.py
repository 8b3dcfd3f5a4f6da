"""A mixture of emotions: as a director writes it, as numbers, and as valence, arousal and dominance.

A mixture is a tuple of eight shares in the order of `talker.emotion.EMOTIONS`, each at least 0, together 1: "angry at
0.8" is 0.2 neutral and 0.8 angry.
"""

import math
import re
from collections.abc import Mapping

import numpy as np

from talker.emotion import EMOTIONS, require_emotion
from talker.errors import TalkerError

Mixture = tuple[float, ...]

NEUTRAL: Mixture = (1.0, *(0.0,) * (len(EMOTIONS) - 1))

# Valence, arousal and dominance (-1..1) of each emotion: average ratings reported by Russell and Mehrabian, "Evidence
# for a three-factor theory of emotions" (1977); contempt, which they do not have, is put between disgust and pride.
_AFFECT: dict[str, tuple[float, float, float]] = {
    **{"happy": (0.76, 0.48, 0.35), "sad": (-0.63, -0.27, -0.33), "surprised": (0.40, 0.67, -0.13)},
    **{"fear": (-0.64, 0.60, -0.43), "disgusted": (-0.60, 0.35, 0.11), "angry": (-0.51, 0.59, 0.25)},
    "contempt": (-0.35, -0.05, 0.55),
}
_VISIBLE = 0.08  # Weaker parts of what the affect asks for are left out: they only blur a face.
_AFFECT_WORDS = ("valence", "arousal", "dominance")
_AFFECT_TEXT = re.compile(r"vad\((.*)\)", re.IGNORECASE)


def mixture_of(weights: Mapping[str, float]) -> Mixture:
    """Shares from strengths (0..1) by label: neutral takes what is left; strengths above 1 in all are scaled down."""
    shares = np.zeros(len(EMOTIONS))
    for label, strength in weights.items():
        require_emotion(label)
        if not (isinstance(strength, int | float) and 0 <= strength <= 1):
            raise TalkerError(f"the strength of {label} is {strength}; it lies in 0..1")
        shares[EMOTIONS.index(label)] = strength
    stated = shares.sum()
    if "neutral" not in weights:
        shares[0] = max(0.0, round(1.0 - stated, 12))
    total = shares.sum()
    if total <= 0:
        return NEUTRAL
    # Dividing by exactly 1 keeps what was written; anything else is rounded only here.
    return tuple(float(share) for share in (shares if math.isclose(total, 1.0, abs_tol=1e-12) else shares / total))


def mixture_of_affect(valence: float, arousal: float, dominance: float = 0.0) -> Mixture:
    """The mixture whose average valence, arousal and dominance (each -1..1) come nearest to what is asked for."""
    from scipy.optimize import nnls

    asked = np.array([valence, arousal, dominance], np.float64)
    for name, value in zip(_AFFECT_WORDS, asked, strict=True):
        if not -1 <= value <= 1:
            raise TalkerError(f"{name} is {value:g}; it lies in -1..1")
    strengths, _ = nnls(np.array(list(_AFFECT.values())).T, asked)
    strengths = strengths / max(1.0, strengths.sum())
    visible = {label: round(float(s), 2) for label, s in zip(_AFFECT, strengths, strict=True) if s >= _VISIBLE}
    return mixture_of(visible)


def parse_mixture(text: str) -> Mixture:
    """`happy`, `angry:0.8`, `happy:0.6+sad:0.2`, or `vad(-0.5, 0.6, 0.2)`; labels without a strength share evenly.

    >>> parse_mixture("happy:0.6+sad:0.2")[:3]
    (0.2, 0.6, 0.2)
    """
    text = text.strip()
    affect = _AFFECT_TEXT.fullmatch(text)
    if affect:
        return _parse_affect(text, affect[1])
    weights: dict[str, float] = {}
    for part in text.split("+"):
        label, colon, strength = (piece.strip() for piece in part.partition(":"))
        label = label.lower()
        require_emotion(label)
        if label in weights:
            raise TalkerError(f"the emotion '{text}' names {label} twice")
        weights[label] = _strength(text, strength) if colon else 1.0
    return mixture_of(weights)


def mixture_text(mixture: Mixture) -> str:
    """A short text that `parse_mixture` reads back exactly."""
    named = [
        f"{label}:{share!r}" for label, share in zip(EMOTIONS, mixture, strict=True) if share and label != "neutral"
    ]
    if not named:
        return "neutral"
    brief = "+".join(named).removesuffix(":1.0")
    return brief if parse_mixture(brief) == mixture else f"neutral:{mixture[0]!r}+{'+'.join(named)}"


def _parse_affect(text: str, inside: str) -> Mixture:
    try:
        numbers = [float(word) for word in inside.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3):
        raise TalkerError(f"'{text}': write valence, arousal and perhaps dominance (-1..1) as vad(0.6,0.4,0.2)")
    return mixture_of_affect(*numbers)


def _strength(text: str, word: str) -> float:
    try:
        strength = float(word)
    except ValueError:
        strength = math.nan
    if not 0 <= strength <= 1:
        raise TalkerError(f"'{word}' in the emotion '{text}' is no strength; it lies in 0..1, as in happy:0.6")
    return strength
