"""Who somebody is, as far as a tracker must know: their resting face, so that identity never looks like expression."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talker.errors import TalkerError
from talker.rigs import arkit
from talker.rigs import landmark_numbers as face
from talker.tracking.face_model import FaceModel
from talker.tracking.pose import Pose, solve_pose

_MOST_FRAMES = 3000  # Enough to know somebody by; more only costs time.
_FEWEST_FRAMES = 12
_ROUNDS = 3
_MEASURED_DEPTH = 0.5  # How far the landmarker's depth of the resting face replaces the default head's.
_DEPTH_PRIOR = 0.002  # Square of the turning, in radians, from which on it tells more about depth than that guess.

DEPTH_TRUST = 0.5
"""Of the landmarker's depth, where turning the head mixes it into what is seen."""

_TOUCHING_PERCENTILE = 3.0  # Everybody's lips touch in more than 3 % of the frames of speech with its pauses.
_TOUCHING_SLACK = 0.008  # And vary by this much while they do: the landmarker's noise.
_RESTING_SLACK = 0.025
_LID_PERCENTILE = 60.0  # Noise that opens the eyes weighs more than noise that shuts them: full eyeWide is little.
_OPEN_EYE = 0.7  # Of the usual opening: less is a blink or its flank.
_CLOSED_EYE = 0.35  # Of the usual opening: what the landmarker reports of a closed eye when no blink was seen.


@dataclass(frozen=True, eq=False)
class Person:
    """The constants of one face, in eye distances.

    Attributes:
        neutral: (N, 3) landmarks of the resting face with the lips just touching, placed like the default head's.
        lid_scale: By how much the default head's lids must move more than this person's to close (right, left eye).
    """

    neutral: np.ndarray
    lid_scale: tuple[float, float]


