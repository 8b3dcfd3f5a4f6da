"""Name the parts of the default head's face: lips from the mesh, the rest from landmarks and from what shapes move."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh

_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)  # The subject's right brow, upper edge then lower.
_OTHER_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
_NOSE = (168, 188, 114, 129, 98, 2, 327, 358, 343, 412)
_BROW_MARGIN = 0.004  # Metres around the landmarks, which mark the hair, not the ridge it moves with.
_MOVES = 0.3  # A vertex belongs to what moves it by this share of the most moved one.


def name_regions(head: HeadMesh, rings: np.ndarray) -> dict[str, np.ndarray]:
    """Vertex indices by region; `rings` (8, 38) are the lips from their border inwards, upper middle first."""
    neutral, faces = head.neutral.numpy(), head.faces.numpy()
    skin = np.zeros(head.vertex_count, bool)
    skin[head.parts["skin"].numpy()] = True
    inside = _inside_of(faces, skin, rings[-1])
    lips = np.unique(rings)
    face = skin & ~inside
    face[lips] = False
    front = face & (neutral[:, 2] > head.eye_centres[:, 2].mean().item())
    corner, other = int(np.argmax(neutral[rings[0], 0])), int(np.argmin(neutral[rings[0], 0]))
    column = np.arange(rings.shape[1])
    landmarks = head.landmarks_of(head.neutral).numpy()[:, :2]
    brows = _within(landmarks[list(_BROW)], neutral, _BROW_MARGIN) | _within(
        landmarks[list(_OTHER_BROW)], neutral, _BROW_MARGIN
    )
    nose = front & _within(landmarks[list(_NOSE)], neutral, 0.001)
    lids = face & (_moved(head, "eyeBlinkLeft", "eyeBlinkRight") > _MOVES)
    jaw = face & (_moved(head, "jawOpen") > 0.5)
    cheeks = front & (_moved(head, "cheekPuff", "cheekSquintLeft", "cheekSquintRight") > _MOVES)
    masks = {
        "jaw": jaw,
        "brows": front & brows & ~lids,
        "lids": lids,
        "cheeks": cheeks & ~jaw & ~nose & ~lids,
        "nose": nose,
        "mouth_inside": inside,
    }
    return {
        "lips": lips,
        "lips_upper": np.unique(rings[:, (column <= corner) | (column >= other)]),
        "lips_lower": np.unique(rings[:, (column >= corner) & (column <= other)]),
        **{name: np.flatnonzero(mask) for name, mask in masks.items()},
    }


def _inside_of(faces: np.ndarray, skin: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """(V,) the skin that the innermost ring of the lips parts from the rest of the head."""
    free = skin.copy()
    free[ring] = False
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    edges = edges[free[edges].all(1)]
    links = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(skin), len(skin)))
    _, label = connected_components(links, directed=False)
    near_ring = faces[np.isin(faces, ring).any(1)].ravel()
    labels = np.unique(label[near_ring[free[near_ring]]])
    smallest = min(labels, key=lambda value: (label == value).sum())
    return free & (label == smallest)


def _within(polygon: np.ndarray, vertices: np.ndarray, margin: float) -> np.ndarray:
    """(V,) whether a vertex, seen from the front, lies in the polygon or within `margin` metres of it."""
    point = vertices[:, None, :2]
    start, end = polygon[None], np.roll(polygon, -1, axis=0)[None]
    along = end - start
    share = np.clip(((point - start) * along).sum(-1) / (along**2).sum(-1), 0, 1)
    near = np.linalg.norm(point - start - share[..., None] * along, axis=-1).min(1) <= margin
    crosses = (start[..., 1] > point[..., 1]) != (end[..., 1] > point[..., 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        left_of = point[..., 0] < start[..., 0] + (point[..., 1] - start[..., 1]) * along[..., 0] / along[..., 1]
    return near | ((crosses & left_of).sum(1) % 2 == 1)


def _moved(head: HeadMesh, *shapes: str) -> np.ndarray:
    """(V,) how far the shapes move each vertex, as a share of the furthest moved one."""
    distance = np.max([head.deltas[arkit.INDEX[name]].norm(dim=1).numpy() for name in shapes], axis=0)
    return distance / distance.max()
