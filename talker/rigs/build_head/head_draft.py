"""A head in the making, and the mesh operations that the build of the default head needs."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy import sparse

NEW = -1
"""Origin of a vertex that the source does not have."""


@dataclass(frozen=True)
class Draft:
    """A head in the making: metres, y up, face to +z.

    Attributes:
        vertices: (V, 3).
        faces: (F, 3).
        part: (V,) index into `PARTS`.
        deltas: (52, V, 3) in the order of `arkit.SHAPES`.
        follow: (V,) how far the vertex follows the head.
        origin: (V,) number of the vertex in MakeHuman's base mesh, or `NEW`.
    """

    vertices: np.ndarray
    faces: np.ndarray
    part: np.ndarray
    deltas: np.ndarray
    follow: np.ndarray
    origin: np.ndarray

    def at(self, origin: np.ndarray) -> np.ndarray:
        """Where the vertices with these source numbers are now; any shape."""
        order = np.argsort(self.origin)
        place = np.searchsorted(self.origin, origin, sorter=order)
        found = order[np.minimum(place, len(order) - 1)]
        if (self.origin[found] != origin).any():
            raise ValueError("a source vertex is no longer part of the head")
        return found

    def kept(self, keep: np.ndarray) -> "Draft":
        """Only the vertices of the mask (V,), and the faces among them."""
        number = np.cumsum(keep) - 1
        return Draft(
            self.vertices[keep],
            number[self.faces[keep[self.faces].all(1)]],
            self.part[keep],
            self.deltas[:, keep],
            self.follow[keep],
            self.origin[keep],
        )

    def joined(self, vertices: np.ndarray, faces: np.ndarray, part: int, follow: float) -> "Draft":
        """With another piece added that no shape moves."""
        count = len(vertices)
        return Draft(
            np.concatenate([self.vertices, vertices]),
            np.concatenate([self.faces, faces + len(self.vertices)]),
            np.concatenate([self.part, np.full(count, part)]),
            np.concatenate([self.deltas, np.zeros((len(self.deltas), count, 3))], axis=1),
            np.concatenate([self.follow, np.full(count, follow)]),
            np.concatenate([self.origin, np.full(count, NEW)]),
        )

    def clipped(self, height: np.ndarray) -> "Draft":
        """What lies above height 0, given every vertex' height (V,): faces that cross it are cut straight."""
        edges: dict[tuple[int, int], int] = {}
        faces = []
        for face in self.faces:
            polygon = []
            for i, j in zip(face.tolist(), np.roll(face, -1).tolist(), strict=True):
                if height[i] >= 0:
                    polygon.append(i)
                if height[i] * height[j] < 0:
                    polygon.append(edges.setdefault((min(i, j), max(i, j)), len(height) + len(edges)))
            faces += [[polygon[0], polygon[k], polygon[k + 1]] for k in range(1, len(polygon) - 1)]
        pairs = np.array(list(edges), dtype=int).reshape(-1, 2)
        share = height[pairs[:, 0]] / (height[pairs[:, 0]] - height[pairs[:, 1]])

        def extended(values: np.ndarray) -> np.ndarray:
            weight = share.reshape(-1, *[1] * (values.ndim - 1))
            return np.concatenate([values, values[pairs[:, 0]] * (1 - weight) + values[pairs[:, 1]] * weight])

        everything = Draft(
            extended(self.vertices),
            np.array(faces),
            np.concatenate([self.part, self.part[pairs[:, 0]]]),
            extended(self.deltas.swapaxes(0, 1)).swapaxes(0, 1),
            extended(self.follow),
            np.concatenate([self.origin, np.full(len(pairs), NEW)]),
        )
        used = np.zeros(len(everything.vertices), bool)
        used[everything.faces] = True
        return everything.kept(used)


def triangulate(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Split every quad along its shorter diagonal: (Q, 4) -> (2Q, 3). Mirror images split alike."""
    a, b, c, d = vertices[quads.T]
    along_ac = np.linalg.norm(a - c, axis=1) <= np.linalg.norm(b - d, axis=1)
    split_ac, split_bd = quads[:, [[0, 1, 2], [0, 2, 3]]], quads[:, [[0, 1, 3], [1, 2, 3]]]
    return np.where(along_ac[:, None, None], split_ac, split_bd).reshape(-1, 3)


def edge_loop(quads: np.ndarray, first: int, second: int) -> np.ndarray:
    """Follow an edge straight on through a quad mesh until it closes: the vertices of the ring, in order."""
    faces_of, neighbours = defaultdict(set), defaultdict(set)
    for number, quad in enumerate(quads.tolist()):
        for i, j in zip(quad, quad[1:] + quad[:1], strict=True):
            faces_of[frozenset((i, j))].add(number)
            neighbours[i].add(j)
            neighbours[j].add(i)
    ring = [first, second]
    while True:
        here, beside = ring[-1], faces_of[frozenset(ring[-2:])]
        onward = [n for n in neighbours[here] if n != ring[-2] and not faces_of[frozenset((here, n))] & beside]
        if len(onward) != 1:
            raise ValueError(f"the edge loop from {first} to {second} ends at vertex {here}")
        if onward[0] == first:
            return np.array(ring)
        ring += onward


def boundary_loop(faces: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """The closed chain of boundary edges whose ends are candidates (V,), in the direction of its faces."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    forward = {(int(i), int(j)) for i, j in edges[candidate[edges].all(1)]}
    following = {i: j for i, j in forward if (j, i) not in forward}
    loop = [min(following)]
    while (step := following[loop[-1]]) != loop[0]:
        loop.append(step)
    if len(loop) != len(following):
        raise ValueError("the boundary is not one closed loop")
    return np.array(loop)


def smoothed(values: np.ndarray, faces: np.ndarray, free: np.ndarray, rounds: int) -> np.ndarray:
    """Average each free vertex (mask) with its neighbours, again and again. (V,) -> (V,)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    links = sparse.csr_matrix((np.ones(len(both)), both.T), shape=(len(values), len(values)))
    degree = np.maximum(np.asarray(links.sum(1)).ravel(), 1)
    for _ in range(rounds):
        values = np.where(free, 0.5 * values + 0.5 * (links @ values) / degree, values)
    return values
