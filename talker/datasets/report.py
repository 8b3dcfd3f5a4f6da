"""What came of a preparation: a manifest with every clip's licence, a table of scores, and a page to look at.

All three are written from the rows beside the shards, one row at a time; only the worst clips are held, for the page.
"""

import base64
import csv
import heapq
import html
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from talker.datasets.shards import read_rows
from talker.files import atomic_output

MANIFEST_FILE, TABLE_FILE, PAGE_FILE = "manifest.jsonl", "quality.csv", "quality.html"

_MANIFEST = ("key", "shard", "set", "speaker", "view", "emotion", "level", "seconds", "licence", "may_ship")
_TABLE = (
    *("key", "verdict", "reason", "badness", "shard", "set", "speaker", "view", "emotion", "level", "seconds"),
    *(
        "face_share",
        "covered_share",
        "crowd_share",
        "confidence",
        "silent_share",
        "jitter",
        "rest",
        "opening",
        "sync",
        "sync_evidence",
    ),
    *("delay_ms", "delay_uncertainty_ms", "corrected", "licence", "may_ship"),
)
_SHOWN = (
    *("verdict", "reason", "face_share", "covered_share", "crowd_share", "jitter", "rest", "sync", "delay_ms"),
    *("delay_uncertainty_ms", "corrected", "seconds"),
)
_KEPT = ("kept", "sound only")
_WORST_SHOWN = 120
_PICTURE = 144  # Pixels.
_STYLE = """
body{font:14px/1.4 sans-serif;background:#16181d;color:#e8eaee;margin:2rem auto;max-width:1180px;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse}
td,th{padding:.15rem .8rem .15rem 0;text-align:left;font-variant-numeric:tabular-nums}th{color:#9aa3b2;font-weight:500}
.clips{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:12px}
.clip{background:#20242c;border-radius:8px;padding:10px;border-left:4px solid #4c9f70}
.clip.rejected{border-color:#d9a441}.clip.failed{border-color:#d05a5a}
.clip h3{font-size:.85rem;margin:0 0 .4rem}.clip p{margin:.2rem 0;color:#ffd79a}.clip{overflow-wrap:anywhere}
.clip img{width:calc(50% - 3px);border-radius:4px}
.clip dl{display:grid;grid-template-columns:auto auto;margin:.4rem 0 0;font-size:.78rem;gap:0 .6rem}
.clip dt{color:#9aa3b2}.clip dd{margin:0;text-align:right}
"""


