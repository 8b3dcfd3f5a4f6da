"""The 15 visemes of Oculus LipSync, which most avatar platforms understand."""

from functools import cache

import numpy as np

from talker.resources import rigs_dir
from talker.rigs.pose_mix import PoseMix

SILENCE = "sil"
VISEMES: tuple[str, ...] = (
    *(SILENCE, "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR"),
    *("aa", "E", "I", "O", "U"),
)
"""In the order of the OVR plug-ins, whose enum these indices are."""


@cache
def poses() -> PoseMix:
    """The poses that faces are mixed from."""
    mix = PoseMix.read(rigs_dir() / "visemes" / "ovr15.csv", [VISEMES[1:]])
    assert mix.names == VISEMES[1:]
    return mix


def from_curves(curves: np.ndarray) -> np.ndarray:
    """Viseme weights of face curves: the nearest mixture, and silence for the rest. (T, 61) -> (T, 15), sums of 1."""
    spoken = poses().unmix(curves)
    silence = np.maximum(1.0 - spoken.sum(axis=1, keepdims=True), 0.0)
    return np.concatenate([silence, spoken], axis=1)


def to_curves(weights: np.ndarray) -> np.ndarray:
    """The mouth that viseme weights describe; everything else rests. (T, 15) -> (T, 61)."""
    return poses().mix(weights[:, 1:])
