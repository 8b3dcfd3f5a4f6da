"""The eight emotions of MEAD, and what each does to a face."""

import json
from functools import lru_cache

import numpy as np

from talker.errors import no_such
from talker.resources import rigs_dir
from talker.rigs import arkit

EMOTIONS: tuple[str, ...] = ("neutral", "happy", "sad", "surprised", "fear", "disgusted", "angry", "contempt")


def emotion_pose(label: str) -> np.ndarray:
    """(52,) float32 ARKit weights of an emotion at full intensity and rest, read-only.

    The poses are built from the action units of EMFACS' prototypes (`rigs/emotions/poses.json`) and add to speech.
    """
    require_emotion(label)
    return _poses()[label]


def require_emotion(label: str) -> None:
    """An unknown label is an error that suggests the nearest one."""
    if label not in EMOTIONS:
        raise no_such("emotion", label, EMOTIONS)


@lru_cache(maxsize=1)
def _poses() -> dict[str, np.ndarray]:
    table = json.loads((rigs_dir() / "emotions" / "poses.json").read_text(encoding="utf-8"))
    poses = {}
    for label in EMOTIONS:
        pose = np.zeros(arkit.SHAPE_COUNT, np.float32)
        for name, weight in table[label]["weights"].items():
            # A name without its side means both sides.
            for channel in [name] if name in arkit.INDEX else [f"{name}Left", f"{name}Right"]:
                pose[arkit.INDEX[channel]] = weight
        pose.setflags(write=False)
        poses[label] = pose
    return poses
