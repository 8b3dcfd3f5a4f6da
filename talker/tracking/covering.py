"""Whether the mouth can be seen: behind any hand or microphone the landmarker draws one, and is sure of it.

So the picture itself is asked. Lips, chin and the skin around them keep their colours while a face talks, relative to
the skin below the eyes; what is in front of them has others. On GRID's films at most 2 % of the points ever look
unusual, and more than 25 % once a box, a hand of the same skin or a microphone covers half of the mouth.
"""

from itertools import pairwise

import numpy as np

from talker.rigs.landmark_numbers import OUTER_LIPS

_LIPS = (
    *OUTER_LIPS,
    *(76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 307, 320, 404, 315, 16, 85, 180, 90, 77),
)
_AROUND = (
    *(18, 200, 199, 83, 313, 106, 335, 43, 273, 57, 287, 164, 165, 391, 92, 322, 186, 410, 212, 432),
    *(202, 422, 204, 424, 182, 406),
)
_COMPARED_WITH = (6, 197, 195, 5, 117, 346, 118, 347, 50, 280, 101, 330, 119, 348)
_POINTS = np.array(_LIPS + _AROUND + _COMPARED_WITH)
_MOUTH_COUNT = len(_LIPS) + len(_AROUND)
POINT_COUNT = len(_POINTS)

_REACH = 0.025  # Eye distances on either side of a point over which its colour is averaged.
_DARKEST = 8.0  # Added to every colour, of 255: in the dark noise is no colour.
_UNUSUAL = 0.35  # Natural logarithm of a ratio of colours ...
_UNUSUAL_RATIO = 3.0  # ... on top of so many times how much the point varies ...
_CALM_PERCENTILE = 25.0  # ... in calm frames, which are not covered if most are not.
_COVERED_SHARE = 0.15
_SHOT_SECONDS = 60.0  # Light may change over longer stretches than this.


def colours_of(pixels: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(K, 3) uint8 colours of an upright picture (h, w, 3) around the mouth of a face (478, 2) in its pixels."""
    reach = max(1, round(_REACH * float(np.linalg.norm(face[33, :2] - face[263, :2]))))
    window = np.arange(-reach, reach + 1)
    centre = np.rint(face[_POINTS, :2]).astype(int)[:, :, None, None]
    rows = np.clip(centre[:, 1] + window[:, None], 0, pixels.shape[0] - 1)
    columns = np.clip(centre[:, 0] + window, 0, pixels.shape[1] - 1)
    return pixels[rows, columns].mean((1, 2)).astype(np.uint8)


def covered_frames(colours: np.ndarray, found: np.ndarray, cuts: np.ndarray, fps: float) -> np.ndarray:
    """(T,) bool: something is in front of the mouth; colours (T, K, 3), found and cuts (T,) bool.

    What a shot shows most of the time is taken for the mouth, so one that is covered throughout goes unnoticed.
    """
    out = np.zeros(len(found), bool)
    longest = max(1, round(_SHOT_SECONDS * fps))
    edges = [0, *np.flatnonzero(cuts), len(found)]
    for begin, end in pairwise(edges):
        count = -(-(end - begin) // longest)
        for part in np.array_split(np.arange(begin, end), count) if count else ():
            seen = part[found[part]]
            if len(seen):
                out[seen] = _unusual(colours[seen])
    return out


def _unusual(colours: np.ndarray) -> np.ndarray:
    """(T, K, 3) of one shot -> (T,) bool."""
    tone = np.log(colours + _DARKEST)
    tone = tone[:, :_MOUTH_COUNT] - np.median(tone[:, _MOUTH_COUNT:], axis=1, keepdims=True)
    away = np.linalg.norm(tone - np.median(tone, axis=0), axis=-1)
    limit = _UNUSUAL + _UNUSUAL_RATIO * np.percentile(away, _CALM_PERCENTILE, axis=0)
    return (away > limit).mean(1) > _COVERED_SHARE
