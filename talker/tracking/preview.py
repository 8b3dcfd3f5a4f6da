"""The video and the solved head side by side."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from talker.animation import FaceAnimation
from talker.export.registry import ExportOptions
from talker.export.video import encode, fitting_sound
from talker.files import atomic_output
from talker.render.film import Film
from talker.render.portrait import portrait_of
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.video import Picture, read_pictures

_MARGIN = 1.5  # The picture's side, of the face's height.


def write_preview(video: Path, track: LandmarkTrack, take: FaceAnimation, path: Path, options: ExportOptions) -> None:
    """Write an MP4: the face cut out of the video on the left, the head on the right, with the sound."""
    film = Film(take, portrait_of(options.head), options.size, options.side_view, options.curve_strip)
    side = options.size + options.size % 2
    box = _box(track)

    def frames() -> Iterator[np.ndarray]:
        for picture, drawn in zip(_at_rate(read_pictures(video, 4 * side), take), film.frames(), strict=False):
            left = np.zeros((film.height, side, 3), np.uint8)
            left[:side] = _cut_out(picture, box, side)
            yield np.concatenate([left, drawn], axis=1)

    with atomic_output(path) as temporary:
        encode(temporary, frames(), side + film.width, film.height, take.fps, fitting_sound(take))


def _at_rate(pictures: Iterator[Picture], take: FaceAnimation) -> Iterator[Picture]:
    """For each frame of the take the last picture shown by then."""
    current = next(pictures)
    following = next(pictures, None)
    for seconds in take.times:
        while following is not None and following.seconds <= seconds + 0.25 / take.fps:
            current, following = following, next(pictures, None)
        yield current


def _box(track: LandmarkTrack) -> tuple[float, float, float]:
    """Centre and side of the square that holds the face throughout, in pixels of the original."""
    seen = track.landmarks[track.found][..., :2]
    low, high = seen.min(1), seen.max(1)
    centre = np.median((low + high) / 2, axis=0)
    reach = float(np.median(high - low, axis=0).max()) * _MARGIN
    drift = float(np.abs((low + high) / 2 - centre).max())
    return float(centre[0]), float(centre[1]), min(reach + drift, float(max(track.frame_size)))


def _cut_out(picture: Picture, box: tuple[float, float, float], side: int) -> np.ndarray:
    scale = picture.pixels.shape[1] / picture.size[0]
    x, y, width = (value * scale for value in box)
    corners = (x - width / 2, y - width / 2, x + width / 2, y + width / 2)
    image = Image.fromarray(picture.pixels).crop(tuple(round(c) for c in corners))  # type: ignore[arg-type]
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
