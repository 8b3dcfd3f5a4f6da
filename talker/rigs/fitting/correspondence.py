"""Where on somebody else's face model each of our head's landmarks lies, found from the two shapes alone.

The eye centres place one head on the other. Then nearest points, in turn, improve the placing, bend the model's
identity towards our head, and at last stretch our skin onto it. The last step is done with both mouths open:
closed lips coincide, and a point of the upper lip could not be told from one of the lower.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from talker.errors import TalkerError
from talker.rigs import arkit
from talker.rigs.fitting.surface import Pins, StretchySkin, Surface, SurfacePoints, corresponding, similarity
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.skinning import SkinnedModel

SKIN_LANDMARKS = 468
"""Of MediaPipe's 478 points the last ten lie on the irises."""

CHIN = (152, 148, 377, 176, 400, 175, 199, 171, 396)
"""MediaPipe points on the skin of the chin, which goes where the jaw goes."""

Progress = Callable[[str, float], None]
"""Told what is being done and how much of it is, 0..1."""

_OPEN = 0.6  # jawOpen while the lips are matched.
_IDENTITY_COMPONENTS = 50
_IDENTITY_STRENGTH = 2e-3  # Metres: misfits this large are worth one standard deviation of identity.
_PLACING_ROUNDS = 16
_STIFFNESS = (2000.0, 600.0, 200.0, 60.0, 20.0, 6.0, 2.0)  # Of the skin against bending, from first to last.
_PULLS = 4  # Per stiffness.
_HINT_TRUST = 0.5  # Of a sighted landmark, against 1 for a nearest point.
_BELIEVABLE = (0.008, 0.003)  # Metres from a sighted landmark to where the skin has it, from first to last.
_HINTED_STIFFNESS = 10.0  # Below it the skin is soft enough for single mistaken sightings to dent it.
_REACH = (0.030, 0.006)  # Metres within which a nearest point counts, from first to last.
_ALIKE = 0.5  # Share of our skin that a head must match once placed; people reach 0.9, scattered points 0.1.


@dataclass(frozen=True)
class Match:
    """Our head's landmarks on a model.

    Attributes:
        points: The first 468 landmarks on the model's faces.
        scale, rotation, shift: x -> scale * rotation @ x + shift brings our head to the model at rest.
        distance: Mean distance between the skins after stretching, metres.
    """

    points: SurfacePoints
    scale: float
    rotation: np.ndarray
    shift: np.ndarray
    distance: float


@dataclass
class _Placing:
    """How our head lies on the model, and the model's identity that fits it."""

    scale: float
    rotation: np.ndarray
    shift: np.ndarray
    identity: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return self.scale * points @ self.rotation.T + self.shift


def match_landmarks(
    head: HeadMesh,
    model: SkinnedModel,
    sighted: SurfacePoints | None = None,
    progress: Progress = lambda *_: None,
) -> Match:
    """Find our landmarks on the model, which may be of any person and any topology.

    `sighted` are the landmarks as somebody saw them on the model's faces: a hint, for seeing has its own errors.
    """
    ours, theirs = _OurSkin(head), _TheirSkin(model)
    progress("placing the head", 0.0)
    placing = _placed(ours, theirs)
    progress("matching the closed face", 0.25)
    closed, hints = ours.vertices(0.0), _hints(ours, theirs, sighted, placing, 0.0)
    skin, _ = _stretched(ours, placing(closed), theirs.surface(placing.identity, 0.0), hints, rounds=2)
    angle = _jaw_angle(ours, theirs, placing, ours.landmarks.on(skin, ours.faces))
    progress("matching the open mouth", 0.5)
    opened, hints = theirs.surface(placing.identity, angle), _hints(ours, theirs, sighted, placing, angle)
    skin, distance = _stretched(ours, placing(ours.vertices(_OPEN)), opened, hints, rounds=len(_STIFFNESS))
    found, _ = opened.nearest(ours.landmarks.on(skin, ours.faces))
    points = SurfacePoints(theirs.face_numbers[found.faces], found.weights)
    rest = _resting_place(ours, theirs, points)
    progress("matched", 1.0)
    return Match(points, rest.scale, rest.rotation, rest.shift, distance)


