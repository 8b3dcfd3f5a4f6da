"""Line charts, looked at pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from talker.render.line_chart import line_chart, stacked


def coloured(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, in the left half of a picture, of pixels that are neither grey nor white."""
    pixels = np.asarray(picture.crop((0, 0, picture.width // 2, picture.height))).astype(int)
    return np.nonzero(np.ptp(pixels, axis=2) > 60)


@pytest.mark.parametrize(("values", "logarithmic"), [((0.0, 1.0, 2.0), False), ((0.01, 0.1, 1.0), True)])
def test_a_line_rises_to_the_right(values, logarithmic):
    rows, columns = coloured(line_chart("rise", (0, 500, 1000), {"it": values}, logarithmic=logarithmic))
    assert len(rows) > 100
    # On either scale these values lie on a straight line, and higher values are further up.
    assert np.corrcoef(rows, columns)[0, 1] < -0.99


def test_every_line_has_its_colour_and_gaps_stay_open():
    gap = float("nan")
    full = coloured(line_chart("full", (0, 1, 2, 3), {"one": (1, 1, 1, 1)}))
    open_ = coloured(line_chart("open", (0, 1, 2, 3), {"one": (1, gap, gap, gap)}))
    assert 0 < len(open_[0]) < len(full[0]) / 4
    picture = line_chart("two", (0, 1, 2, 3), {"one": (1, 1, 1, 1), "other": (2, 2, 2, 2)})
    assert len(np.unique(coloured(picture)[0])) > len(np.unique(full[0]))


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize("lines", [{}, {"it": ()}, {"it": (0.0,)}, {"it": (5.0,)}, {"it": (float("nan"),)}])
def test_little_or_nothing_to_draw(lines, logarithmic):
    x = (10,) * max((len(values) for values in lines.values()), default=0)
    assert line_chart("nothing", x, lines, (400, 200), logarithmic).size == (400, 200)


def test_charts_below_each_other():
    charts = [line_chart(name, (0, 1), {"it": (1, 2)}, (300, height)) for name, height in (("a", 100), ("b", 150))]
    assert stacked(charts).size == (300, 250)
