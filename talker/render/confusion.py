"""A confusion matrix as a picture: what was there down the side, what was taken for it across the top."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_PAPER, _INK, _FAINT = (255, 255, 255), (30, 34, 40), (120, 126, 134)
_FULL = np.array([31, 96, 158])


def confusion_picture(counts: np.ndarray, labels: Sequence[str], title: str, cell: int = 64) -> Image.Image:
    """(N, N) counts, rows as they are and columns as they were heard; each row is coloured by its shares."""
    font, small = ImageFont.load_default(cell // 4), ImageFont.load_default(cell // 5)
    side = round(max(font.getlength(label) for label in labels)) + cell // 2
    top = 2 * cell
    image = Image.new("RGB", (side + len(labels) * cell + cell // 2, top + len(labels) * cell + cell // 2), _PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((cell // 4, cell // 4), title, fill=_INK, font=font)
    draw.text((cell // 4, cell * 3 // 4), "rows: truth, columns: heard, per cent of the row", fill=_FAINT, font=small)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    for row, label in enumerate(labels):
        y = top + row * cell
        draw.text((side - cell // 4, y + cell // 2), label, fill=_INK, font=font, anchor="rm")
        draw.text((side + row * cell + cell // 2, top - cell // 8), label, fill=_INK, font=small, anchor="ms")
        for column, share in enumerate(shares[row]):
            x = side + column * cell
            colour = tuple(int(v) for v in 255 + (_FULL - 255) * share)
            draw.rectangle([x, y, x + cell - 2, y + cell - 2], fill=colour)
            if share < 0.005:
                continue  # Nothing stands for nothing: what is mistaken for what leaps to the eye.
            ink = _PAPER if share > 0.55 else _INK
            draw.text((x + cell // 2, y + cell // 2), f"{100 * share:.0f}", fill=ink, font=font, anchor="mm")
    return image
