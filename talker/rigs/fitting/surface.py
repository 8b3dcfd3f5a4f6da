"""Triangle surfaces: nearest points, normals, and a skin that stretches onto another one."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

_SAME_SIDE = 0.5  # Cosine between the normals of two skins that may correspond.
_CANDIDATES = 16  # Faces with the nearest centres, among which the nearest face is looked for.


@dataclass(frozen=True)
class SurfacePoints:
    """Points on the faces of a mesh: (N,) face numbers and (N, 3) barycentric weights."""

    faces: np.ndarray
    weights: np.ndarray

    def on(self, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
        """Where they are on posed vertices: (..., V, 3), (F, 3) -> (..., N, 3)."""
        return (vertices[..., triangles[self.faces], :] * self.weights[:, :, None]).sum(-2)

    def mixture(self, triangles: np.ndarray, vertex_count: int) -> sparse.csr_matrix:
        """(N, V) the same as a matrix."""
        rows = np.repeat(np.arange(len(self.faces)), 3)
        columns = triangles[self.faces].ravel()
        return sparse.csr_matrix((self.weights.ravel(), (rows, columns)), shape=(len(self.faces), vertex_count))


class Surface:
    """A triangle mesh that can be asked for the point nearest to others."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        self.vertices, self.triangles = vertices, triangles
        self.corners = vertices[triangles]
        self.normals = face_normals(self.corners)
        self.border = _border_edges(triangles)
        self._tree = cKDTree(self.corners.mean(1))

    def nearest(self, points: np.ndarray) -> tuple[SurfacePoints, np.ndarray]:
        """The surface points nearest to (N, 3) points, and their (N, 3) positions."""
        _, candidates = self._tree.query(points, k=min(_CANDIDATES, len(self.triangles)))
        candidates = candidates.reshape(len(points), -1)
        weights = _nearest_in_triangles(points[:, None], self.corners[candidates])
        positions = (self.corners[candidates] * weights[..., None]).sum(-2)
        best = np.argmin(((positions - points[:, None]) ** 2).sum(-1), axis=1)
        rows = np.arange(len(points))
        return SurfacePoints(candidates[rows, best], weights[rows, best]), positions[rows, best]

    def on_border(self, points: SurfacePoints) -> np.ndarray:
        """(N,) whether a point lies on an edge that only one face has: beyond it the surface is missing."""
        outside = points.weights < 1e-6
        # Edge k of a face lies opposite its corner k.
        return (outside & self.border[points.faces]).any(1)


def face_normals(corners: np.ndarray) -> np.ndarray:
    """(F, 3, 3) corners -> (F, 3) unit normals."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-20)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, the mean of the adjacent faces by area."""
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], normals)
    return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-20)


def corresponding(
    vertices: np.ndarray, triangles: np.ndarray, surface: Surface, reach: float
) -> tuple[SurfacePoints, np.ndarray, np.ndarray]:
    """For each of a mesh's vertices the nearest point of a surface, its position, and whether to trust it, 1 or 0.

    It is trusted within reach (metres), where both face the same way, and where the surface does not just end there.
    """
    found, positions = surface.nearest(vertices)
    near = np.linalg.norm(positions - vertices, axis=1) < reach
    alike = (vertex_normals(vertices, triangles) * surface.normals[found.faces]).sum(1) > _SAME_SIDE
    return found, positions, (near & alike & ~surface.on_border(found)).astype(float)


def similarity(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, (3, 3) rotation and (3,) shift that bring source nearest to target (Umeyama 1991)."""
    share = (weights / weights.sum())[:, None]
    from_mean, to_mean = (share * source).sum(0), (share * target).sum(0)
    centred, aimed = source - from_mean, target - to_mean
    left, values, right = np.linalg.svd((share * aimed).T @ centred)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    turn = (left * flip) @ right
    scale = float((values * flip).sum() / (share * centred**2).sum())
    return scale, turn, to_mean - scale * turn @ from_mean


class StretchySkin:
    """A mesh that is pulled towards targets but resists bending.

    Only differences from the neighbours' mean motion cost anything, so that a whole region may grow, shrink or turn
    freely: resisting stretch as well leaves twice the error between faces of different proportions.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        self.rest = vertices
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        both = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
        links = sparse.csr_matrix((np.ones(len(both)), both.T), shape=(len(vertices), len(vertices)))
        mean = sparse.diags(1 / np.asarray(links.sum(1)).ravel()) @ links
        curvature = sparse.identity(len(vertices)) - mean
        self._bending = (curvature.T @ curvature).tocsc()

    def pulled(
        self, targets: np.ndarray, weights: np.ndarray, stiffness: float, pins: "Pins | None" = None
    ) -> np.ndarray:
        """(V, 3) positions nearest to the (V, 3) targets, weighted, and to the pins' places."""
        system = sparse.diags(weights + 1e-9) + stiffness * self._bending
        right = weights[:, None] * (targets - self.rest)
        if pins is not None:
            weighted = pins.mix.T.multiply(pins.trust).tocsr()
            system = system + weighted @ pins.mix
            right = right + weighted @ (pins.places - pins.mix @ self.rest)
        return self.rest + splu(system.tocsc()).solve(right)


@dataclass(frozen=True)
class Pins:
    """Points of a mesh with known places: (P, V) mixtures of its vertices, (P, 3) places, (P,) weights."""

    mix: sparse.csr_matrix
    places: np.ndarray
    trust: np.ndarray

    def doubted(self, vertices: np.ndarray, believable: float) -> "Pins":
        """The same with less weight where the mesh is further from the place than is believable, metres."""
        distance = np.linalg.norm(self.mix @ vertices - self.places, axis=1)
        return replace(self, trust=self.trust / (1 + (distance / believable) ** 4))


def _border_edges(triangles: np.ndarray) -> np.ndarray:
    """(F, 3) whether the edge opposite each corner belongs to one face only."""
    edges = np.stack([triangles[:, [1, 2]], triangles[:, [2, 0]], triangles[:, [0, 1]]], 1)
    _, inverse, counts = np.unique(np.sort(edges.reshape(-1, 2)), axis=0, return_inverse=True, return_counts=True)
    return (counts[inverse.ravel()] == 1).reshape(-1, 3)


def _nearest_in_triangles(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Barycentric weights of the nearest point of each triangle: (..., 3), (..., 3, 3) -> (..., 3)."""
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = (d00 * d11 - d01 * d01).clip(1e-30)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    inside = np.stack([1 - v - w, v, w], -1)
    # Outside the triangle the nearest point lies on one of its edges: try all three.
    on_ab = (d20 / d00.clip(1e-30)).clip(0, 1)
    on_ac = (d21 / d11.clip(1e-30)).clip(0, 1)
    bc, bp = c - b, points - b
    on_bc = ((bp * bc).sum(-1) / (bc * bc).sum(-1).clip(1e-30)).clip(0, 1)
    zero = np.zeros_like(v)
    edges = np.stack(
        [
            np.stack([1 - on_ab, on_ab, zero], -1),
            np.stack([1 - on_ac, zero, on_ac], -1),
            np.stack([zero, 1 - on_bc, on_bc], -1),
        ],
        -2,
    )
    places = edges @ corners
    best = np.argmin(((places - points[..., None, :]) ** 2).sum(-1), -1)
    nearest_edge = np.take_along_axis(edges, best[..., None, None], -2)[..., 0, :]
    return np.where((inside >= 0).all(-1, keepdims=True), inside, nearest_edge)
