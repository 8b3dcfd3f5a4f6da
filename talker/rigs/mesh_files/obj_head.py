"""Reading somebody's head out of a folder of OBJ files: the neutral face and one file per shape, named for it."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from talker.errors import TalkerError
from talker.files import read_bytes
from talker.rigs.mesh_files.shape_names import find_shapes, part_of_name
from talker.rigs.mesh_files.source_head import MAX_VERTICES, SourceHead

_MAX_FILE_BYTES = 1 << 27
_NEUTRAL_NAMES = ("neutral", "basis", "base", "rest", "default", "head")


def read_obj_folder(folder: Path) -> SourceHead:
    """Read `neutral.obj` (or basis, base, rest, ...) and the shapes beside it; ICT-FaceKit's halves are added up."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".obj")
    if not files:
        raise TalkerError(f"{folder} holds no .obj files; give a folder with neutral.obj and one file per shape")
    neutral = _neutral_file(folder, files)
    lines = _lines(neutral)
    vertices = _vertices(neutral, lines)
    faces, labels, names = _faces(neutral, lines, len(vertices))
    deltas = {}
    for shape, places in find_shapes([path.stem for path in files]).items():
        moved = np.zeros(vertices.shape)
        for path in (files[place] for place in places):
            other = _vertices(path, _lines(path))
            if len(other) != len(vertices):
                raise TalkerError(
                    f"{path} has {len(other)} vertices but {neutral.name} has {len(vertices)}; "
                    "export both with the same vertices in the same order"
                )
            moved += other - vertices
        deltas[shape] = moved.astype(np.float32)
    return SourceHead(vertices, faces, deltas, labels, names, np.full(len(vertices), np.nan))


def _neutral_file(folder: Path, files: list[Path]) -> Path:
    for name in _NEUTRAL_NAMES:
        for path in files:
            if path.stem.lower() == name:
                return path
    for path in files:
        if "neutral" in path.stem.lower():
            return path
    raise TalkerError(f"{folder} holds no resting face; name it neutral.obj")


def _lines(path: Path) -> list[str]:
    return read_bytes(path, _MAX_FILE_BYTES).decode("utf-8", "replace").splitlines()


def _vertices(path: Path, lines: list[str]) -> np.ndarray:
    """(V, 3), in the order of the file: readers that split or sort vertices would tear the shapes apart."""
    rows = [line[2:] for line in lines if line.startswith(("v ", "v\t"))]
    if not 3 <= len(rows) <= MAX_VERTICES:
        raise TalkerError(f"{path} has {len(rows)} vertices; talker reads heads of 3 to {MAX_VERTICES}")
    try:
        vertices = np.array(" ".join(rows).split(), float).reshape(len(rows), -1)[:, :3]  # Colours may follow.
    except ValueError:
        vertices = np.empty((0, 0))
    if vertices.shape[1] != 3 or not (np.abs(vertices) < 1e30).all():  # Also refuses NaN.
        raise TalkerError(f"{path}: its vertices are not three numbers each; export it again")
    return vertices


def _faces(path: Path, lines: list[str], count: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Triangles, and of each vertex the piece it belongs to by group, object or material name."""
    triangles: list[tuple[int, int, int]] = []
    names = [""]
    labels = np.zeros(count, int)
    label = 0
    for number, line in enumerate(lines, 1):
        word, _, rest = line.partition(" ")
        if word in ("g", "o", "usemtl"):
            part = part_of_name(rest)
            name = part if part not in (None, "head") else ""
            if name not in names:
                names.append(name)
            label = names.index(name)
        elif word == "f":
            corners = _corners(path, number, rest, count)
            triangles += [(corners[0], a, b) for a, b in pairwise(corners[1:])]
            labels[corners] = label
    if not triangles:
        raise TalkerError(f"{path} has no faces; export the mesh with its faces")
    return np.array(triangles), labels, tuple(names)


def _corners(path: Path, number: int, rest: str, count: int) -> list[int]:
    try:
        indices = [int(corner.partition("/")[0]) for corner in rest.split()]
    except ValueError:
        indices = []
    corners = [index - 1 if index > 0 else count + index for index in indices]
    if len(corners) < 3 or not all(0 <= corner < count for corner in corners):
        raise TalkerError(f"{path}, line {number}: not a face of its {count} vertices; export it again")
    return corners
