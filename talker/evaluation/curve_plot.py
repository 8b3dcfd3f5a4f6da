"""Lip gaps over time as SVG: truth and predictions, their closures, and where nothing is heard."""

import html
from collections.abc import Sequence

import numpy as np

from talker.evaluation import metrics
from talker.evaluation.talking import Score
from talker.models.speech_encoder import FEATURE_FPS

TRUTH_COLOUR = "#222222"
COLOURS = ("#1f6fc4", "#d66028", "#388e48", "#9a4fb0")
_WIDTH, _HEIGHT, _LEFT, _TOP, _ROW = 1100, 190, 46, 8, 11
_LEAST_TOP = 0.15  # Eye distances that the axis spans at least.
_MOST_SECONDS = 16.0
_STYLE = "font:10px sans-serif"


def gap_plot(scores: Sequence[Score]) -> str:
    """One clip by one or more systems. Triangles above the lines are closures, in the colour of who makes them."""
    clip = scores[0].clip
    count = min(clip.frames, round(_MOST_SECONDS * FEATURE_FPS))
    truth = clip.mouth[:count, 0]
    lines = [(TRUTH_COLOUR, truth, clip.seen[:count])]
    lines += [(COLOURS[i % len(COLOURS)], one.mouth[:count, 0], np.ones(count, bool)) for i, one in enumerate(scores)]
    high = max(_LEAST_TOP, *(float(values.max()) for _, values, _ in lines))
    low = min(-0.01, *(float(values.min()) for _, values, _ in lines))
    marks_height = _TOP + _ROW * len(lines)
    x = _LEFT + np.arange(count) / max(count - 1, 1) * (_WIDTH - _LEFT)

    def y(value: float) -> float:
        return marks_height + (high - value) / (high - low) * (_HEIGHT - marks_height - 14)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" style="{_STYLE}" role="img">']
    parts += [
        f'<rect x="{x[a]:.1f}" y="{_TOP}" width="{x[b] - x[a]:.1f}" height="{_HEIGHT - _TOP - 14}" fill="#eef0f3"/>'
        for a, b in _stretches(clip.silent[:count])
    ]
    for value in (0.0, metrics.CLOSED, metrics.PARTED, 0.1, 0.2, 0.3):
        if value <= high:
            dash = ' stroke-dasharray="3 3"' if value in (metrics.CLOSED, metrics.PARTED) else ""
            parts.append(
                f'<path d="M{_LEFT} {y(value):.1f}H{_WIDTH}" stroke="#ccc"{dash}/>'
                f'<text x="{_LEFT - 4}" y="{y(value) + 3:.1f}" text-anchor="end" fill="#777">{value:g}</text>'
            )
    for second in range(0, int(count / FEATURE_FPS) + 1):
        at = x[min(second * FEATURE_FPS, count - 1)]
        parts.append(f'<text x="{at:.1f}" y="{_HEIGHT - 3}" fill="#777">{second} s</text>')
    for row, (colour, values, seen) in enumerate(lines):
        points = " ".join(f"{a:.1f},{y(float(v)):.1f}" for a, v in zip(x, values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
        for first, last in metrics.closures(values, seen, FEATURE_FPS):
            middle, top = (x[first] + x[last]) / 2, _TOP + _ROW * row
            parts.append(f'<path d="M{middle - 4:.1f} {top}h8l-4 8z" fill="{colour}"/>')
    return "".join([*parts, "</svg>"])


def legend(systems: Sequence[str]) -> str:
    """Whose line has which colour."""
    colours = [TRUTH_COLOUR, *(COLOURS[i % len(COLOURS)] for i in range(len(systems)))]
    named = zip(["landmarks", *systems], colours, strict=True)
    return " ".join(f'<b style="color:{colour}">{html.escape(name)}</b>' for name, colour in named)


def _stretches(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and last frame of each run of True that has at least two."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2) if b - a > 1]
