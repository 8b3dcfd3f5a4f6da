"""Laying the default head on somebody else's, to carry over what only ours knows: landmarks, regions, neck."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from talker.errors import TalkerError
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.source_head import SourceHead
from talker.rigs.surface import StretchySkin, Surface, similarity, vertex_normals

_UNITS = {"metres": 1.0, "decimetres": 0.1, "inches": 0.0254, "centimetres": 0.01, "millimetres": 0.001}
_PLAUSIBLE = 1.6  # A head may be this many times larger or smaller than ours before its unit is called unknown.
_MAX_TILT = np.radians(40)
_MAX_MISFIT = 0.35  # RMS distance of the shapes' places after placing, in units of their spread.
_REGION_REACH = 0.015  # Metres from our region to theirs.

_OPEN = 0.6  # jawOpen while the skins are matched: closed lips coincide and could not be told apart.
_STIFFNESS = (100.0, 30.0, 10.0, 3.0, 1.0)
_PULLS = 3
_REACH = (0.025, 0.006)  # Metres within which a nearest point counts, from first to last.
_SAME_SIDE = 0.5  # Cosine between normals of skins that may correspond.


@dataclass(frozen=True)
class Template:
    """The default head, and what of it is carried over."""

    head: HeadMesh
    vertices: np.ndarray
    skin: np.ndarray
    skin_faces: np.ndarray
    places: dict[str, np.ndarray]
    iris_share: float

    @classmethod
    @lru_cache(maxsize=1)
    def default(cls) -> "Template":
        """Read once: 20 ms."""
        head = HeadMesh.load()
        vertices = head.neutral.double().numpy()
        deltas = dict(zip(arkit.SHAPES, head.deltas.numpy(), strict=True))
        skin = head.parts["skin"].numpy()
        faces = head.faces[head.part_faces("skin")].numpy()
        ball = np.linalg.norm(vertices[head.parts["left_eye"].numpy()] - head.eye_centres[0].numpy(), axis=1)
        return cls(
            head, vertices, skin, faces, shape_places(vertices, deltas), head.iris_radius / float(np.median(ball))
        )


@dataclass(frozen=True)
class Carried:
    """What a head got from the default one."""

    follow: np.ndarray
    regions: dict[str, np.ndarray]
    landmark_faces: np.ndarray
    landmark_weights: np.ndarray


@dataclass(frozen=True)
class Placing:
    """Where the default head lies on another: x -> scale * rotation @ x + shift, in metres; and that one's unit."""

    unit: float
    scale: float
    rotation: np.ndarray
    shift: np.ndarray
    template: Template

    def put(self, points: np.ndarray) -> np.ndarray:
        """Points of the default head, on the other one."""
        return self.scale * points @ self.rotation.T + self.shift

    def in_metres(self, source: SourceHead) -> SourceHead:
        """The other head in metres."""
        return replace(
            source,
            vertices=source.vertices * self.unit,
            deltas={shape: delta * np.float32(self.unit) for shape, delta in source.deltas.items()},
            joints={name: place * self.unit for name, place in source.joints.items()},
        )

    def pivot(self, source: SourceHead) -> np.ndarray:
        """(3,) about which the head turns: its joint, or where ours lies."""
        return source.joints.get("head", self.put(self.template.head.head_pivot.double().numpy()))

    def middle(self, source: SourceHead) -> float:
        """The x coordinate between the eyes."""
        return float(self.eyes()[:, 0].mean())

    def eyes(self) -> np.ndarray:
        """(2, 3) where our eye centres lie."""
        return self.put(self.template.head.eye_centres.double().numpy())

    def carry(self, source: SourceHead, skin: np.ndarray, template: Template) -> Carried:
        """Neck, regions and landmarks on the other head (in metres), whose skin vertices are `skin`."""
        ours, opened = self.put(template.vertices), _opened(template.vertices, template.head.deltas.numpy(), self)
        on_skin = np.zeros(len(source.vertices), bool)
        on_skin[skin] = True
        face_numbers = np.flatnonzero(on_skin[source.faces].all(axis=1))
        theirs_open = source.vertices + _OPEN * source.deltas.get("jawOpen", 0)
        surface = Surface(theirs_open, source.faces[face_numbers])
        stretched = _stretched(opened, template, surface)

        landmarks = template.head.landmarks_of(_tensor(stretched, template.head)).double().numpy()
        found, _ = surface.nearest(landmarks)
        _, nearest = cKDTree(ours).query(source.vertices)
        follow = template.head.head_weight.double().numpy()[nearest]
        away, nearest = cKDTree(stretched[template.skin]).query(theirs_open[skin])
        regions = {
            name: skin[np.isin(template.skin[nearest], indices.numpy()) & (away < _REGION_REACH)]
            for name, indices in template.head.regions.items()
        }
        return Carried(follow, regions, face_numbers[found.faces], found.weights)