@dataclass
class Summary:
    """Counts over all clips: by verdict, hours kept by split, set and licence, and the worst rows."""

    verdicts: Counter[str] = field(default_factory=Counter)
    seconds: Counter[tuple[str, str, str, bool]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    worst: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kept(self) -> int:
        """Number of clips in the shards."""
        return sum(self.verdicts[verdict] for verdict in _KEPT)

    @property
    def kept_seconds(self) -> float:
        """Their length."""
        return sum(self.seconds.values())


def write_report(output: Path) -> Summary:
    """Write manifest, table and page from the rows in the folder."""
    summary = Summary()
    worst: list[tuple[float, int, dict[str, Any]]] = []
    with (
        atomic_output(output / MANIFEST_FILE) as manifest_path,
        atomic_output(output / TABLE_FILE) as table_path,
        manifest_path.open("w", encoding="utf-8") as manifest,
        table_path.open("w", encoding="utf-8", newline="") as table,
    ):
        writer = csv.DictWriter(table, _TABLE, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for number, row in enumerate(read_rows(output)):
            writer.writerow(row)
            if row["verdict"] in _KEPT:
                manifest.write(json.dumps({name: row[name] for name in _MANIFEST}, ensure_ascii=False) + "\n")
            _count(summary, row)
            heapq.heappush(worst, (_rank(row), -number, row))
            if len(worst) > _WORST_SHOWN:
                heapq.heappop(worst)
    summary.worst = [row for *_, row in sorted(worst, key=lambda entry: entry[:2], reverse=True)]
    with atomic_output(output / PAGE_FILE) as temporary:
        temporary.write_text(_page(summary), encoding="utf-8")
    return summary


def _count(summary: Summary, row: dict[str, Any]) -> None:
    summary.verdicts[row["verdict"]] += 1
    if row["verdict"] in _KEPT:
        split = row["shard"].rpartition("-")[0]
        summary.seconds[split, row["set"], row["licence"], row["may_ship"]] += row["seconds"]
    elif len(summary.faults) < _WORST_SHOWN:
        summary.faults.append(f"{row['key']}: {row['reason']}")


def _rank(row: dict[str, Any]) -> float:
    """Failed before rejected before kept, then the worst scores first."""
    return {"failed": 2e6, "rejected": 1e6}.get(row["verdict"], 0.0) + row.get("badness", 0.0)


def _page(summary: Summary) -> str:
    total = sum(summary.verdicts.values())
    counts = "".join(f"<tr><td>{name}</td><td>{count}</td></tr>" for name, count in sorted(summary.verdicts.items()))
    hours = "".join(
        f"<tr><td>{split}</td><td>{html.escape(name)}</td><td>{html.escape(terms)}</td>"
        f"<td>{'yes' if ship else 'no'}</td><td>{seconds / 60:.1f}</td></tr>"
        for (split, name, terms, ship), seconds in sorted(summary.seconds.items())
    )
    clips = "".join(_clip(row, pictures) for row, pictures in zip(summary.worst, _pictures(summary.worst), strict=True))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>talker prepare</title><style>{_STYLE}</style>'
        f"<h1>{total} clips, {summary.kept} kept, {summary.kept_seconds / 3600:.2f} hours</h1>"
        f"<table><tr><th>verdict</th><th>clips</th></tr>{counts}</table>"
        f"<h2>What was kept</h2><table><tr><th>split</th><th>set</th><th>licence</th><th>weights may ship</th>"
        f"<th>minutes</th></tr>{hours}</table>"
        f"<h2>Worst first ({len(summary.worst)} of {total}): the solved face at rest, and at its widest</h2>"
        f'<div class="clips">{clips}</div></html>\n'
    )


def _clip(row: dict[str, Any], pictures: Sequence[bytes]) -> str:
    images = "".join(
        f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}"> ' for data in pictures
    )
    scores = "".join(
        f"<dt>{name}</dt><dd>{html.escape(_text(row[name]))}</dd>"
        for name in _SHOWN
        if row.get(name) is not None and name not in ("verdict", "reason")
    )
    reason = f"<p>{row['verdict']}: {html.escape(row['reason'])}</p>" if row.get("reason") else ""
    verdict = row["verdict"].replace(" ", "-")
    return f'<div class="clip {verdict}"><h3>{html.escape(row["key"])}</h3>{images}{reason}<dl>{scores}</dl></div>'


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else {True: "yes", False: "no"}.get(value, str(value))


def _pictures(rows: Sequence[dict[str, Any]]) -> Iterator[list[bytes]]:
    """The two telling faces of every row that has any, as JPEG."""
    if not any(row.get("pictures") for row in rows):
        yield from ([] for _ in rows)
        return
    import torch
    from PIL import Image

    from talker.render.portrait import Camera, portrait_of
    from talker.rigs.head_mesh import HeadMesh

    head, portrait = HeadMesh.load(), portrait_of(None)
    camera = Camera.for_head(head)
    for row in rows:
        out = []
        for picture in row.get("pictures", []):
            vertices = head.vertices(torch.tensor(picture["curves"], dtype=torch.float32))
            buffer = io.BytesIO()
            drawn = np.ascontiguousarray(portrait.draw(vertices, camera, _PICTURE))
            Image.fromarray(drawn).save(buffer, format="JPEG", quality=85)
            out.append(buffer.getvalue())
        yield out
