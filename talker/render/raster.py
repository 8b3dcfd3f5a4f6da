"""Which triangle each sample of a picture shows, and how light falls on it: the compiled inner loops.

Every function here is compiled by numba, runs on one core and releases the interpreter lock, so that several pictures
can be drawn at once in threads. Pictures are rows from the top; a sample's centre lies at + 0.5.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit

NOTHING = -1
"""What `visible_faces` holds where no face is seen."""

SKIN, EYE, TEETH, TONGUE, LASHES, MOUTH = range(6)
"""Materials."""

# Columns of the per-vertex attributes that shading interpolates.
NORMAL, REST, OCCLUSION, PAINTED = 0, 3, 6, 7

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile for one core, without the interpreter lock; the machine code is kept for the next start."""
    machine_code: Any = njit(cache=True, nogil=True, fastmath=True, error_model="numpy")(function)
    return machine_code


@compiled
def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals: the faces around a vertex, weighted by their area."""
    normals = np.zeros_like(vertices)
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
        bx, by, bz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(len(normals)):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        scale = 1.0 / max(np.sqrt(x * x + y * y + z * z), 1e-20)
        normals[v, 0] = x * scale
        normals[v, 1] = y * scale
        normals[v, 2] = z * scale
    return normals


@compiled
def visible_faces(screen: np.ndarray, faces: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The face nearest to the viewer at every sample, and its depth.

    screen is (V, 3): x and y in samples, z the distance. Faces seen from behind are left out.
    Returns (height, width) int32 face indices and float32 depths.
    """
    nearest = np.full((height, width), NOTHING, np.int32)
    depth = np.full((height, width), np.inf, np.float32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = screen[a, 0], screen[a, 1], screen[a, 2]
        bx, by, bz = screen[b, 0], screen[b, 1], screen[b, 2]
        cx, cy, cz = screen[c, 0], screen[c, 1], screen[c, 2]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area >= 0.0:  # y points down here, so a face seen from outside runs clockwise.
            continue
        left, right = max(int(np.ceil(min(ax, bx, cx) - 0.5)), 0), min(int(max(ax, bx, cx) - 0.5), width - 1)
        top, bottom = max(int(np.ceil(min(ay, by, cy) - 0.5)), 0), min(int(max(ay, by, cy) - 0.5), height - 1)
        scale = 1.0 / area
        step0, step1 = -(cy - by) * scale, -(ay - cy) * scale
        for y in range(top, bottom + 1):
            w0 = ((cx - bx) * (y + 0.5 - by) - (left + 0.5 - bx) * (cy - by)) * scale
            w1 = ((ax - cx) * (y + 0.5 - cy) - (left + 0.5 - cx) * (ay - cy)) * scale
            for x in range(left, right + 1):
                if w0 >= 0.0 and w1 >= 0.0 and w0 + w1 <= 1.0:
                    z = w0 * az + w1 * bz + (1.0 - w0 - w1) * cz
                    if z < depth[y, x]:
                        depth[y, x] = z
                        nearest[y, x] = f
                w0 += step0
                w1 += step1
    return nearest, depth


@compiled
def interpolate(
    screen: np.ndarray, faces: np.ndarray, f: int, values: np.ndarray, x: int, y: int, out: np.ndarray
) -> None:
    """Mix the values of face f's three vertices at the sample (x, y) into `out`."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay, bx, by, cx, cy = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
    scale = 1.0 / ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))
    w0 = ((cx - bx) * (y + 0.5 - by) - (x + 0.5 - bx) * (cy - by)) * scale
    w1 = ((ax - cx) * (y + 0.5 - cy) - (x + 0.5 - cx) * (ay - cy)) * scale
    w2 = 1.0 - w0 - w1
    for k in range(len(out)):
        out[k] = w0 * values[a, k] + w1 * values[b, k] + w2 * values[c, k]
