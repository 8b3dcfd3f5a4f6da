"""Making a `HeadMesh` of somebody's head: its units, its parts, its eyes, and from the default head what it lacks."""

import logging
from pathlib import Path

import numpy as np
import torch

from talker.errors import TalkerError
from talker.rigs import arkit
from talker.rigs.fitting.head_transfer import Placing, Template, carry, place
from talker.rigs.head_mesh import PARTS, HeadMesh
from talker.rigs.mesh_files.shape_names import missing_shapes
from talker.rigs.mesh_files.source_head import SourceHead

_FEWEST_SHAPES = 8
_BUST_DEPTH = 0.20  # Metres below the head's joint that are kept of a whole body.
_MOVED = 0.1  # Share of the farthest: teeth that jawOpen moves less than this are upper teeth.
_BALL_RADIUS = (0.008, 0.020)  # Metres: what may be an eyeball.
_ROUND = 0.05  # Relative scatter of an eyeball's radius.

_log = logging.getLogger(__name__)


def fit_head(path: Path, source: SourceHead) -> HeadMesh:
    """The head in metres, ready to be posed; `path` is only named in messages."""
    moving = {shape: delta for shape, delta in source.deltas.items() if delta.any()}
    if len(moving) < _FEWEST_SHAPES:
        raise TalkerError(
            f"{path} has {len(moving)} of ARKit's {arkit.SHAPE_COUNT} shapes; "
            f"a head needs at least {_FEWEST_SHAPES} under names like jawOpen, mouthSmileLeft or eyeBlink_L"
        )
    template = Template.default()
    source = source.welded()
    placing = place(path, source, template)
    source = placing.in_metres(source)
    source = source.above(placing.pivot(source)[1] - _BUST_DEPTH)
    missing = missing_shapes(name for name, delta in source.deltas.items() if delta.any())
    if missing:
        _log.warning("%s lacks %d of ARKit's shapes, which will do nothing: %s", path, len(missing), ", ".join(missing))
    return _assembled(source, placing, template)


def _assembled(source: SourceHead, placing: Placing, template: Template) -> HeadMesh:
    parts = _parts(source, placing)
    eyes, iris_radius = _eyes(source, parts, placing, template)
    deltas = np.zeros((arkit.SHAPE_COUNT, *source.vertices.shape), np.float32)
    for shape, delta in source.deltas.items():
        deltas[arkit.INDEX[shape]] = delta
    balls = np.concatenate([parts["left_eye"], parts["right_eye"]])
    deltas[:, balls] = 0  # The eye angles turn them; a file's own eyeLook shapes would turn them twice.
    carried = carry(placing, source, parts, eyes)
    follow = np.where(np.isnan(source.follow), carried.follow, source.follow)
    follow[balls] = 1
    return HeadMesh(
        neutral=_floats(source.vertices),
        faces=torch.from_numpy(source.faces),
        deltas=torch.from_numpy(deltas),
        parts={name: torch.from_numpy(indices) for name, indices in parts.items()},
        regions={name: torch.from_numpy(indices) for name, indices in carried.regions.items()},
        landmark_faces=torch.from_numpy(carried.landmark_faces),
        landmark_weights=_floats(carried.landmark_weights),
        eye_centres=_floats(eyes),
        iris_radius=iris_radius,
        head_pivot=_floats(placing.pivot(source)),
        head_weight=_floats(np.clip(follow, 0, 1)),
    )


def _parts(source: SourceHead, placing: Placing) -> dict[str, np.ndarray]:
    """Vertex indices of each of `PARTS`, from the names of the pieces, and eyeballs by their form if none is named."""
    label = np.full(len(source.vertices), PARTS.index("skin"))
    for name in ("left_eye", "right_eye", "tongue", "lashes", "teeth_upper", "teeth_lower"):
        label[source.part(name)] = PARTS.index(name)
    left = source.vertices[:, 0] > placing.middle(source)
    eye = source.part("eye")
    label[eye & left], label[eye & ~left] = PARTS.index("left_eye"), PARTS.index("right_eye")
    teeth = source.part("teeth")
    if teeth.any():
        drop = np.linalg.norm(source.deltas.get("jawOpen", np.zeros_like(source.vertices)), axis=1)
        lower = drop > max(_MOVED * drop[teeth].max(), 1e-6)
        label[teeth & lower], label[teeth & ~lower] = PARTS.index("teeth_lower"), PARTS.index("teeth_upper")
    for name, centre in zip(("left_eye", "right_eye"), placing.eyes(), strict=True):
        if not (label == PARTS.index(name)).any():
            label[_ball_near(source, centre, label == PARTS.index("skin"))] = PARTS.index(name)
    return {name: np.flatnonzero(label == number) for number, name in enumerate(PARTS)}


def _ball_near(source: SourceHead, centre: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Indices of the round component about a place, or none."""
    piece = source.piece_of_vertex()
    order = np.argsort(piece, kind="stable")
    for component in np.split(order, np.flatnonzero(np.diff(piece[order])) + 1):
        points = source.vertices[component]
        if len(component) < 12 or not allowed[component].all() or np.linalg.norm(points.mean(axis=0) - centre) > 0.02:
            continue
        middle, radius, scatter = _sphere(points)
        if _BALL_RADIUS[0] < radius < _BALL_RADIUS[1] and scatter < _ROUND and np.linalg.norm(middle - centre) < 0.015:
            return component
    return np.empty(0, np.int64)


def _eyes(
    source: SourceHead, parts: dict[str, np.ndarray], placing: Placing, template: Template
) -> tuple[np.ndarray, float]:
    """(2, 3) centres of the eyeballs and the radius of the iris, 0 where there is no eyeball."""
    centres, radii = placing.eyes(), []
    for side, name in enumerate(("left_eye", "right_eye")):
        if len(parts[name]) >= 4:
            middle, radius, scatter = _sphere(source.vertices[parts[name]])
            joint = source.joints.get(name)
            if joint is not None:
                centres[side] = joint
            elif scatter < _ROUND:
                centres[side] = middle
            radii.append(radius)
    return centres, float(np.mean(radii) * template.iris_share) if radii else 0.0


def _sphere(points: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Centre and radius of the sphere nearest to the points, and their relative scatter about it."""
    origin = points.mean(axis=0)
    local = points - origin
    rows = np.column_stack([2 * local, np.ones(len(local))])
    solution, *_ = np.linalg.lstsq(rows, (local**2).sum(axis=1), rcond=None)
    distance = np.linalg.norm(local - solution[:3], axis=1)
    radius = float(distance.mean())
    return origin + solution[:3], radius, float(distance.std() / max(radius, 1e-12))


def _floats(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
