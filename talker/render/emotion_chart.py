"""What a voice says about its owner, drawn over time: the mixture of emotions, valence, arousal and effort."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from talker.emotion import EMOTIONS
from talker.models.voice_emotion import TRACK_FPS, HeardEmotion

_WIDTH, _MARGIN, _GAP = 1280, 64, 40
_MIXTURE_HEIGHT, _LINES_HEIGHT = 260, 170
_PAPER, _INK, _GRID = (24, 27, 33), (210, 215, 222), (58, 64, 74)
_COLOURS = {
    **{"neutral": (88, 96, 108), "happy": (242, 196, 60), "sad": (82, 130, 200), "surprised": (120, 210, 215)},
    **{"fear": (150, 110, 200), "disgusted": (110, 165, 80), "angry": (222, 82, 70), "contempt": (190, 130, 100)},
}
_LINES = (("valence", (120, 200, 120)), ("arousal", (240, 150, 80)), ("effort", (230, 230, 235)))
_TICK_SECONDS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
_SMOOTH = 2  # Drawn at this multiple and scaled down.


def emotion_chart(heard: HeardEmotion, title: str) -> Image.Image:
    """1280 pixels wide: stacked shares above, lines below; a long recording is averaged to the pixels there are."""
    height = _MARGIN + _MIXTURE_HEIGHT + _GAP + _LINES_HEIGHT + _MARGIN
    image = Image.new("RGB", (_WIDTH * _SMOOTH, height * _SMOOTH), _PAPER)
    draw = ImageDraw.Draw(image)
    seconds = len(heard.track.effort) / TRACK_FPS
    upper = _Panel(draw, _MARGIN, _MIXTURE_HEIGHT, 0.0, 1.0, seconds)
    lower = _Panel(draw, _MARGIN + _MIXTURE_HEIGHT + _GAP, _LINES_HEIGHT, -1.0, 1.0, seconds)
    _text(draw, _MARGIN, 14, title, _INK, 18)
    bottom = np.zeros(len(heard.track.mixture))
    for name, shares in zip(EMOTIONS, heard.track.mixture.T, strict=True):
        upper.band(bottom, bottom + shares, _COLOURS[name])
        bottom = bottom + shares
    upper.grid((0.0, 0.5, 1.0))
    lower.grid((-1.0, 0.0, 1.0))
    for name, colour in _LINES:
        lower.line(getattr(heard.track, name), colour)
    shown = [name for name, shares in zip(EMOTIONS, heard.track.mixture.T, strict=True) if shares.max() > 0.02]
    _legend(draw, 40, [(name, _COLOURS[name]) for name in shown])
    _legend(draw, _MARGIN + _MIXTURE_HEIGHT + 18, _LINES)
    lower.times()
    return image.resize((_WIDTH, height), Image.Resampling.BOX)


class _Panel:
    """A strip of the picture with time across and a range of values up."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, top: int, height: int, low: float, high: float, seconds: float
    ) -> None:
        self._draw, self._top, self._height = draw, top, height
        self._low, self._high, self._seconds = low, high, seconds

    def band(self, low: np.ndarray, high: np.ndarray, colour: tuple[int, int, int]) -> None:
        below, above = self._points(low), self._points(high)
        self._draw.polygon([*above, *below[::-1]], fill=colour)

    def line(self, values: np.ndarray, colour: tuple[int, int, int]) -> None:
        self._draw.line(self._points(values), fill=colour, width=2 * _SMOOTH, joint="curve")

    def grid(self, levels: Sequence[float]) -> None:
        for level in levels:
            y = self._y(np.array([level]))[0]
            self._draw.line([(_MARGIN * _SMOOTH, y), ((_WIDTH - _MARGIN) * _SMOOTH, y)], fill=_GRID, width=1)
            _text(self._draw, _MARGIN - 8, y / _SMOOTH, f"{level:g}", _INK, 12, "rm")

    def times(self) -> None:
        step = next((tick for tick in _TICK_SECONDS if self._seconds / tick <= 14), _TICK_SECONDS[-1])
        for second in np.arange(0.0, self._seconds + 1e-6, step):
            x = _MARGIN + second / max(self._seconds, 1e-6) * (_WIDTH - 2 * _MARGIN)
            _text(self._draw, x, self._top + self._height + 16, f"{second:g} s", _INK, 12, "mm")

    def _points(self, values: np.ndarray) -> list[tuple[float, float]]:
        columns = min(len(values), _WIDTH - 2 * _MARGIN)
        edges = np.linspace(0, len(values), columns + 1).astype(int)
        averages = np.add.reduceat(np.asarray(values, float), edges[:-1]) / np.diff(edges)
        averages = np.concatenate([averages[:1], averages, averages[-1:]])  # Out to both ends of the recording.
        middles = (edges[:-1] + edges[1:]) / 2 / len(values)
        x = _MARGIN + np.concatenate([[0.0], middles, [1.0]]) * (_WIDTH - 2 * _MARGIN)
        return list(zip((x * _SMOOTH).tolist(), self._y(averages).tolist(), strict=True))

    def _y(self, values: np.ndarray) -> np.ndarray:
        share = (np.clip(values, self._low, self._high) - self._low) / (self._high - self._low)
        return (self._top + self._height * (1 - share)) * _SMOOTH


def _legend(draw: ImageDraw.ImageDraw, y: float, entries: Sequence[tuple[str, tuple[int, int, int]]]) -> None:
    x = float(_MARGIN)
    for name, colour in entries:
        draw.rectangle([x * _SMOOTH, y * _SMOOTH, (x + 12) * _SMOOTH, (y + 12) * _SMOOTH], fill=colour)
        _text(draw, x + 18, y + 6, name, _INK, 14, "lm")
        x += 36 + ImageFont.load_default(14).getlength(name)


def _text(
    draw: ImageDraw.ImageDraw,
    x: float,
    y: float,
    text: str,
    colour: tuple[int, int, int],
    size: int,
    anchor: str = "la",
) -> None:
    draw.text((x * _SMOOTH, y * _SMOOTH), text, fill=colour, font=ImageFont.load_default(size * _SMOOTH), anchor=anchor)
