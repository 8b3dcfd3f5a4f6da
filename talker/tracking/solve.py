"""Landmarks in, face curves out: head pose, gaze, then all 46 other shapes of the whole clip in one bounded solve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talker.animation import FaceAnimation
from talker.rigs import arkit
from talker.rigs import landmark_numbers as face
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.descent import descend
from talker.tracking.face_model import SOLVED, FaceModel
from talker.tracking.gaze import solve_gaze
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.person import DEPTH_TRUST, Person, estimate_person, lip_gap
from talker.tracking.pose import Pose, head_angles, solve_pose
from talker.tracking.rest import silent_frames

_BRIDGED_SECONDS = 0.2
_STRETCH, _OVERLAP = 4096, 64  # Frames solved at once, and their neighbours on either side that are solved along.
_FREE = np.array(SOLVED)
_ROUNDS = 3
_SWEEPS = 80
_TOLERANCE = 0.0005
_OUTLIER = 0.06  # Eye distances: a landmark further from what any face can do no longer pulls harder.

# What a full weight costs before any landmark has moved: a parsimonious face uses few and likely shapes.
# Small movements of brows and nose are noise more often than not.
_SPARSITY = {"mouth": 4.0, "jaw": 4.0, "eyes": 20.0, "brows": 22.0, "cheeks": 20.0, "nose": 25.0, "tongue": 0.0}
_RIDGE = 120.0
_UNLIKELY = {  # Times the ridge: what landmarks hardly tell apart goes to the more usual movement.
    "jawForward": 10.0,
    **dict.fromkeys(("jawLeft", "jawRight", "mouthLeft", "mouthRight"), 4.0),
    **dict.fromkeys(("mouthRollUpper", "mouthRollLower"), 8.0),
    "mouthShrugUpper": 4.0,
    **dict.fromkeys(("mouthStretchLeft", "mouthStretchRight"), 3.0),
    **dict.fromkeys(("mouthShrugLower", "mouthPressLeft", "mouthPressRight"), 2.0),
    **dict.fromkeys(("eyeBlinkLeft", "eyeBlinkRight", "eyeWideLeft", "eyeWideRight"), 0.5),
    **dict.fromkeys(("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"), 0.05),
    **dict.fromkeys(("mouthFrownLeft", "mouthFrownRight"), 0.15),
}
# Strength of the temporal term, of each shape's own diagonal, at 25 frames per second.
_SMOOTHNESS = {"mouth": 0.02, "jaw": 0.0005, "eyes": 0.01, "brows": 0.5, "cheeks": 0.5, "nose": 0.5, "tongue": 0.0}
_SYMMETRY = 0.3  # Pull of left and right together, of their diagonal.
_EXCLUSIVE = (
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    *((f"mouthSmile{side}", f"mouthFrown{side}") for side in ("Left", "Right")),
    *((f"browDown{side}", f"browOuterUp{side}") for side in ("Left", "Right")),
    *((f"eyeBlink{side}", f"eyeWide{side}") for side in ("Left", "Right")),
    ("mouthFunnel", "mouthPucker"),
)
_EXCLUSION = 0.5

# Contact is contact: the nearer the lips, the more the gap of the mesh itself must be theirs. Eye distances.
_CONTACT_PRECISION = 0.0005
_CONTACT_GAP, _APART_GAP = 0.010, 0.035


@dataclass(frozen=True, eq=False)
class Solution:
    """What the tracker makes of one clip.

    Attributes:
        animation: The curves with sound.
        confidence: (T,) in [0, 1].
        valid: (T,) bool: seen, or bridged over at most 200 ms.
    """

    animation: FaceAnimation
    confidence: np.ndarray
    valid: np.ndarray


def solve_person(
    tracks: Sequence[LandmarkTrack], head: HeadMesh, resting: Sequence[np.ndarray] | None = None
) -> list[Solution]:
    """Solve all clips of one person; `resting` (T,) bool per clip marks frames where the face is at rest.

    When it is not given, silence is taken for rest.
    """
    tracks = [track.uniform() for track in tracks]
    measured = set(map(int, tracks[0].index)).intersection(*(map(int, track.index) for track in tracks))
    model = FaceModel.of(head, np.array(sorted(measured)))
    seen = [track.points(model.index) for track in tracks]
    resting = resting or [silent_frames(track.audio, track.fps, track.frame_count) for track in tracks]
    person = estimate_person(seen, resting, model)
    return [solve_track(track, points, person, model) for track, points in zip(tracks, seen, strict=True)]


def solve_track(track: LandmarkTrack, seen: np.ndarray, person: Person, model: FaceModel) -> Solution:
    """One clip of a known person; seen (T, N, 3) pixels in the head's axes, NaN where there was no face."""
    known = np.isfinite(seen).all((1, 2))
    curves = np.zeros((len(seen), arkit.CHANNEL_COUNT), np.float32)
    confidence = np.zeros(len(seen), np.float32)
    valid = np.zeros(len(seen), bool)
    low_frame, high_frame, bridged = _bridge(known, track)
    for start in range(0, len(seen), _STRETCH):
        stop = min(start + _STRETCH, len(seen))
        low, high = max(start - _OVERLAP, 0), min(stop + _OVERLAP, len(seen))
        part, inside = slice(low, high), slice(start - low, stop - low)
        filled = _filled(seen, low_frame[part], high_frame[part], np.arange(low, high))
        solved, sure = _solve_stretch(filled, known[part], bridged[part], track.cuts[part], track.fps, person, model)
        curves[start:stop], confidence[start:stop] = solved[inside], sure[inside]
    valid = bridged & (confidence > 0)
    return Solution(FaceAnimation(curves, track.fps, track.audio, {"source": track.name}), confidence, valid)