class _OurSkin:
    """The skin of our head that moves with the skull, and the landmarks on it."""

    def __init__(self, head: HeadMesh) -> None:
        keep = torch.zeros(head.vertex_count, dtype=torch.bool)
        keep[head.parts["skin"]] = True
        keep &= head.head_weight > 0.5
        kept = keep[head.faces].all(1).nonzero()[:, 0]
        number = torch.full((len(head.faces),), -1)
        number[kept] = torch.arange(len(kept))
        landmark_faces = number[head.landmark_faces[:SKIN_LANDMARKS]].numpy()
        if (landmark_faces < 0).any():
            raise TalkerError("the head has landmarks that do not lie on its skin; it cannot be fitted")
        used, faces = np.unique(head.faces[kept].numpy(), return_inverse=True)
        self.faces = faces.reshape(-1, 3)
        self.landmarks = SurfacePoints(landmark_faces, head.landmark_weights[:SKIN_LANDMARKS].double().numpy())
        self.eyes = head.eye_centres.double().numpy()
        self._neutral = head.neutral.double().numpy()[used]
        self._jaw_open = head.deltas[arkit.INDEX["jawOpen"]].double().numpy()[used]

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self._neutral)

    def vertices(self, jaw_open: float) -> np.ndarray:
        """(V, 3) with the mouth this far open."""
        return self._neutral + jaw_open * self._jaw_open


class _TheirSkin:
    """The skin of the model that moves with its head: no body, no eyeballs."""

    def __init__(self, model: SkinnedModel) -> None:
        kind = model.kind
        follows_head = model.weights[:, [*kind.neck, kind.jaw]].sum(1) > 0.5
        self.face_numbers = follows_head[model.faces].all(1).nonzero()[:, 0].numpy()
        self.all_triangles = model.faces.numpy()
        self.triangles = self.all_triangles[self.face_numbers]
        self._model = model
        self._components = min(_IDENTITY_COMPONENTS, model.shape_basis.shape[2])
        self.identity_basis = model.shape_basis[..., : self._components].double().numpy()

    def vertices(self, identity: np.ndarray, jaw_angle: float) -> np.ndarray:
        """(V, 3) all vertices of a person, the jaw open by an angle in radians."""
        pose = torch.zeros(self._model.kind.joint_count, 3)
        pose[self._model.kind.jaw, 0] = jaw_angle
        return self._model.vertices(pose, shape=torch.from_numpy(identity).float()).double().numpy()

    def eyes(self, identity: np.ndarray) -> np.ndarray:
        """(2, 3) the joints about which the eyeballs turn, left and right."""
        kind = self._model.kind
        joints = self._model.joints(self._model.unposed(shape=torch.from_numpy(identity).float()))
        return joints[[kind.left_eye, kind.right_eye]].double().numpy()

    def surface(self, identity: np.ndarray, jaw_angle: float) -> Surface:
        """The skin alone, to be asked for nearest points."""
        return Surface(self.vertices(identity, jaw_angle), self.triangles)

    @property
    def no_identity(self) -> np.ndarray:
        """The model's mean person."""
        return np.zeros(self._components)


def _placed(ours: _OurSkin, theirs: _TheirSkin) -> _Placing:
    """Bring the heads together: eyes on eyes first, then skin on skin, then the identity that makes them alike."""
    eyes = theirs.eyes(theirs.no_identity)
    scale = float(np.linalg.norm(eyes[0] - eyes[1]) / np.linalg.norm(ours.eyes[0] - ours.eyes[1]))
    shift = eyes.mean(0) - scale * ours.eyes.mean(0)
    placing = _Placing(scale, np.eye(3), shift, theirs.no_identity)
    vertices = ours.vertices(0.0)
    for turn in range(_PLACING_ROUNDS):
        surface = theirs.surface(placing.identity, 0.0)
        placed = placing(vertices)
        found, targets, trust = corresponding(
            placed, ours.faces, surface, _falling(_REACH, turn / (_PLACING_ROUNDS - 1))
        )
        if trust.sum() < 100:
            break
        source = np.concatenate([vertices, ours.eyes])
        aim = np.concatenate([targets, theirs.eyes(placing.identity)])
        weights = np.concatenate([trust, np.full(2, 0.1 * trust.sum())])
        placing.scale, placing.rotation, placing.shift = similarity(source, aim, weights)
        if turn >= _PLACING_ROUNDS // 3:
            placing.identity = _identity(theirs, placing(vertices), found, trust)
    if trust.mean() < _ALIKE:
        raise TalkerError(
            f"the model's face does not resemble a head: only {trust.mean():.0%} of our skin finds its like there; "
            "is this a model file with y up and the face towards +z?"
        )
    return placing


