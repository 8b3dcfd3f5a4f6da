"""What the source's shapes need before lips and lids close: each function mends one fault of it.

Vertex numbers are those of MakeHuman's hm08 base mesh, which never change. Its lips are a band of quads around the
mouth: rings of 38 vertices, from the border of the vermilion inwards, whose n-th vertices lie in one column.
"""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from talker.rigs import arkit
from talker.rigs.build_head.head_draft import Draft, edge_loop, smoothed
from talker.rigs.head_mesh import PARTS

# First edges of the lip rings, from the middle of the upper lip towards the subject's left.
_LIP_RING_STARTS = (455, 466, 467, 509, 468, 474, 520, 537)
CONTACT_RING = 5
"""Of the lip rings: the one along which the lips touch."""
_LIP_OVERLAP = 0.0002  # Metres by which the resting lips overlap, so that no light passes.

_CLOSED_SHAPES = (
    *("mouthPressLeft", "mouthPressRight", "mouthRollLower", "mouthRollUpper", "mouthPucker", "mouthShrugLower"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthLeft", "mouthRight"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "cheekPuff"),
)

_SMILE_ROUNDS = 2  # Enough to take the ridge away and leave the fold.

# The first vertex, upper and in the middle, of the ring along the front edge of the left lids.
_LEFT_LID_RING_START = 6785
_LID_OVERLAP = 0.0004
_LID_SCALE_RANGE = (0.55, 1.1)

_LASH_DROOP = np.array([0.0, -0.0055, 0.0005])  # Metres at the longest lash's tip.

# What the upper and the lower lid's motion in the source is multiplied with. There the eyeball turns by 10 to 15
# degrees at full weight, here by 30 (`arkit.EYE_PITCH_PER_LOOK`): unscaled, a look down uncovers white above the iris.
_GAZE_SCALE = {"eyeLookDown": (1.6, 2.5), "eyeLookUp": (2.0, 0.6), "eyeLookIn": (1.5, 1.5), "eyeLookOut": (1.5, 1.5)}
_LID_BLEND = 0.002  # Metres over which the upper lid's factor passes into the lower lid's.


def symmetric(draft: Draft) -> Draft:
    """Make every shape the mirror image of its partner: the source's differ by up to 2.2 mm (mouthFunnel)."""
    _, mirror = cKDTree(draft.vertices).query(draft.vertices * [-1, 1, 1])
    partner = arkit.MIRROR[: arkit.SHAPE_COUNT]
    mirrored = draft.deltas[partner][:, mirror] * [-1, 1, 1]
    return replace(draft, deltas=(draft.deltas + mirrored) / 2)


def lip_rings(quads: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(8, 38) source vertices: rings from the border of the lips inwards, each from the upper middle to the left."""
    return np.stack([_ring_to_the_left(quads, vertices, start) for start in _LIP_RING_STARTS])


def lid_ring(quads: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(28,) source vertices around the opening of the left eye, from the upper middle outwards."""
    return _ring_to_the_left(quads, vertices, _LEFT_LID_RING_START)


def _ring_to_the_left(quads: np.ndarray, vertices: np.ndarray, start: int) -> np.ndarray:
    edges = np.concatenate([np.roll(quads, -k, axis=1)[:, :2] for k in range(4)])
    candidates = np.setdiff1d(edges[(edges == start).any(1)], [start])
    offset = vertices[candidates] - vertices[start]
    return edge_loop(quads, start, int(candidates[np.argmax(offset[:, 0] / np.linalg.norm(offset, axis=1))]))


def close_lips(draft: Draft, rings: np.ndarray) -> Draft:
    """Let the lips touch at rest, and stay closed in the shapes that do not open them.

    The source leaves up to 1 mm between the resting lips, which reads as a slightly open mouth, and as much again at
    the corners of the pressed mouth.
    """
    place = draft.at(rings)
    vertices = draft.vertices.copy()
    vertices[place, 1] += _closing_motion(vertices[place], _LIP_OVERLAP)
    deltas = draft.deltas.copy()
    for name in _CLOSED_SHAPES:
        delta = deltas[arkit.INDEX[name]]
        delta[place, 1] += _closing_motion(vertices[place] + delta[place], overlap=0.0)
    return replace(draft, vertices=vertices, deltas=deltas)


def _closing_motion(band: np.ndarray, overlap: float) -> np.ndarray:
    """How far each vertex of the lips (8, 38, 3) must rise for them to meet: (8, 38).

    Each lip goes half of the way at the contact ring, less towards the border of the lips and the inside. A column
    is measured against the height of the other lip at the same x, for the columns need not stand over each other.
    """
    contact = band[CONTACT_RING]
    column, left, right = np.arange(len(contact)), int(np.argmax(contact[:, 0])), int(np.argmin(contact[:, 0]))
    upper = (column <= left) | (column >= right)
    lower = (column >= left) & (column <= right)
    gap = np.where(upper, contact[:, 1] - _height_at(contact[lower], contact), 0)
    gap = np.where(lower & ~upper, _height_at(contact[upper], contact) - contact[:, 1], gap)
    closing = np.where(gap > 0, gap + overlap, 0) / 2
    ring = np.arange(len(band))
    reach = np.where(ring < CONTACT_RING, CONTACT_RING, len(band) - CONTACT_RING)
    share = 1 - np.abs(ring - CONTACT_RING) / reach
    return share[:, None] * np.where(upper, -closing, closing)


def _height_at(line: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The y of a line of vertices (N, 3) at the x of each point (M, 3)."""
    order = np.argsort(line[:, 0])
    return np.interp(points[:, 0], line[order, 0], line[order, 1])


def soften_smile(draft: Draft, rings: np.ndarray) -> Draft:
    """Smooth what a smile does to the cheeks: in the source a sharp ridge stands beside each corner of the mouth."""
    free = draft.part == PARTS.index("skin")
    free[draft.at(rings)] = False
    deltas = draft.deltas.copy()
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        delta = deltas[arkit.INDEX[name]]
        delta[:] = np.stack([smoothed(axis, draft.faces, free, _SMILE_ROUNDS) for axis in delta.T], 1)
    return replace(draft, deltas=deltas)


def close_lids_exactly(draft: Draft, ring: np.ndarray) -> Draft:
    """Let eyeBlink end where the lids meet: in the source they meet at 0.75 and then pass through each other.

    The upper lid's motion is scaled column by column, as a function of x alone, so that its edge comes to rest on
    the lower lid; lashes go with it. The right eye, being the mirror image, is scaled alike.
    """
    place = draft.at(ring)
    blink = draft.deltas[arkit.INDEX["eyeBlinkLeft"]]
    edge, motion = draft.vertices[place], blink[place]
    falling = motion[:, 1] < -0.004
    lower = edge[motion[:, 1] > -0.0002]
    lower = lower[np.argsort(lower[:, 0])]
    drop = edge[falling, 1] - np.interp(edge[falling, 0] + motion[falling, 0], lower[:, 0], lower[:, 1])
    scale = np.clip((drop + _LID_OVERLAP) / -motion[falling, 1], *_LID_SCALE_RANGE)
    order = np.argsort(edge[falling, 0])
    knots, scale = edge[falling, 0][order], scale[order]
    deltas = draft.deltas.copy()
    for side, sign in (("Left", 1), ("Right", -1)):
        index = arkit.INDEX[f"eyeBlink{side}"]
        deltas[index] *= np.interp(sign * draft.vertices[:, 0], knots, scale)[:, None]
        deltas[index] += _drooping_lashes(draft, sign)
    return replace(draft, deltas=deltas)


def _drooping_lashes(draft: Draft, side: int) -> np.ndarray:
    """(V, 3) what turns the upper lashes of one side down as the lid shuts: the source leaves them pointing up."""
    lashes = np.flatnonzero(draft.part == PARTS.index("lashes"))
    lashes = lashes[side * draft.vertices[lashes, 0] > 0]
    upper = lashes[np.abs(draft.deltas[arkit.INDEX["eyeWideLeft" if side > 0 else "eyeWideRight"], lashes, 1]) > 1e-3]
    away, _ = cKDTree(draft.vertices[draft.part == PARTS.index("skin")]).query(draft.vertices[upper])
    droop = np.zeros_like(draft.vertices)
    droop[upper] = np.outer(away / away.max(), _LASH_DROOP)
    return droop


def follow_gaze(draft: Draft, eye_height: float) -> Draft:
    """Let the lids follow the eyeballs as far as those turn; `eye_height` is the y of their centres."""
    upper = 1 / (1 + np.exp(-(draft.vertices[:, 1] - eye_height) / _LID_BLEND))
    deltas = draft.deltas.copy()
    for stem, (above, below) in _GAZE_SCALE.items():
        for side in ("Left", "Right"):
            deltas[arkit.INDEX[stem + side]] *= (below + (above - below) * upper)[:, None]
    return replace(draft, deltas=deltas)
