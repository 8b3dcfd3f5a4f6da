"""What the tracker measures on a face, and how the 52 shapes of a head move it: one linear model, built once.

Lengths are in outer eye distances of the head (landmarks 33 to 263), in the head's own axes.
"""

from dataclasses import dataclass

import numpy as np

from talker.rigs import arkit
from talker.rigs import landmark_numbers as face
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.sighting import seen_moves

RIGID: dict[int, float] = {
    **dict.fromkeys((168, 6, 197, 195, 5, 4, 1), 1.0),  # the ridge of the nose
    **dict.fromkeys((*face.EYE_CORNERS["Right"], *face.EYE_CORNERS["Left"]), 1.0),
    **dict.fromkeys((2, 94, 19, 98, 327, 129, 358), 0.4),  # the upper lip pulls at them
    **dict.fromkeys((127, 356, 162, 389, 234, 454, 21, 251), 0.4),
    **dict.fromkeys((10, 338, 297, 332, 284, 109, 67, 103, 54), 0.15),  # the hair line is a guess
}
"""Landmarks on the skull with their weights in the head's pose."""

# One standard deviation of what a landmark says about expression, in eye distances: noise and modelling error.
_PRECISION: dict[tuple[int, ...], float] = {
    face.LIPS: 0.006,
    face.MOUTH_AREA: 0.02,
    face.JAW: 0.02,
    (face.CHIN,): 0.008,
    face.BROWS["Left"]: 0.008,
    face.BROWS["Right"]: 0.008,
    (*face.LIDS_UPPER["Left"], *face.LIDS_UPPER["Right"], *face.LIDS_LOWER["Left"], *face.LIDS_LOWER["Right"]): 0.010,
    face.CHEEKS: 0.03,
    face.NOSE: 0.015,
}
_DEPTH_SHARE = 0.15  # Depth counts this much less than what can be seen.

_SEEN_SHARE = 0.5  # More of it explains drawn faces no better, and the lips of real ones worse.

_GAP_PRECISION = 0.0015  # Contact must be contact.
_WIDTH_PRECISION = 0.002
_CHIN_PRECISION = 0.0015
_LID_PRECISION = 0.003

SOLVED: tuple[int, ...] = tuple(
    i
    for i, name in enumerate(arkit.SHAPES)
    if not name.startswith("eyeLook") and name not in ("tongueOut", "cheekPuff")
)
"""The shapes that landmarks tell. The irises tell eyeLook; cheekPuff and tongueOut leave no trace in landmarks."""


@dataclass(frozen=True, eq=False)
class FaceModel:
    """The linear model of one head, for the N of MediaPipe's landmarks that matter and were measured.

    Attributes:
        index: (N,) their numbers.
        rigid: (N,) weights in the head's pose.
        neutral: (N, 3) where they are on the resting head.
        basis: (52, N, 3) what each shape adds, half as the mesh moves and half as the landmarker sees it.
        projection: (3 N, 52): a displacement of the landmarks times this is the right-hand side of the normal equation.
        gram: (52, 52) its matrix.
        gap_row: (52,) how much each shape opens the lips of the mesh itself, over the three middle pairs.
        eye_radius: Distance of the pupil from the eyeball's centre.
    """

    index: np.ndarray
    rigid: np.ndarray
    neutral: np.ndarray
    basis: np.ndarray
    projection: np.ndarray
    gram: np.ndarray
    gap_row: np.ndarray
    eye_radius: float

    @classmethod
    def of(cls, head: HeadMesh, measured: np.ndarray) -> "FaceModel":
        """`measured` are the landmark numbers that a track has."""
        rest, basis = head.landmark_basis()
        metres = head.landmarks_of(head.neutral)
        right, left = face.OUTER_EYE_CORNERS
        pupils = metres[[face.IRIS["Left"], face.IRIS["Right"]]] - head.eye_centres
        index = np.array(sorted(set(map(int, measured)) & USED_LANDMARKS))
        gap_row = (basis[:, face.GAP_UPPER, 1] - basis[:, face.GAP_LOWER, 1]).mean(1)
        seen = seen_moves(rest, basis)
        if seen is not None:
            known = seen.any(axis=(1, 2))
            basis[known] = (1 - _SEEN_SHARE) * basis[known] + _SEEN_SHARE * seen[known]
        basis = basis[:, index]
        projection, gram = _normal_equation(basis, index)
        return cls(
            index=index,
            rigid=np.array([RIGID.get(int(landmark), 0.0) for landmark in index]),
            neutral=rest[index],
            basis=basis,
            projection=projection,
            gram=gram,
            gap_row=gap_row,
            eye_radius=float(pupils.norm(dim=1).mean() / (metres[right] - metres[left]).norm()),
        )

    def at(self, *landmarks: int) -> np.ndarray:
        """Positions of landmarks in the arrays, in the order given; those not measured are left out."""
        positions = np.searchsorted(self.index, landmarks)
        inside = np.minimum(positions, len(self.index) - 1)
        return inside[self.index[inside] == landmarks]

    def anchored(self, moved: np.ndarray) -> np.ndarray:
        """(T, N, 3) with brows and lids measured from the corners of the eyes: what all of them share is the head's."""
        corners = moved[:, self.at(*face.EYE_CORNERS["Right"], *face.EYE_CORNERS["Left"])].mean(1, keepdims=True)
        out = moved.copy()
        out[:, self.at(*face.EYE_AREA)] -= corners
        return out


USED_LANDMARKS = {
    *RIGID,
    *(landmark for landmarks in _PRECISION for landmark in landmarks),
    *face.EYE_CORNERS["Left"],
    *face.EYE_CORNERS["Right"],
    *face.IRIS.values(),
}


def _normal_equation(basis: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`projection` and `gram` of the measurements in `_rows`."""
    first, second, axis, precision = _rows(index)
    pair = second >= 0
    design = basis[:, first, axis] - np.where(pair, basis[:, second, axis], 0.0)
    weighted = (design / precision**2).T
    projection = np.zeros((len(index), 3, arkit.SHAPE_COUNT))
    np.add.at(projection, (first, axis), weighted)
    np.add.at(projection, (second[pair], axis[pair]), -weighted[pair])
    return projection.reshape(-1, arkit.SHAPE_COUNT), design @ weighted


def _rows(index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The measurements (M,): landmark, the landmark subtracted from it (-1: none), axis, standard deviation."""
    rows: list[tuple[int, int, int, float]] = []
    of_landmark = {landmark: p for landmarks, p in _PRECISION.items() for landmark in landmarks}
    for landmark, precision in of_landmark.items():
        rows += [(landmark, -1, axis, precision / (_DEPTH_SHARE if axis == 2 else 1)) for axis in range(3)]
    rows += [(a, b, 1, _GAP_PRECISION) for a, b in zip(face.INNER_LIPS_UPPER, face.INNER_LIPS_LOWER, strict=True)]
    rows += [
        (*face.MOUTH_CORNERS, 0, _WIDTH_PRECISION),
        (78, 308, 0, _WIDTH_PRECISION),
        (face.CHIN, face.NOSE_BRIDGE, 1, _CHIN_PRECISION),
    ]
    rows += [(a, b, 1, _LID_PRECISION) for pairs in face.LID_PAIRS.values() for a, b in pairs]
    position = {int(landmark): place for place, landmark in enumerate(index)} | {-1: -1}
    rows = [(position[a], position[b], k, p) for a, b, k, p in rows if a in position and b in position]
    first, second, axis = np.array([row[:3] for row in rows]).T
    return first, second, axis, np.array([row[3] for row in rows])
