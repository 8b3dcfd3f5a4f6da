"""The preset expressions of VRM 1.0 avatars."""

from functools import cache

import numpy as np

from talker.resources import rigs_dir
from talker.rigs import arkit
from talker.rigs.pose_mix import PoseMix

VOWELS: tuple[str, ...] = ("aa", "ih", "ou", "ee", "oh")
EMOTIONS: tuple[str, ...] = ("happy", "angry", "sad", "relaxed", "surprised")
BLINKS: tuple[str, ...] = ("blink", "blinkLeft", "blinkRight")
LOOKS: tuple[str, ...] = ("lookUp", "lookDown", "lookLeft", "lookRight")
EXPRESSIONS: tuple[str, ...] = (*VOWELS, *EMOTIONS, *BLINKS, *LOOKS)


@cache
def poses() -> PoseMix:
    """The poses that faces are mixed from."""
    mix = PoseMix.read(rigs_dir() / "visemes" / "vrm.csv", [VOWELS, EMOTIONS])
    assert mix.names == VOWELS + EMOTIONS
    return mix


def from_curves(curves: np.ndarray) -> np.ndarray:
    """Expression weights of face curves. (T, 61) -> (T, 17) in the order of `EXPRESSIONS`, each in [0, 1].

    `blink` is what both eyes do, `blinkLeft` and `blinkRight` what one does beyond that; the looks come from the eye
    angles, left and right being the subject's own.
    """
    left, right = curves[:, arkit.INDEX["eyeBlinkLeft"]], curves[:, arkit.INDEX["eyeBlinkRight"]]
    both = np.minimum(left, right)
    yaw = (curves[:, arkit.INDEX["leftEyeYaw"]] + curves[:, arkit.INDEX["rightEyeYaw"]]) / 2 / arkit.EYE_YAW_PER_LOOK
    pitch = curves[:, arkit.INDEX["leftEyePitch"]] + curves[:, arkit.INDEX["rightEyePitch"]]
    pitch = pitch / 2 / arkit.EYE_PITCH_PER_LOOK
    looks = np.clip([-pitch, pitch, -yaw, yaw], 0.0, 1.0)
    return np.column_stack([poses().unmix(curves), both, left - both, right - both, *looks]).astype(np.float32)


def to_curves(weights: np.ndarray) -> np.ndarray:
    """The face that expression weights describe. (T, 17) -> (T, 61)."""
    mixed = len(VOWELS) + len(EMOTIONS)
    curves = poses().mix(weights[:, :mixed])
    both, left, right, up, down, to_left, to_right = weights[:, mixed:].T
    curves[:, arkit.INDEX["eyeBlinkLeft"]] = np.clip(both + left, 0.0, 1.0)
    curves[:, arkit.INDEX["eyeBlinkRight"]] = np.clip(both + right, 0.0, 1.0)
    for eye in (arkit.LEFT_EYE, arkit.RIGHT_EYE):
        curves[:, eye.start] = (to_right - to_left) * arkit.EYE_YAW_PER_LOOK
        curves[:, eye.start + 1] = (down - up) * arkit.EYE_PITCH_PER_LOOK
    return arkit.looks_from_eye_angles(curves)
