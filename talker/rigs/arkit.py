"""The ARKit rig: talker's own channel order, and what each channel means.

A frame is 61 numbers. The first 52 are ARKit's blend-shape weights in [0, 1] under ARKit's names. The last nine are
angles in radians with Live Link Face's signs (left and right are always the subject's own):

- yaw > 0 turns to the subject's right, pitch > 0 looks down, roll > 0 tips the head to the subject's right shoulder.

The eyeballs are turned by the eye angles alone; the `eyeLook*` weights move only the lids around them. Sources that
know one of the two get the other from `eye_angles_from_looks` or `looks_from_eye_angles`.
"""

import numpy as np

EYE_SHAPES: tuple[str, ...] = tuple(
    f"eye{action}{side}"
    for side in ("Left", "Right")
    for action in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
)

SHAPES: tuple[str, ...] = (
    *EYE_SHAPES,
    *("jawForward", "jawLeft", "jawRight", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight"),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
"""ARKit's 52 blend shapes in the order of the Live Link engine enum."""

ANGLES: tuple[str, ...] = (
    *("headYaw", "headPitch", "headRoll"),
    *("leftEyeYaw", "leftEyePitch", "leftEyeRoll"),
    *("rightEyeYaw", "rightEyePitch", "rightEyeRoll"),
)

CHANNELS: tuple[str, ...] = SHAPES + ANGLES
INDEX: dict[str, int] = {name: i for i, name in enumerate(CHANNELS)}
SHAPE_COUNT = len(SHAPES)
CHANNEL_COUNT = len(CHANNELS)
HEAD = slice(52, 55)
LEFT_EYE = slice(55, 58)
RIGHT_EYE = slice(58, 61)

# Radians at full weight: least-squares slopes between the eye columns and the eyeLook columns of six real iPhone takes
# (15,600 frames, r = 0.999 for yaw and 0.998 for pitch).
EYE_YAW_PER_LOOK = 0.544
EYE_PITCH_PER_LOOK = 0.532


def partner(name: str) -> str:
    """The channel that a mirror image swaps `name` with; itself for a central shape."""
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    for side, other in (("leftEye", "rightEye"), ("rightEye", "leftEye")):
        if name.startswith(side):
            return other + name.removeprefix(side)
    return name


def region(name: str) -> str:
    """The part of the face a channel belongs to: eyes, jaw, mouth, brows, cheeks, nose, tongue or head."""
    for prefix, part in _REGION_OF_PREFIX.items():
        if name.startswith(prefix):
            return part
    raise KeyError(name)


_REGION_OF_PREFIX = {
    "eye": "eyes",
    "leftEye": "eyes",
    "rightEye": "eyes",
    "jaw": "jaw",
    "mouth": "mouth",
    "brow": "brows",
    "cheek": "cheeks",
    "nose": "nose",
    "tongue": "tongue",
    "head": "head",
}

_CLOSING_STEMS = (
    *("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthPress", "mouthShrug"),
    *("mouthLowerDown", "mouthUpperUp"),
)
LIP_CLOSING_CHANNELS: tuple[int, ...] = tuple(i for i, name in enumerate(CHANNELS) if name.startswith(_CLOSING_STEMS))
"""Channels that bring the lips together or apart: they belong together when a closure is moved in time."""

_FACS_OF_STEM = {
    "eyeBlink": "AU45",
    "eyeLookDown": "AU64",
    "eyeLookIn": "AU61/62",
    "eyeLookOut": "AU61/62",
    "eyeLookUp": "AU63",
    "eyeSquint": "AU7",
    "eyeWide": "AU5",
    "jawForward": "AU29",
    "jaw": "AU30",  # jawLeft, jawRight
    "jawOpen": "AU26",
    "mouthClose": "AU8",
    "mouthFunnel": "AU22",
    "mouthPucker": "AU18",
    "mouth": "AU30",  # mouthLeft, mouthRight: a sideways shift; FACS has no unit of its own for the lips alone
    "mouthSmile": "AU12",
    "mouthFrown": "AU15",
    "mouthDimple": "AU14",
    "mouthStretch": "AU20",
    "mouthRollLower": "AU28",
    "mouthRollUpper": "AU28",
    "mouthShrugLower": "AU17",
    "mouthShrugUpper": "AU17",
    "mouthPress": "AU24",
    "mouthLowerDown": "AU16",
    "mouthUpperUp": "AU10",
    "browDown": "AU4",
    "browInnerUp": "AU1",
    "browOuterUp": "AU2",
    "cheekPuff": "AU34",
    "cheekSquint": "AU6",
    "noseSneer": "AU9",
    "tongueOut": "AU19",
}


def facs_unit(name: str) -> str:
    """The action unit of the Facial Action Coding System nearest to an ARKit shape."""
    return _FACS_OF_STEM[name.removesuffix("Left").removesuffix("Right")]


MIRROR: np.ndarray = np.array([INDEX[partner(name)] for name in CHANNELS])
"""`curves[..., MIRROR] * MIRROR_SIGN` is the mirror image of a face."""

MIRROR_SIGN: np.ndarray = np.array([-1.0 if name.endswith(("Yaw", "Roll")) else 1.0 for name in CHANNELS], np.float32)


def lip_aperture(curves: np.ndarray) -> np.ndarray:
    """How far the lips are apart, in units of jawOpen: `mouthClose` undoes `jawOpen` by definition. Shape (...)."""
    return np.maximum(curves[..., INDEX["jawOpen"]] - curves[..., INDEX["mouthClose"]], 0.0)


def eye_angles_from_looks(curves: np.ndarray) -> np.ndarray:
    """The curves with the six yaw/pitch/roll eye angles set from the eyeLook weights. Shape (..., 61)."""
    out = np.array(curves, np.float32)
    for eye, side, inward in ((LEFT_EYE, "Left", 1.0), (RIGHT_EYE, "Right", -1.0)):
        look = {d: out[..., INDEX[f"eyeLook{d}{side}"]] for d in ("In", "Out", "Down", "Up")}
        out[..., eye.start] = inward * EYE_YAW_PER_LOOK * (look["In"] - look["Out"])
        out[..., eye.start + 1] = EYE_PITCH_PER_LOOK * (look["Down"] - look["Up"])
        out[..., eye.start + 2] = 0.0
    return out


def looks_from_eye_angles(curves: np.ndarray) -> np.ndarray:
    """The curves with the eight eyeLook weights set from the eye angles. Shape (..., 61)."""
    out = np.array(curves, np.float32)
    for eye, side, inward in ((LEFT_EYE, "Left", 1.0), (RIGHT_EYE, "Right", -1.0)):
        yaw = inward * out[..., eye.start] / EYE_YAW_PER_LOOK
        pitch = out[..., eye.start + 1] / EYE_PITCH_PER_LOOK
        for direction, value in (("In", yaw), ("Out", -yaw), ("Down", pitch), ("Up", -pitch)):
            out[..., INDEX[f"eyeLook{direction}{side}"]] = np.clip(value, 0.0, 1.0)
    return out