def place(path: Path, source: SourceHead, template: Template) -> Placing:
    """Lay the default head on the other by the places the same shapes move; refuse what is no upright, frontal head."""
    places = shape_places(source.vertices, source.deltas)
    shared = [shape for shape in template.places if shape in places]
    ours, theirs = (np.stack([which[shape] for shape in shared]) for which in (template.places, places))
    scale, rotation, shift = similarity(ours, theirs, np.ones(len(shared)))
    spread = np.sqrt(((theirs - theirs.mean(axis=0)) ** 2).sum(axis=1).mean())
    misfit = np.sqrt(((scale * ours @ rotation.T + shift - theirs) ** 2).sum(axis=1).mean())
    if not (scale > 0 and misfit <= _MAX_MISFIT * spread):
        raise TalkerError(
            f"{path} does not look like a head: its shapes move other places than a face's; "
            "is left its own left, and does each shape have the right name?"
        )
    if np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)) > _MAX_TILT:
        looks, up = (_axis(rotation[:, column]) for column in (2, 1))
        raise TalkerError(
            f"{path}: the head looks towards {looks} with {up} up; turn it to +z with +y up and export it again"
        )
    unit = _unit(1 / scale)
    return Placing(unit, scale * unit, rotation, shift * unit, template)


def shape_places(vertices: np.ndarray, deltas: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The place each shape moves: the mean of the vertices weighted by their squared motion. (3,) each."""
    places = {}
    for shape, delta in deltas.items():
        motion = (delta.astype(float) ** 2).sum(axis=1)
        if motion.sum() > 0:
            places[shape] = motion @ vertices / motion.sum()
    return places


def _unit(metres: float) -> float:
    """The unit of length, given how many metres one of it seems to be; any number when no unit is near."""
    nearest = min(_UNITS.values(), key=lambda unit: abs(np.log(unit / metres)))
    return nearest if 1 / _PLAUSIBLE < nearest / metres < _PLAUSIBLE else metres


def _axis(direction: np.ndarray) -> str:
    axis = int(np.abs(direction).argmax())
    return f"{'+' if direction[axis] > 0 else '-'}{'xyz'[axis]}"


def _opened(vertices: np.ndarray, deltas: np.ndarray, placing: Placing) -> np.ndarray:
    return placing.put(vertices + _OPEN * deltas[arkit.INDEX["jawOpen"]])


def _stretched(placed: np.ndarray, template: Template, surface: Surface) -> np.ndarray:
    """(V, 3) our head with its skin pulled onto the surface."""
    used, faces = np.unique(template.skin_faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    skin = StretchySkin(placed[used], faces)
    vertices = placed[used]
    schedule = [stiffness for stiffness in _STIFFNESS for _ in range(_PULLS)]
    for turn, stiffness in enumerate(schedule):
        reach = _REACH[0] * (_REACH[1] / _REACH[0]) ** (turn / (len(schedule) - 1))
        found, targets = surface.nearest(vertices)
        near = np.linalg.norm(targets - vertices, axis=1) < reach
        alike = (vertex_normals(vertices, faces) * surface.normals[found.faces]).sum(axis=1) > _SAME_SIDE
        vertices = skin.pulled(targets, (near & alike & ~surface.on_border(found)).astype(float), stiffness)
    out = placed.copy()
    out[used] = vertices
    return out


def _tensor(values: np.ndarray, head: HeadMesh) -> torch.Tensor:
    return torch.from_numpy(values).to(head.neutral)
