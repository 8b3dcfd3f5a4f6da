"""Where the eyes look, from the irises between the corners of the eyes."""

import numpy as np

from talker.rigs import arkit
from talker.rigs import landmark_numbers as face
from talker.tracking.face_model import FaceModel
from talker.tracking.person import Person, eye_opening

_HALF_SHUT = 0.55  # Of the usual opening: below, the iris is a guess.
_LARGEST = 0.6  # Radians.
_OUTSIDE = 0.75  # Radians: an iris there is not in the eye; the landmarker loses one now and then.


def solve_gaze(moved: np.ndarray, known: np.ndarray, person: Person, model: FaceModel) -> np.ndarray:
    """(T, N, 3) displacements from the person's resting face -> (T, 61) curves with only the eye angles set.

    Both eyes get the mean of what each says: the difference, convergence, is smaller than the noise. Through a blink
    the gaze moves on evenly from where it was to where it will be.
    """
    offset, sure = [], known.copy()
    for side in ("Right", "Left"):
        corners = moved[:, model.at(*face.EYE_CORNERS[side])].mean(1)
        offset.append((moved[:, model.at(face.IRIS[side])[0]] - corners)[:, :2])
        usual = eye_opening(person.neutral[None], side, model)[0]
        sure &= eye_opening(moved, side, model) + usual > _HALF_SHUT * usual
    sure &= np.linalg.norm(offset, axis=2).max(0) < model.eye_radius * np.sin(_OUTSIDE)
    mean = _without_spikes(np.mean(offset, 0))
    angles = -np.arcsin(np.clip(mean / model.eye_radius, -np.sin(_LARGEST), np.sin(_LARGEST)))
    frames = np.flatnonzero(sure)
    curves = np.zeros((len(moved), arkit.CHANNEL_COUNT), np.float32)
    if len(frames):
        for axis in range(2):
            held = np.interp(np.arange(len(moved)), frames, angles[frames, axis])
            for eye in (arkit.LEFT_EYE, arkit.RIGHT_EYE):
                curves[:, eye.start + axis] = held
    return curves


def _without_spikes(values: np.ndarray) -> np.ndarray:
    """(T, 2): each frame the median of itself and its neighbours; jumps of the gaze stay as sharp as they are."""
    padded = np.pad(values, ((1, 1), (0, 0)), mode="edge")
    return np.median([padded[:-2], padded[1:-1], padded[2:]], axis=0)
