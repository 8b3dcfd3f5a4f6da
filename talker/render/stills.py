"""Single pictures of a take: one moment, or a sheet of several with their times."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.registry import ExportOptions
from talker.files import atomic_output
from talker.render.film import Film
from talker.render.portrait import portrait_of

_SHEET_COLUMNS, _SHEET_ROWS = 4, 3
_INK, _PAPER = (235, 238, 242), (44, 48, 56)


def write_still(animation: FaceAnimation, path: Path, seconds: float | None, options: ExportOptions) -> int:
    """Write a PNG of the face at a time, or of twelve evenly spread frames when there is none; returns how many."""
    film = Film(animation, portrait_of(options.head), options.size, options.side_view, options.curve_strip)
    if seconds is not None:
        if not 0 <= seconds <= animation.duration:
            raise TalkerError(f"there is no time {seconds:g} s in a take of {animation.duration:.3f} s")
        picture, count = film.frame(min(int(seconds * animation.fps + 0.5), animation.frame_count - 1)), 1
    else:
        count = min(_SHEET_COLUMNS * _SHEET_ROWS, animation.frame_count)
        frames = np.rint(np.linspace(0, animation.frame_count - 1, count)).astype(int)
        labels = [f"{index / animation.fps:.2f} s" for index in frames]
        picture = sheet([film.frame(index) for index in frames], labels, _SHEET_COLUMNS)
    with atomic_output(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", optimize=True)
    return count


def sheet(pictures: list[np.ndarray], labels: list[str], columns: int) -> np.ndarray:
    """Lay equally large pictures (h, w, 3) out in rows, each with its label in the corner."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    image = Image.new("RGB", (columns * width, rows * height), _PAPER)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(10, width // 14))
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = index % columns * width, index // columns * height
        image.paste(Image.fromarray(picture), (left, top))
        draw.text((left + width / 2, top + height - width // 40), label, fill=_INK, font=font, anchor="md")
    return np.asarray(image)