def _solve_stretch(
    seen: np.ndarray,
    known: np.ndarray,
    bridged: np.ndarray,
    cuts: np.ndarray,
    fps: float,
    person: Person,
    model: FaceModel,
) -> tuple[np.ndarray, np.ndarray]:
    """(T, 61) curves and (T,) confidence of frames without holes."""
    pose = solve_pose(seen, person.neutral, model.rigid)
    moved = model.anchored(pose.residual(seen, person.neutral, 1.0))
    curves = solve_gaze(moved, known, person, model)
    weights = arkit.looks_from_eye_angles(curves)[:, : arkit.SHAPE_COUNT].astype(np.float64)
    gram, smoothness, sparsity = _priors(model, fps)
    temporal = (np.where(cuts, 0.0, 1.0), smoothness, sparsity)
    certainty = bridged.astype(np.float64)
    for round_number in range(_ROUNDS):
        shape = _shape(weights, person, model)
        pose = solve_pose(seen, shape, model.rigid, pose)
        error = model.anchored(pose.residual(seen, shape, DEPTH_TRUST))
        if round_number > 0:  # Before anything is explained, an open mouth is not an outlier.
            error = _tamed(error)
        moved = _lids_scaled(error + shape - person.neutral, person.lid_scale, model)
        target = moved.reshape(len(moved), -1) @ model.projection
        opening = lip_gap(moved, model)
        apart = np.clip((opening - _CONTACT_GAP) / (_APART_GAP - _CONTACT_GAP), 0, 1)
        contact = (model.gap_row, opening, certainty * (1 - apart) ** 2 / _CONTACT_PRECISION**2)
        descend(weights, _FREE, gram, target, certainty, *temporal, *contact, _SWEEPS, _TOLERANCE)
    curves[:, : arkit.SHAPE_COUNT] = np.clip(weights, 0, 1)
    curves[:, arkit.HEAD] = head_angles(pose.rotation)
    error = pose.residual(seen, _shape(weights, person, model), 0.0)
    return curves, _confidence(error, pose, known, bridged)


