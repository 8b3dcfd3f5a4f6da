"""What the source's shapes need before lips and lids close: each function mends one fault of it.

Vertex numbers are those of MakeHuman's hm08 base mesh, which never change. Its lips are a band of quads around the
mouth: rings of 38 vertices, from the border of the vermilion inwards, whose n-th vertices lie in one column.
"""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from talker.rigs import arkit
from talker.rigs.head_draft import Draft, edge_loop

# First edges of the lip rings, from the middle of the upper lip towards the subject's left.
_LIP_RING_STARTS = (455, 466, 467, 509, 468, 474, 520, 537)
CONTACT_RING = 5
"""Of the lip rings: the one along which the lips touch."""
_LIP_OVERLAP = 0.0002  # Metres by which the resting lips overlap, so that no light passes.

# The first vertex, upper and in the middle, of the ring along the front edge of the left lids.
_LEFT_LID_RING_START = 6785
_LID_OVERLAP = 0.0004
_LID_SCALE_RANGE = (0.55, 1.1)


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


def close_resting_lips(draft: Draft, rings: np.ndarray) -> Draft:
    """Let the resting lips touch: the source leaves a gap of up to 1 mm that reads as a slightly open mouth.

    Each column of the lips moves by half the gap at the contact ring, less towards the vermilion and the inside.
    """
    place = draft.at(rings)
    contact = draft.vertices[place[CONTACT_RING]]
    columns = rings.shape[1]
    opposite = contact[-np.arange(columns) % columns]
    # A column and its opposite need not stand over each other exactly: read the other lip's height at this x.
    gap = np.zeros(columns)
    for index, (x, y, _) in enumerate(contact):
        upper = y >= opposite[index, 1]
        other = _lip_line(contact, upper=not upper)
        gap[index] = np.interp(x, other[:, 0], other[:, 1]) - y
    depth = np.abs(np.arange(len(rings)) - CONTACT_RING)
    reach = np.where(np.arange(len(rings)) < CONTACT_RING, CONTACT_RING, len(rings) - CONTACT_RING)
    share = np.clip(1 - depth / reach, 0, 1)
    half = gap / 2 + np.sign(gap) * _LIP_OVERLAP / 2
    vertices = draft.vertices.copy()
    vertices[place, 1] += share[:, None] * half
    return replace(draft, vertices=vertices)


def _lip_line(contact: np.ndarray, upper: bool) -> np.ndarray:
    """The vertices of one lip, corner to corner, by rising x."""
    corner, other = int(np.argmax(contact[:, 0])), int(np.argmin(contact[:, 0]))
    index = np.arange(len(contact))
    chosen = (index <= corner) | (index >= other) if upper else (index >= corner) & (index <= other)
    line = contact[chosen]
    return line[np.argsort(line[:, 0])]


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
    return replace(draft, deltas=deltas)
