"""Loop subdivision as one sparse matrix: a coarse mesh drawn with round outlines."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from talker.rigs.head_mesh import HeadMesh

_REFINED_PARTS = ("skin", "teeth_upper", "teeth_lower", "tongue")  # Eyeballs are fine spheres already, lashes are flat.


@dataclass(frozen=True)
class RefinedMesh:
    """A head's surface as it is drawn.

    Attributes:
        matrix: (V', V) float32; the first V of the finer vertices are the head's own, smoothed.
        faces: (F', 3) int32.
        face_origin: (F',) the head's face that each face is a part of.
    """

    matrix: sparse.csr_matrix
    faces: np.ndarray
    face_origin: np.ndarray

    @classmethod
    def of(cls, head: HeadMesh) -> "RefinedMesh":
        """Subdivide skin, teeth and tongue once."""
        faces = head.faces.numpy()
        refined = head.part_faces(*_REFINED_PARTS).numpy()
        plain = np.setdiff1d(np.arange(len(faces)), refined)
        matrix, quarters, origin = loop_subdivision(faces[refined], head.vertex_count)
        return cls(
            matrix.astype(np.float32),
            np.concatenate([quarters, faces[plain]]).astype(np.int32),
            np.concatenate([refined[origin], plain]),
        )

    def vertices(self, coarse: np.ndarray) -> np.ndarray:
        """The head's vertices (V, 3), however posed -> (V', 3) float32."""
        return self.matrix @ np.asarray(coarse, np.float32)


def loop_subdivision(faces: np.ndarray, count: int) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """Split every face of a mesh of `count` vertices into four.

    Returns the matrix (V', V) that makes the new vertices, of which the first V are the old ones moved; the new faces
    (4F, 3); and for each the old face it came from. Borders stay where they are in shape.
    """
    sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], -1).reshape(-1, 2), axis=1)
    edges, edge_of_side, uses = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    edge_of_side = edge_of_side.reshape(-1)
    border = uses != 2
    matrix = sparse.vstack(
        [_moved_vertices(edges, border, count), _edge_points(faces, edges, edge_of_side, border, count)]
    )
    a, b, c = faces.T
    ab, bc, ca = edge_of_side.reshape(-1, 3).T + count
    quarters = np.stack([(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]).transpose(2, 0, 1)
    return matrix.tocsr(), quarters.reshape(-1, 3), np.repeat(np.arange(len(faces)), 4)


def _edge_points(
    faces: np.ndarray, edges: np.ndarray, edge_of_side: np.ndarray, border: np.ndarray, count: int
) -> sparse.csr_matrix:
    """(E, V): 3/8 of each end and 1/8 of each opposite corner; the middle on a border."""
    opposite = np.roll(faces, -2, axis=1).reshape(-1)  # The corner across from each side.
    inner = ~border[edge_of_side]
    ends = np.where(border, 1 / 2, 3 / 8)
    rows = np.concatenate([np.arange(len(edges)), np.arange(len(edges)), edge_of_side[inner]])
    columns = np.concatenate([edges[:, 0], edges[:, 1], opposite[inner]])
    values = np.concatenate([ends, ends, np.full(inner.sum(), 1 / 8)])
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(edges), count))


def _moved_vertices(edges: np.ndarray, border: np.ndarray, count: int) -> sparse.csr_matrix:
    """(V, V): each vertex drawn towards its neighbours by Loop's weights; along the border only, on a border."""
    on_border = np.zeros(count, bool)
    on_border[edges[border]] = True
    pairs = np.concatenate([edges, edges[:, ::-1]])
    counts = np.tile(border, 2) | ~on_border[pairs[:, 0]]
    pairs = pairs[counts]
    degree = np.bincount(pairs[:, 0], minlength=count)
    around = np.maximum(degree, 1)
    beta = np.where(on_border, 1 / 8, (5 / 8 - (3 / 8 + np.cos(2 * np.pi / around) / 4) ** 2) / around)
    beta[on_border & (degree != 2)] = 0  # Where borders meet, and single vertices: stay.
    stay = 1 - beta * degree
    links = sparse.csr_matrix((beta[pairs[:, 0]], pairs.T), shape=(count, count))
    return links + sparse.diags(stay)