def _shape(weights: np.ndarray, person: Person, model: FaceModel) -> np.ndarray:
    """(T, N, 3) this person's face with the given weights (T, 52)."""
    right, left = person.lid_scale
    moved = _lids_scaled(np.tensordot(weights, model.basis, 1), (1 / right, 1 / left), model)
    return person.neutral + moved


def _bridge(known: np.ndarray, track: LandmarkTrack) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every frame the known ones before and after it; and which frames are seen or in a short gap."""
    frames = np.flatnonzero(known)
    grid = np.arange(len(known))
    right = np.minimum(np.searchsorted(frames, grid), len(frames) - 1)
    left = np.maximum(np.where(frames[right] > grid, right - 1, right), 0)
    low, high = frames[left], frames[right]
    inside = (low <= grid) & (grid <= high)
    shots = np.cumsum(track.cuts)
    short = inside & (high - low - 1 <= _BRIDGED_SECONDS * track.fps + 1e-6) & (shots[low] == shots[high])
    return low, high, known | short


def _filled(seen: np.ndarray, low: np.ndarray, high: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(t, N, 3) float64 of some frames, those without a face mixed from the known ones `low` and `high` (t,)."""
    share = np.clip((frames - low) / np.maximum(high - low, 1), 0, 1)[:, None, None]
    return seen[low] * (1 - share) + seen[high] * share


def _priors(model: FaceModel, fps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal matrix with all quadratic priors, temporal strength (52,), and sparsity (52,)."""
    gram = model.gram.copy()
    own = np.diag(model.gram).copy()
    gram[np.diag_indices_from(gram)] += [_RIDGE * _UNLIKELY.get(name, 1.0) for name in arkit.SHAPES]
    for i, name in enumerate(arkit.SHAPES):
        j = arkit.INDEX[arkit.partner(name)]
        if j > i:
            pull = _SYMMETRY * (own[i] + own[j]) / 2
            gram[[i, j], [i, j]] += pull
            gram[[i, j], [j, i]] -= pull
    for pair in _EXCLUSIVE:
        i, j = (arkit.INDEX[name] for name in pair)
        push = _EXCLUSION * np.sqrt(own[i] * own[j])
        gram[[i, j], [j, i]] += push
    part = [arkit.region(name) for name in arkit.SHAPES]
    smoothness = own * np.array([_SMOOTHNESS[p] for p in part]) * (fps / 25) ** 2
    return gram, smoothness, np.array([_SPARSITY[p] for p in part])


def _tamed(error: np.ndarray) -> np.ndarray:
    """(T, N, 3) residuals, the large ones shortened: Huber's cost without touching the normal matrix."""
    length = np.linalg.norm(error, axis=-1, keepdims=True)
    return error * np.minimum(1.0, _OUTLIER / np.maximum(length, 1e-9))


def _lids_scaled(moved: np.ndarray, scale: tuple[float, float], model: FaceModel) -> np.ndarray:
    """(T, N, 3) displacements with those of the lids (right, left eye) multiplied.

    Times `Person.lid_scale` they are what the default head must do to close its eyes just as far.
    """
    out = moved.copy()
    for factor, side in zip(scale, ("Right", "Left"), strict=True):
        out[:, model.at(*face.LIDS_UPPER[side], *face.LIDS_LOWER[side]), 1] *= factor
    return out


def _confidence(error: np.ndarray, pose: Pose, known: np.ndarray, bridged: np.ndarray) -> np.ndarray:
    """(T,) from how well the face is explained, how far it is turned away and how large it is."""
    misfit = np.sqrt((error[..., :2] ** 2).sum(-1).mean(1))
    angles = head_angles(pose.rotation)
    turned = np.abs(angles[:, :2]).max(1)
    out = np.clip((0.06 - misfit) / 0.03, 0, 1) * np.clip((1.1 - turned) / 0.5, 0, 1) * np.clip(pose.scale / 30, 0, 1)
    return np.where(bridged, np.where(known, out, 0.5 * out), 0.0).astype(np.float32)
