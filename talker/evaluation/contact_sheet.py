"""Landmarks beside the solved head, many moments on one sheet: what numbers do not show."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from talker.files import atomic_output
from talker.render.portrait import Camera, Portrait
from talker.render.stills import sheet
from talker.rigs import landmark_numbers as face
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.solve import Solution

_MOMENTS = 32
_COLUMNS = 4
_PIXELS = 256
_PAPER = (24, 26, 30)
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10),
)
_LINES: tuple[tuple[tuple[int, ...], tuple[int, int, int]], ...] = (
    (_OVAL, (110, 110, 120)),
    ((168, 6, 197, 195, 5, 4, 1, 19, 94, 2), (150, 150, 160)),
    ((98, 97, 2, 326, 327), (150, 150, 160)),
    *((face.BROWS[side][:5], (255, 200, 120)) for side in face.BROWS),
    *(((c[0], *face.LIDS_UPPER[side], c[1]), (120, 200, 255)) for side, c in face.EYE_CORNERS.items()),
    *(((c[0], *face.LIDS_LOWER[side], c[1]), (120, 200, 255)) for side, c in face.EYE_CORNERS.items()),
    ((*face.OUTER_LIPS, 61), (255, 120, 120)),
    ((78, *face.INNER_LIPS_UPPER, 308), (255, 170, 170)),
    ((78, *face.INNER_LIPS_LOWER, 308), (255, 170, 170)),
)


def write_contact_sheet(solved: Sequence[tuple[LandmarkTrack, Solution]], head: HeadMesh, path: Path) -> None:
    """Moments spread over all clips, each at another share of its clip."""
    portrait, camera = Portrait(head), Camera.for_head(head)
    pictures, labels = [], []
    for number, clip in enumerate(np.linspace(0, len(solved) - 1, _MOMENTS).astype(int)):
        track, solution = solved[clip]
        frames = np.flatnonzero(track.found)
        frame = int(frames[int((0.15 + 0.7 * (number * 0.618 % 1)) * (len(frames) - 1))])
        posed = head.vertices(torch.tensor(np.array(solution.animation.curves[frame])))
        drawn = portrait.draw(posed, camera, _PIXELS)
        pictures.append(np.concatenate([draw_landmarks(track, frame, _PIXELS), drawn], axis=1))
        labels.append(f"{track.name} {frame}")
    with atomic_output(path) as temporary:
        Image.fromarray(sheet(pictures, labels, _COLUMNS)).save(temporary, format="PNG", optimize=True)


def draw_landmarks(track: LandmarkTrack, frame: int, size: int) -> np.ndarray:
    """(size, size, 3) uint8: the landmarks of one frame as lines, eyes a third of the picture apart."""
    image = Image.new("RGB", (size, size), _PAPER)
    draw = ImageDraw.Draw(image)
    points = track.points()[frame, :, :2]
    unit = np.linalg.norm(points[33] - points[263])
    centre = 0.4 * points[[33, 263]].mean(0) + 0.6 * points[4]
    points = (points - centre) / unit * size * 0.36 * [1, -1] + size / 2
    for landmarks, colour in _LINES:
        seen = [tuple(points[k]) for k in landmarks if np.isfinite(points[k]).all()]
        draw.line(seen, fill=colour, width=2)
    for iris in face.IRIS.values():
        x, y = points[iris]
        draw.ellipse([x - 4, y - 4, x + 4, y + 4], outline=(120, 255, 120))
    return np.asarray(image)
