"""Scores as tables and as a page to look at: `figures.csv`, `clips.csv` and `report.html`."""

import csv
import html
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from talker.evaluation import metrics
from talker.evaluation.curve_plot import gap_plot, legend
from talker.evaluation.talking import FIGURES, Score, Summary, closure_sweep
from talker.files import atomic_output

FIGURES_FILE, CLIPS_FILE, PAGE_FILE = "figures.csv", "clips.csv", "report.html"
SWEPT = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06)
"""Lip gaps at which a predicted closure might be said to begin."""

_SHOWN_CLIPS = 3  # Best and worst, each.
_SHORT = {
    "gap r": "gap r",
    "gap best r": "best r",
    "gap lag": "lag ms",
    "gap amplitude": "amplitude",
    "width r": "width r",
    "width amplitude": "width ampl.",
    "chin r": "chin r",
    "closure precision": "P",
    "closure recall": "R",
    "closure f1": "closure F1",
    "closure f1 by chance": "by chance",
    "closure dips": "dips",
    "closure gap": "their gap %",
    "silence gap": "silence %",
    "silence jitter": "jitter %",
    "lip shapes misread": "misread",
    "emotion seen": "emotion seen",
    "emotion strength": "strength",
}
_INTERVALS = ("gap r", "closure f1")
_STYLE = """body{font:14px/1.4 sans-serif;margin:2em auto;max-width:1160px;color:#222}
table{border-collapse:collapse;margin:.5em 0 1.5em}
table{font-size:12px}td,th{padding:.15em .45em;vertical-align:bottom;text-align:right;border-bottom:1px solid #ddd}
td:nth-child(-n+3),th:nth-child(-n+3){text-align:left}svg{width:100%;border:1px solid #ddd;margin-bottom:.8em}
h3{margin:.6em 0 .1em;font-weight:normal;font-size:13px}dt{font-weight:bold}dl{font-size:13px;columns:2}"""


def table(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """One row per set and system: medians over clips of the figures that matter most, closures over all clips."""
    rows = []
    for (set_name, system), group in groupby(summaries, key=lambda one: (one.set, one.system)):
        own = {one.figure: one for one in group}
        row: dict[str, Any] = {"set": set_name, "system": system, "clips": max(one.clips for one in own.values())}
        for figure, short in _SHORT.items():
            known = own.get(figure)
            row[short] = "" if known is None else _rounded(known.median, figure)
            if figure in _INTERVALS:
                row[f"{short} 95 %"] = "" if known is None else _interval(known)
        rows.append(row)
    return rows


def write_report(folder: Path, scores: Sequence[Score], summaries: Sequence[Summary]) -> None:
    """All three files."""
    _write_csv(folder / FIGURES_FILE, [_summary_row(one) for one in summaries])
    _write_csv(folder / CLIPS_FILE, [_clip_row(one) for one in scores])
    with atomic_output(folder / PAGE_FILE) as temporary:
        temporary.write_text(_page(scores, summaries), encoding="utf-8")


def _summary_row(one: Summary) -> dict[str, Any]:
    values = _cells({name: getattr(one, name) for name in ("median", "mean", "low", "high")})
    return {"set": one.set, "system": one.system, "figure": one.figure, "clips": one.clips, **values}


def _clip_row(one: Score) -> dict[str, Any]:
    about = {"set": one.clip.set, "clip": one.clip.name, "speaker": one.clip.speaker, "system": one.system}
    counts = {f"closures {name}": getattr(one.closures, name) for name in ("true", "predicted", "hit")}
    return {**about, **_cells(one.figures), **counts}


def _cells(figures: Mapping[str, float]) -> dict[str, Any]:
    """Rounded; what is not known is left empty."""
    return {name: round(value, 4) if np.isfinite(value) else "" for name, value in figures.items()}


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_output(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _page(scores: Sequence[Score], summaries: Sequence[Summary]) -> str:
    sets = dict.fromkeys(one.clip.set for one in scores)
    body = [_html_table(table(summaries))]
    body += [_set_part(name, [one for one in scores if one.clip.set == name]) for name in sets]
    meanings = "".join(f"<dt>{name}</dt><dd>{html.escape(what)}</dd>" for name, what in FIGURES.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>talker evaluate</title><style>{_STYLE}</style>'
        f"<h1>talker evaluate</h1>{''.join(body)}<h2>What the figures are</h2><dl>{meanings}</dl></html>\n"
    )


def _set_part(name: str, scores: Sequence[Score]) -> str:
    """A set's closures at other thresholds, and its best and worst clips by the first system's lip gap."""
    systems = list(dict.fromkeys(one.system for one in scores))
    rows = []
    for system in systems:
        swept = closure_sweep([one for one in scores if one.system == system], SWEPT)
        told = {f"{at:g}": _shares(counts) for at, counts in swept.items()}
        rows.append({"closed at": "P R F1", "": "", "system": system, **told})
    by_clip = {clip: list(group) for clip, group in groupby(sorted(scores, key=_clip_name), key=_clip_name)}
    ranked = sorted(by_clip.values(), key=lambda own: np.nan_to_num(own[0].figures["gap r"], nan=-1))
    worst, best = ranked[:_SHOWN_CLIPS], ranked[_SHOWN_CLIPS:][-_SHOWN_CLIPS:]
    plots = "".join(
        f"<h3>{html.escape(own[0].clip.name)}: gap r {' / '.join(_r(one) for one in own)}</h3>{gap_plot(own)}"
        for own in [*worst, *best]
    )
    return (
        f"<h2>{html.escape(name)}</h2>{_html_table(rows)}"
        f"<p>Lip gap of the worst and the best clips, in eye distances: {legend(systems)}. "
        f"Closed is below {metrics.CLOSED:g}, parted above {metrics.PARTED:g}; "
        "triangles are closures; silence is grey.</p>"
        f"{plots}"
    )


def _interval(known: Summary) -> str:
    return f"{known.low:.2f}..{known.high:.2f}" if np.isfinite(known.low) else ""


def _shares(counts: metrics.Closures) -> str:
    values = counts.precision, counts.recall, counts.f1
    return " ".join(f"{value:.2f}" if np.isfinite(value) else "–" for value in values)


def _html_table(rows: Sequence[dict[str, Any]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(v))}</td>" for v in row.values()) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _clip_name(one: Score) -> str:
    return one.clip.name


def _r(one: Score) -> str:
    return f"{one.figures['gap r']:.2f}"


def _rounded(value: float, figure: str) -> float | int:
    digits = 3 if "jitter" in figure else 1 if "gap" in figure.split()[1:] else 2
    return round(value) if figure.endswith("lag") else round(value, digits)
