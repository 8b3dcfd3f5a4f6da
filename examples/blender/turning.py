# SPDX-License-Identifier: GPL-3.0-or-later
"""Head and eye angles as rotations in Blender's axes (z up, the face towards -y). Needs numpy only."""

from collections.abc import Iterable, Mapping

import numpy as np

from .shape_names import plain

JOINTS = {"head": "Head", "left_eye": "Left eye", "right_eye": "Right eye"}
BONE_NAMES = {  # Plain names in usual rigs, the likeliest first.
    "head": ("head", "ccbasehead", "jbipchead", "defspine006", "spine006"),
    "left_eye": ("eyeleft", "lefteye", "ccbaseleye", "faciallefteye", "facialleye", "jadjlfaceeye", "mastereyeleft"),
    "right_eye": (
        "eyeright",
        "righteye",
        "ccbasereye",
        "facialrighteye",
        "facialreye",
        "jadjrfaceeye",
        "mastereyeright",
    ),
}


def joint_angles(curves: Mapping[str, np.ndarray], joint: str) -> np.ndarray | None:
    """(T, 3) yaw, pitch, roll of a joint in radians; None when the take never turns it."""
    by_plain_name = {plain(name): values for name, values in curves.items()}
    names = [joint.replace("_", "") + axis for axis in ("yaw", "pitch", "roll")]
    found = [by_plain_name[name] for name in names if name in by_plain_name]
    if not any(np.any(values) for values in found):
        return None
    rest = np.zeros(len(found[0]))
    return np.stack([by_plain_name.get(name, rest) for name in names], axis=1)


def quaternions(angles: np.ndarray) -> np.ndarray:
    """(T, 3) yaw, pitch, roll -> (T, 4) w, x, y, z in Blender's axes, without jumps of sign.

    Yaw > 0 turns to the subject's right, pitch > 0 looks down, roll > 0 tips to the right shoulder; roll is applied
    first, then pitch, then yaw.
    """
    (cy, cp, cr), (sy, sp, sr) = np.cos(angles.T / 2), np.sin(angles.T / 2)
    w = cy * cp * cr - sy * sp * sr
    x = cy * sp * cr - sy * cp * sr
    up = -sy * cp * cr - cy * sp * sr
    front = cy * cp * sr + sy * sp * cr
    turns = np.stack([w, x, -front, up], axis=1)
    flips = np.sum(turns[1:] * turns[:-1], axis=1) < 0
    turns[1:] *= np.where(np.cumsum(flips) % 2, -1.0, 1.0)[:, None]
    return turns


def find_bone(bones: Iterable[str], joint: str) -> str | None:
    """The bone that turns a joint, by the names of usual rigs."""
    by_plain_name = {plain(name): name for name in bones}
    return next((by_plain_name[name] for name in BONE_NAMES[joint] if name in by_plain_name), None)