def estimate_person(seen: Sequence[np.ndarray], resting: Sequence[np.ndarray], model: FaceModel) -> Person:
    """From all clips of one person.

    Args:
        seen: Per clip (T, N, 3) pixels in the head's axes, NaN in frames without a face.
        resting: Per clip (T,) bool, frames where the face is believed to be at rest (silence, say); all False in a
            clip that is acted, or in all clips when nothing is known.
        model: The default head.
    """
    known = [np.flatnonzero(np.isfinite(clip).all((1, 2))) for clip in seen]
    count = sum(map(len, known))
    if not count:
        raise TalkerError("no face was found in any frame")
    every = -(-count // _MOST_FRAMES)
    starts = np.cumsum([0, *map(len, known[:-1])])
    chosen = [frames[-start % every :: every] for frames, start in zip(known, starts, strict=True)]
    frames = np.concatenate([clip[some] for clip, some in zip(seen, chosen, strict=True)]).astype(np.float64)
    rest = np.concatenate([quiet[some] for quiet, some in zip(resting, chosen, strict=True)])
    calm = np.concatenate([np.full(len(some), quiet.any()) for quiet, some in zip(resting, chosen, strict=True)])
    neutral = model.neutral
    for _ in range(_ROUNDS):
        pose = solve_pose(frames, neutral, model.rigid)
        faces = neutral + pose.residual(frames, neutral, 1.0)
        neutral = _placed_like(_resting_face(faces, rest, calm, model), model)
        neutral = _with_depth(neutral, frames, pose, model)
    right, left = (_lid_scale(faces, side, model) for side in ("Right", "Left"))
    # Once more as the solver measures expression: a tilted head must not look raised, nor a face of unlike depth.
    pose = solve_pose(frames, neutral, model.rigid)
    faces = neutral + model.anchored(pose.residual(frames, neutral, DEPTH_TRUST))
    moving = model.rigid == 0
    neutral[moving] = _resting_face(faces, rest, calm, model)[moving]
    return Person(neutral, (right, left))


def lip_gap(faces: np.ndarray, model: FaceModel) -> np.ndarray:
    """(T, N, 3) -> (T,) mean vertical gap of the inner lips over the three middle pairs."""
    return (faces[:, model.at(*face.GAP_UPPER), 1] - faces[:, model.at(*face.GAP_LOWER), 1]).mean(1)


def lips_touch(gap: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """(T,) lip gaps of one person, (T,) frames at rest -> (T,) bool, the lips are surely together.

    Some lips overlap in the landmarks when they are pressed or smile; those of a resting mouth may be a little wider
    apart and still touch.
    """
    closed = np.percentile(gap, _TOUCHING_PERCENTILE)
    if rest.sum() >= _FEWEST_FRAMES:
        resting = np.percentile(gap[rest], 2 * _TOUCHING_PERCENTILE)
        closed = max(closed, resting) if resting < closed + _RESTING_SLACK else closed
    return gap <= closed + _TOUCHING_SLACK


def closed_gap(gap: np.ndarray, rest: np.ndarray) -> float:
    """The lip gap of somebody's touching lips: at rest when that was seen."""
    touching = lips_touch(gap, rest)
    resting = touching & rest
    return float(np.median(gap[resting if resting.sum() >= _FEWEST_FRAMES else touching]))


def eye_opening(faces: np.ndarray, side: str, model: FaceModel) -> np.ndarray:
    """(T, N, 3) -> (T,) mean vertical gap of the lids over three pairs."""
    pairs = face.LID_PAIRS[side]
    return np.mean([faces[:, model.at(a)[0], 1] - faces[:, model.at(b)[0], 1] for a, b in pairs], 0)


def _resting_face(faces: np.ndarray, rest: np.ndarray, calm: np.ndarray, model: FaceModel) -> np.ndarray:
    """(T, N, 3) aligned faces -> (N, 3): each region as it is when that region rests.

    That is silence; where too little of it was seen, any moment of the clips that have some, then any moment.
    """
    out = np.median(faces, 0)
    touching = lips_touch(lip_gap(faces, model), rest)
    still = _first_enough(touching & rest, touching & calm, touching)
    lower = model.at(*face.LIPS, *face.MOUTH_AREA, *face.JAW, *face.CHEEKS, *face.NOSE)
    lower = lower[model.rigid[lower] == 0]
    out[lower] = np.median(faces[still][:, lower], 0)
    for pair in zip(face.INNER_LIPS_UPPER, face.INNER_LIPS_LOWER, strict=True):
        a, b = model.at(*pair)
        missing = closed_gap(faces[:, a, 1] - faces[:, b, 1], rest) - (out[a, 1] - out[b, 1])
        out[[a, b], 1] += missing / 2, -missing / 2

    openings = np.stack([eye_opening(faces, side, model) for side in ("Right", "Left")], 1)
    awake = (openings > _OPEN_EYE * np.median(openings, 0)).all(1)
    usual = _first_enough(awake & rest, awake & calm, awake)
    lids = (*(k for part in (face.LIDS_UPPER, face.LIDS_LOWER) for side in part.values() for k in side),)
    upper = model.at(*face.BROWS["Right"], *face.BROWS["Left"], *lids, *face.IRIS.values())
    out[upper] = np.median(faces[usual][:, upper], 0)
    for side, opening in zip(("Right", "Left"), openings.T, strict=True):
        _open_eye(out, side, float(np.percentile(opening[usual], _LID_PERCENTILE)), model)
    return out


def _open_eye(neutral: np.ndarray, side: str, opening: float, model: FaceModel) -> None:
    """Give one eye of (N, 3) a face this opening, in place: the upper lid moves."""
    missing = opening - eye_opening(neutral[None], side, model)[0]
    neutral[model.at(*face.LIDS_UPPER[side]), 1] += missing


def _first_enough(*pools: np.ndarray) -> np.ndarray:
    """Indices of the first of several (T,) masks that has enough frames, else of the last."""
    for pool in pools:
        if pool.sum() >= _FEWEST_FRAMES:
            break
    return np.flatnonzero(pool)


def _with_depth(neutral: np.ndarray, frames: np.ndarray, pose: Pose, model: FaceModel) -> np.ndarray:
    """The same face with the depth that its turning reveals, where expression moves little: skull and eye area."""
    seen = ((frames - pose.place[:, None]) / pose.scale[:, None, None])[..., :2]
    rows = pose.rotation[:, :2]  # (T, 2, 3)
    missing = seen - neutral @ rows.transpose(0, 2, 1)
    missing -= np.median(missing, 0)  # What is constant is already in the resting face.
    turn = rows[:, :, 2] - rows[:, :, 2].mean(0)  # How a step in depth shows in the picture.
    depth = np.einsum("tk,tnk->n", turn, missing) / len(turn) / ((turn**2).sum(1).mean() + _DEPTH_PRIOR)
    out = neutral.copy()
    stiff = np.union1d(np.flatnonzero(model.rigid), model.at(*face.EYE_AREA))
    out[stiff, 2] += depth[stiff]
    return out


def _placed_like(shape: np.ndarray, model: FaceModel) -> np.ndarray:
    """The same face turned, moved and scaled so that its skull lies on the default head's, one eye distance wide."""
    weights = model.rigid[:, None] / model.rigid.sum()
    centre, target = (weights * shape).sum(0), (weights * model.neutral).sum(0)
    u, _, vt = np.linalg.svd((weights * (model.neutral - target)).T @ (shape - centre))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    placed = (shape - centre) @ turn.T
    right, left = model.at(33)[0], model.at(263)[0]
    placed = placed / np.linalg.norm(placed[right] - placed[left]) + target
    placed[:, 2] = _MEASURED_DEPTH * placed[:, 2] + (1 - _MEASURED_DEPTH) * model.neutral[:, 2]
    return placed


def _lid_scale(faces: np.ndarray, side: str, model: FaceModel) -> float:
    """How much more the head's lids move than this person's in a blink."""
    opening = eye_opening(faces, side, model)
    usual = float(np.median(opening))
    closed = min(float(np.percentile(opening, 0.5)), _CLOSED_EYE * usual)
    blink = model.basis[arkit.INDEX[f"eyeBlink{side}"]]
    return float(-eye_opening(blink[None], side, model)[0] / (usual - closed))
