"""`SourceHead`: somebody's head as its file holds it, before talker knows its units, its parts or its landmarks."""

from dataclasses import dataclass, field

import numpy as np

MAX_VERTICES = 200_000  # 52 shapes of this many vertices are 125 MB.


@dataclass(frozen=True)
class SourceHead:
    """A head out of a stranger's file, in that file's units and axes.

    Attributes:
        vertices: (V, 3) float64.
        faces: (F, 3) int64.
        deltas: (V, 3) float32 for each ARKit shape the file has.
        labels: (V,) index into `part_names`.
        part_names: What the pieces are by name: "left_eye", "teeth", ..., or "" (see `shape_names.part_of_name`).
        follow: (V,) how far each vertex follows the head, from its bone weights; NaN where the file does not say.
        joints: Where the file has joints for "head", "left_eye", "right_eye": their places (3,).
    """

    vertices: np.ndarray
    faces: np.ndarray
    deltas: dict[str, np.ndarray]
    labels: np.ndarray
    part_names: tuple[str, ...]
    follow: np.ndarray
    joints: dict[str, np.ndarray] = field(default_factory=dict)

    def part(self, name: str) -> np.ndarray:
        """(V,) whether a vertex belongs to a piece of that name."""
        return np.isin(self.labels, [i for i, other in enumerate(self.part_names) if other == name])

    def welded(self) -> "SourceHead":
        """Vertices that files split at seams (same place, same piece, same motion) joined again."""
        motion = np.zeros(len(self.vertices))
        for number, delta in enumerate(self.deltas.values()):
            motion += delta.astype(float) @ np.cos(number * 3.0 + np.array([1.0, 2.0, 3.0]))  # Differs if deltas do.
        rows = np.column_stack([self.labels, self.vertices, motion, np.nan_to_num(self.follow, nan=-1.0)])
        _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)
        place = np.empty(len(order), int)
        place[order] = np.arange(len(order))
        return self._renumbered(first[order], place[inverse.reshape(-1)][self.faces])

    def above(self, height: float) -> "SourceHead":
        """The part of it with y above `height`."""
        inside = (self.vertices[:, 1] > height)[self.faces].any(axis=1)
        used, faces = np.unique(self.faces[inside], return_inverse=True)
        return self._renumbered(used, faces.reshape(-1, 3))

    def piece_of_vertex(self) -> np.ndarray:
        """(V,) number of the connected piece each vertex belongs to."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        ends = (self.faces[:, [0, 1]].ravel(), self.faces[:, [1, 2]].ravel())
        links = coo_matrix((np.ones(len(ends[0]), bool), ends), shape=(len(self.vertices),) * 2)
        return connected_components(links, directed=False)[1]

    def _renumbered(self, kept: np.ndarray, faces: np.ndarray) -> "SourceHead":
        apart = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
        return SourceHead(
            self.vertices[kept],
            faces[apart],
            {name: delta[kept] for name, delta in self.deltas.items()},
            self.labels[kept],
            self.part_names,
            self.follow[kept],
            self.joints,
        )
