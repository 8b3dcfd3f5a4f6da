"""What the landmarks themselves say of a mouth, whatever the solver made of them: how open, how wide, where the chin.

Lengths are outer eye distances more than the resting face's, with the head's own turning taken out, so that zero is
rest for everybody. Talkers are trained and judged by them next to the curves.
"""

import numpy as np

from talker.rigs.landmark_numbers import CHIN, MOUTH_CORNERS
from talker.tracking.face_model import FaceModel
from talker.tracking.person import Person, lip_gap
from talker.tracking.pose import solve_pose

MOUTH_MEASURES = ("gap", "width", "chin")
"""Of the inner lips, of the corners, and by how much the chin is lower."""


def measure_mouth(seen: np.ndarray, person: Person, model: FaceModel) -> np.ndarray:
    """(T, 3) float32 of `MOUTH_MEASURES`, NaN where there was no face.

    Args:
        seen: (T, N, 3) pixels in the head's axes, NaN in frames without a face.
        person: Whose face it is.
        model: The default head with the same N landmarks.
    """
    out = np.full((len(seen), len(MOUTH_MEASURES)), np.nan, np.float32)
    known = np.isfinite(seen).all((1, 2))
    if known.any():
        pose = solve_pose(seen[known], person.neutral, model.rigid)
        faces = person.neutral + pose.residual(seen[known], person.neutral, 1.0)
        out[known] = _measures(faces, model) - _measures(person.neutral[None], model)
    return out


def _measures(faces: np.ndarray, model: FaceModel) -> np.ndarray:
    corners = faces[:, model.at(*MOUTH_CORNERS), :2]
    width = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1)
    return np.stack([lip_gap(faces, model), width, -faces[:, model.at(CHIN)[0], 1]], axis=1)