def _identity(theirs: _TheirSkin, goal: np.ndarray, found: SurfacePoints, trust: np.ndarray) -> np.ndarray:
    """The identity components, held near 0, that bring the found points of the mean person to the goal."""
    corners = theirs.triangles[found.faces]
    rows = (theirs.identity_basis[corners] * found.weights[:, :, None, None]).sum(1)
    mean = found.on(theirs.vertices(theirs.no_identity, 0.0), theirs.triangles)
    # A common shift belongs to the placing, not to the identity.
    share = trust / trust.sum()
    rows = rows - np.einsum("n,nck->ck", share, rows)
    misfit = goal - mean
    misfit = misfit - share @ misfit
    system = np.einsum("n,nck,ncl->kl", share, rows, rows) + _IDENTITY_STRENGTH**2 * np.eye(rows.shape[2]) / 3
    return np.linalg.solve(system, np.einsum("n,nck,nc->k", share, rows, misfit))


def _hints(
    ours: _OurSkin, theirs: _TheirSkin, sighted: SurfacePoints | None, placing: _Placing, jaw_angle: float
) -> Pins | None:
    if sighted is None:
        return None
    places = sighted.on(theirs.vertices(placing.identity, jaw_angle), theirs.all_triangles)
    return Pins(ours.landmarks.mixture(ours.faces, ours.vertex_count), places, np.full(SKIN_LANDMARKS, _HINT_TRUST))


def _stretched(
    ours: _OurSkin, placed: np.ndarray, surface: Surface, hints: Pins | None, rounds: int
) -> tuple[np.ndarray, float]:
    """Our skin on theirs after the first `rounds` stiffnesses: (V, 3), and the mean distance left in metres."""
    skin = StretchySkin(placed, ours.faces)
    vertices = placed
    schedule = [stiffness for stiffness in _STIFFNESS[:rounds] for _ in range(_PULLS)]
    for turn, stiffness in enumerate(schedule):
        reach = _falling(_REACH, 0.3 + 0.7 * turn / len(schedule))
        _, targets, trust = corresponding(vertices, ours.faces, surface, reach)
        pins = (
            hints.doubted(vertices, _falling(_BELIEVABLE, turn / len(schedule)))
            if hints and stiffness >= _HINTED_STIFFNESS
            else None
        )
        vertices = skin.pulled(targets, trust, stiffness, pins)
    _, nearest = surface.nearest(vertices)
    gap = np.linalg.norm(nearest - vertices, axis=1)
    return vertices, float((gap * trust).sum() / trust.sum())


def _falling(ends: tuple[float, float], progress: float) -> float:
    """From the first to the last value while progress goes from 0 to 1."""
    return ends[0] * (ends[1] / ends[0]) ** progress


def _jaw_angle(ours: _OurSkin, theirs: _TheirSkin, placing: _Placing, landmarks: np.ndarray) -> float:
    """The angle in radians at which their chin has dropped as far as ours has at `_OPEN`."""
    found, _ = theirs.surface(placing.identity, 0.0).nearest(landmarks[list(CHIN)])
    closed, opened = (ours.landmarks.on(ours.vertices(jaw_open), ours.faces)[list(CHIN)] for jaw_open in (0.0, _OPEN))
    wanted = placing.scale * np.linalg.norm(opened - closed, axis=1).mean()
    rest = found.on(theirs.vertices(placing.identity, 0.0), theirs.triangles)
    trial = 0.1
    moved = found.on(theirs.vertices(placing.identity, trial), theirs.triangles)
    drop = np.linalg.norm(moved - rest, axis=1).mean()
    if drop < 1e-3:
        raise TalkerError("the model's chin does not follow its jaw joint; is its weights array intact?")
    return float(np.clip(trial * wanted / drop, 0.05, 0.6))


def _resting_place(ours: _OurSkin, theirs: _TheirSkin, points: SurfacePoints) -> _Placing:
    """The placing once more, from the landmarks found, on the model's mean person."""
    target = points.on(theirs.vertices(theirs.no_identity, 0.0), theirs.all_triangles)
    source = ours.landmarks.on(ours.vertices(0.0), ours.faces)
    scale, rotation, shift = similarity(source, target, np.ones(len(source)))
    return _Placing(scale, rotation, shift, theirs.no_identity)
