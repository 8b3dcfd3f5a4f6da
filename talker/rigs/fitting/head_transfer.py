"""Laying the default head on somebody else's, to carry over what only ours knows: landmarks, regions, neck."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from talker.errors import TalkerError
from talker.rigs import arkit
from talker.rigs.fitting.surface import StretchySkin, Surface, corresponding, similarity
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.mesh_files.source_head import SourceHead

_UNITS = {"metres": 1.0, "decimetres": 0.1, "inches": 0.0254, "centimetres": 0.01, "millimetres": 0.001}
_PLAUSIBLE = 1.6  # A head may be this many times larger or smaller than ours before its unit is called unknown.
_MAX_TILT = np.radians(40)
_MAX_MISFIT = 0.35  # RMS distance of the shapes' places after placing, in units of their spread.
_REGION_REACH = 0.015  # Metres from our region to theirs.

_OPEN = 0.6  # jawOpen while the skins are matched: closed lips coincide and could not be told apart.
_STIFFNESS = (2000.0, 600.0, 200.0, 60.0, 20.0, 6.0)  # Against bending, from first to last.
_PULLS = 3  # Per stiffness.
_SMOOTHING = 1e-2  # Of the bending by the middles of shapes.
_REACH = (0.025, 0.006)  # Metres within which a nearest point counts, from first to last.


@dataclass(frozen=True)
class Template:
    """The default head, and what of it is carried over."""

    head: HeadMesh
    vertices: np.ndarray
    skin: np.ndarray
    skin_faces: np.ndarray
    deltas: dict[str, np.ndarray]
    iris_share: float

    def landmarks_on(self, vertices: np.ndarray) -> np.ndarray:
        """(478, 3) the landmarks on (V, 3) vertices of this head."""
        return self.head.landmarks_of(torch.from_numpy(vertices).to(self.head.neutral)).double().numpy()

    def landmarks_of_part(self, name: str) -> np.ndarray:
        """Numbers of the landmarks that lie on one part."""
        return np.flatnonzero(torch.isin(self.head.landmark_faces, self.head.part_faces(name)).numpy())

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
        return cls(head, vertices, skin, faces, deltas, head.iris_radius / float(np.median(ball)))


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


def carry(placing: Placing, source: SourceHead, parts: dict[str, np.ndarray], eyes: np.ndarray) -> Carried:
    """Neck, regions and landmarks on the other head (in metres), whose parts and eye centres are known."""
    template, skin = placing.template, parts["skin"]
    opened = _opened(source.vertices, source.deltas)
    face_numbers = _main_piece(source, skin)
    surface = Surface(opened, source.faces[face_numbers])
    centres = shape_centres(source.vertices, surface.triangles, source.deltas)
    stretched = _stretched(
        placing.put(_opened(template.vertices, template.deltas)),
        template,
        surface,
        {shape: centre @ opened for shape, centre in centres.items()},
    )
    found, _ = surface.nearest(template.landmarks_on(stretched))
    landmark_faces, landmark_weights = face_numbers[found.faces], found.weights
    for side, name in enumerate(("left_eye", "right_eye")):
        iris, ball = template.landmarks_of_part(name), _faces_of(source, parts[name])
        if len(ball):
            away = placing.put(template.landmarks_on(template.vertices)[iris]) - placing.eyes()[side]
            found, _ = Surface(source.vertices, source.faces[ball]).nearest(eyes[side] + away)
            landmark_faces[iris], landmark_weights[iris] = ball[found.faces], found.weights
    _, nearest = cKDTree(placing.put(template.vertices)).query(source.vertices)
    away, nearest_skin = cKDTree(stretched[template.skin]).query(opened[skin])
    regions = {
        name: skin[np.isin(template.skin[nearest_skin], indices.numpy()) & (away < _REGION_REACH)]
        for name, indices in template.head.regions.items()
    }
    follow = template.head.head_weight.double().numpy()[nearest]
    return Carried(follow, regions, landmark_faces, landmark_weights)


def place(path: Path, source: SourceHead, template: Template) -> Placing:
    """Lay the default head on the other by the places the same shapes move; refuse what is no upright, frontal head."""
    our_centres = shape_centres(template.vertices, template.head.faces.numpy(), template.deltas)
    their_centres = shape_centres(source.vertices, source.faces, source.deltas)
    shared = [shape for shape in our_centres if shape in their_centres]
    ours = np.stack([our_centres[shape] @ template.vertices for shape in shared])
    theirs = np.stack([their_centres[shape] @ source.vertices for shape in shared])
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


def shape_centres(vertices: np.ndarray, faces: np.ndarray, deltas: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """For each shape that moves these faces the middle of what it moves, as (V,) shares of the vertices.

    Vertices count by their squared motion and by the area they stand for, so that it does not matter how finely a
    mesh is divided.
    """
    corners = vertices[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    area = np.bincount(faces.ravel(), np.repeat(areas, 3), len(vertices))
    centres = {}
    for shape, delta in deltas.items():
        share = area * (delta.astype(float) ** 2).sum(axis=1)
        if share.sum() > 0:
            centres[shape] = share / share.sum()
    return centres


def _unit(metres: float) -> float:
    """The unit of length, given how many metres one of it seems to be; any number when no unit is near."""
    nearest = min(_UNITS.values(), key=lambda unit: abs(np.log(unit / metres)))
    return nearest if 1 / _PLAUSIBLE < nearest / metres < _PLAUSIBLE else metres


def _axis(direction: np.ndarray) -> str:
    axis = int(np.abs(direction).argmax())
    return f"{'+' if direction[axis] > 0 else '-'}{'xyz'[axis]}"


def _opened(vertices: np.ndarray, deltas: dict[str, np.ndarray]) -> np.ndarray:
    return vertices + _OPEN * deltas["jawOpen"] if "jawOpen" in deltas else vertices


def _stretched(placed: np.ndarray, template: Template, surface: Surface, centres: dict[str, np.ndarray]) -> np.ndarray:
    """(V, 3) our head with its skin pulled onto the surface, and the middle of each shape to where theirs has it."""
    used, faces = np.unique(template.skin_faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    ours = shape_centres(template.vertices, template.skin_faces, template.deltas)
    shared = [shape for shape in ours if shape in centres]
    start = np.stack([ours[shape] @ placed for shape in shared])
    bend = RBFInterpolator(start, np.stack([centres[shape] for shape in shared]) - start, smoothing=_SMOOTHING)
    vertices = placed[used] + bend(placed[used])
    skin = StretchySkin(vertices, faces)
    schedule = [stiffness for stiffness in _STIFFNESS for _ in range(_PULLS)]
    for turn, stiffness in enumerate(schedule):
        reach = _REACH[0] * (_REACH[1] / _REACH[0]) ** (turn / (len(schedule) - 1))
        _, targets, trust = corresponding(vertices, faces, surface, reach)
        vertices = skin.pulled(targets, trust, stiffness)
    out = placed.copy()
    out[used] = vertices
    return out


def _faces_of(source: SourceHead, vertices: np.ndarray) -> np.ndarray:
    """Numbers of the faces that have all their corners among some vertices."""
    member = np.zeros(len(source.vertices), bool)
    member[vertices] = True
    return np.flatnonzero(member[source.faces].all(axis=1))


def _main_piece(source: SourceHead, skin: np.ndarray) -> np.ndarray:
    """Numbers of the faces of the largest connected piece of skin: teeth or hair that nobody named are left out."""
    faces = _faces_of(source, skin)
    corners = source.vertices[source.faces[faces]]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    piece = source.piece_of_vertex()[source.faces[faces, 0]]
    return faces[piece == np.bincount(piece, areas).argmax()]
