"""The strongest curves of a take, drawn over time with a playhead."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from talker.animation import FaceAnimation
from talker.rigs import arkit

_CURVES = 6
_PAGE_SECONDS = 10.0  # A longer take turns the page.
_BACKGROUND, _GRID, _TEXT, _PLAYHEAD = (24, 27, 33), (52, 58, 68), (150, 158, 170), (255, 255, 255)
_COLOURS = ((86, 180, 233), (240, 120, 80), (120, 200, 120), (230, 180, 60), (200, 130, 220), (120, 220, 210))
_SMOOTH = 2  # Lines are drawn at this multiple and scaled down.


def strongest(animation: FaceAnimation, count: int = _CURVES) -> list[str]:
    """The shapes that move most, one of each left and right pair, strongest first."""
    strength = animation.shapes.std(axis=0) + 0.1 * animation.shapes.max(axis=0)
    names: list[str] = []
    for index in np.argsort(-strength, kind="stable"):
        name = arkit.SHAPES[index]
        if strength[index] > 0 and arkit.partner(name) not in names:
            names.append(name)
    return names[:count]


class CurveStrip:
    """A strip `width` by `height` pixels below the face."""

    def __init__(self, animation: FaceAnimation, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._animation = animation
        self._names = strongest(animation)
        self._frames_per_page = max(2, min(animation.frame_count, round(_PAGE_SECONDS * animation.fps)))
        self._page = lru_cache(maxsize=2)(self._draw_page)

    def draw(self, index: int) -> np.ndarray:
        """(height, width, 3) uint8 with the playhead at a frame."""
        page, place = divmod(index, self._frames_per_page)
        picture = self._page(page).copy()
        column = round(place / (self._frames_per_page - 1) * (self.width - 1))
        picture[:, max(column - 1, 0) : column + 1] = _PLAYHEAD
        return picture

    def _draw_page(self, page: int) -> np.ndarray:
        width, height = self.width * _SMOOTH, self.height * _SMOOTH
        image = Image.new("RGB", (width, height), _BACKGROUND)
        draw = ImageDraw.Draw(image)
        start = page * self._frames_per_page
        stop = min(start + self._frames_per_page, self._animation.frame_count)
        margin = height * 0.08
        for level in (0.0, 0.5, 1.0):
            line = height - margin - level * (height - 2 * margin)
            draw.line([(0, line), (width, line)], fill=_GRID, width=_SMOOTH)
        x = np.arange(stop - start) / (self._frames_per_page - 1) * (width - 1)
        for name, colour in zip(self._names, _COLOURS, strict=False):
            values = self._animation.channel(name)[start:stop]
            y = height - margin - values * (height - 2 * margin)
            if len(x) > 1:
                draw.line(np.stack([x, y], 1).ravel().tolist(), fill=colour, width=2 * _SMOOTH, joint="curve")
        self._label(draw, start / self._animation.fps)
        return np.asarray(image.resize((self.width, self.height), Image.Resampling.BOX))

    def _label(self, draw: ImageDraw.ImageDraw, seconds: float) -> None:
        size = max(10, self.height // 10) * _SMOOTH
        font = ImageFont.load_default(size)
        x = y = size * 0.4
        for name, colour in zip(self._names, _COLOURS, strict=False):
            label = name.removesuffix("Left").removesuffix("Right")
            if x + draw.textlength(label, font) > self.width * _SMOOTH - 4 * size:
                x, y = size * 0.4, y + size * 1.25
            draw.text((x, y), label, fill=colour, font=font)
            x += draw.textlength(label, font) + size
        draw.text(
            (self.width * _SMOOTH - size * 0.4, size * 0.4), f"{seconds:.0f} s", fill=_TEXT, font=font, anchor="ra"
        )
