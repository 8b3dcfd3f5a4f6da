"""Lines over a common axis, as a picture: how training went."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_PAPER, _INK, _FAINT, _GRID = (255, 255, 255), (30, 34, 40), (120, 126, 134), (226, 229, 233)
_COLOURS = (
    *((31, 96, 158), (214, 96, 40), (56, 142, 72), (176, 58, 120)),
    *((146, 110, 20), (96, 84, 190), (20, 140, 150), (110, 110, 110)),
)
_SMOOTH = 2  # Drawn at this multiple and scaled down.


def line_chart(
    title: str,
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    size: tuple[int, int] = (960, 300),
    logarithmic: bool = False,
) -> Image.Image:
    """Each line over `x`, with its name and last value at the right.

    Args:
        title: Above the lines.
        x: Places of the values, increasing.
        lines: Name -> one value per place; not-a-number where there is none.
        size: Of the picture, in pixels.
        logarithmic: Equal steps up are equal ratios; what is not above 0 is left out. Otherwise the axis starts at 0.
    """
    width, height = (side * _SMOOTH for side in size)
    image = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(image)
    unit = height // 16
    font = ImageFont.load_default(unit)
    left, right, top, bottom = 3 * unit, width - 14 * unit, 2 * unit, height - 2 * unit
    columns = {name: np.asarray(values, float) for name, values in lines.items()}
    if logarithmic:
        columns = {name: np.log10(np.where(values > 0, values, np.nan)) for name, values in columns.items()}
    ticks = _ticks(np.concatenate([*columns.values(), []]), logarithmic)
    low, high = ticks[0], ticks[-1]
    last = max(float(x[-1]), 1e-9) if len(x) else 1.0

    def place(at: float, value: float) -> tuple[float, float]:
        return left + at / last * (right - left), bottom - (value - low) / (high - low) * (bottom - top)

    draw.text((left, unit // 3), title, fill=_INK, font=font)
    for tick in ticks:
        y = place(0, tick)[1]
        draw.line([left, y, right, y], fill=_GRID, width=_SMOOTH)
        draw.text((left - unit // 3, y), f"{10**tick if logarithmic else tick:g}", fill=_FAINT, font=font, anchor="rm")
    draw.text((left, bottom + unit // 3), "0", fill=_FAINT, font=font)
    draw.text((right, bottom + unit // 3), f"{last:g}", fill=_FAINT, font=font, anchor="ra")
    for row, ((name, values), colour) in enumerate(zip(columns.items(), _cycled(len(columns)), strict=True)):
        points = [place(at, value) for at, value in zip(x, values, strict=True) if np.isfinite(value)]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2 * _SMOOTH, joint="curve")
        for across, up in points[-1:]:
            draw.ellipse([across - unit / 4, up - unit / 4, across + unit / 4, up + unit / 4], fill=colour)
        value = lines[name][-1] if len(lines[name]) else float("nan")
        draw.text((right + unit, top + row * 1.4 * unit), f"{name} {value:.3g}", fill=colour, font=font, anchor="lm")
    return image.resize(size, Image.Resampling.BOX)


def stacked(charts: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one width, one below the other."""
    image = Image.new("RGB", (charts[0].width, sum(chart.height for chart in charts)), _PAPER)
    top = 0
    for chart in charts:
        image.paste(chart, (0, top))
        top += chart.height
    return image


def _ticks(values: np.ndarray, logarithmic: bool) -> np.ndarray:
    """Places of grid lines around all values, at round numbers."""
    values = values[np.isfinite(values)]
    if logarithmic:
        low, high = (values.min(), values.max()) if len(values) else (0.0, 0.0)
        decades = np.arange(np.floor(low), np.ceil(high) + 1)
        marks = np.sort(np.concatenate([decades + np.log10(mark) for mark in (1, 2, 5)]))
        first = np.searchsorted(marks, low, "right") - 1
        return marks[max(0, first) : max(np.searchsorted(marks, high), first + 1) + 1]
    high = float(values.max()) if len(values) and values.max() > 0 else 1.0
    step = next(s for s in 10.0 ** np.floor(np.log10(high)) * np.array([0.1, 0.2, 0.5, 1, 2]) if high / s <= 6)
    return np.arange(np.ceil(high / step - 1e-9) + 1) * step


def _cycled(count: int) -> list[tuple[int, int, int]]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(count)]
