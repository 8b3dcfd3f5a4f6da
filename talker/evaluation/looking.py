"""Judges that look at a talking face: how well its lips can be read, and which emotion is seen."""

import numpy as np

from talker.animation import FaceAnimation
from talker.emotion import EMOTIONS
from talker.evaluation.clips import Clip
from talker.evaluation.lip_reading import order_errors, read_phones, see_emotion, shapes_in_order
from talker.evaluation.talking import Judge
from talker.models.readers import Readers
from talker.models.speech_encoder import FEATURE_FPS
from talker.phones import index


def lips_judge(readers: Readers) -> Judge:
    """How much of what is read from the tracked face's lips is read from these."""
    of_tracked: dict[tuple[str, str], list[int]] = {}

    def judge(clip: Clip, curves: np.ndarray) -> dict[str, float]:
        place = clip.set, clip.name
        if place not in of_tracked:
            of_tracked[place] = _read(readers, clip.curves)
        wanted = of_tracked[place]
        shapes = len(shapes_in_order(wanted))
        if not shapes:
            return {}
        return {"lip shapes misread": order_errors(_read(readers, curves), wanted)[1] / shapes}

    return judge


def emotion_judge(readers: Readers, label: str) -> Judge:
    """Whether the emotion that was asked for is the one that is seen, and how strong it looks."""
    wanted = EMOTIONS.index(label)

    def judge(clip: Clip, curves: np.ndarray) -> dict[str, float]:
        shares, strength = see_emotion(readers, FaceAnimation(curves, FEATURE_FPS))
        return {"emotion seen": float(shares.argmax() == wanted), "emotion strength": strength}

    return judge


def _read(readers: Readers, curves: np.ndarray) -> list[int]:
    return [index(phone) for phone in read_phones(readers, FaceAnimation(curves, FEATURE_FPS))]
