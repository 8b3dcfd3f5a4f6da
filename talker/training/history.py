"""How a training run does, checkpoint by checkpoint: a table, and a picture of it."""

import csv
from pathlib import Path

from talker.errors import TalkerError
from talker.files import atomic_output, read_text

_STEP = "step"


class History:
    """`history.csv`, one row per checkpoint, and `history.png`, drawn again with every row.

    Columns are called "KIND NAME", such as "phone error emodb"; the columns of a kind share one chart.
    """

    def __init__(self, folder: Path, resume: bool) -> None:
        self.table, self.picture = folder / "history.csv", folder / "history.png"
        self.rows = self._read() if resume and self.table.is_file() else []

    def add(self, step: int, row: dict[str, float]) -> None:
        """Append a row, and write both files."""
        self.rows.append({_STEP: step, **row})
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with atomic_output(self.table) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows([{name: round(value, 5) for name, value in row.items()} for row in self.rows])
        self._draw(columns)

    def _read(self) -> list[dict[str, float]]:
        try:
            rows = [dict(row) for row in csv.DictReader(read_text(self.table).splitlines())]
            return [
                {_STEP: int(row.pop(_STEP)), **{name: float(value) for name, value in row.items() if value}}
                for row in rows
            ]
        except (ValueError, TypeError, KeyError, csv.Error) as error:
            raise TalkerError(f"{self.table}: not a table of numbers ({error}); delete it, or do not resume") from error

    def _draw(self, columns: list[str]) -> None:
        from talker.render.line_chart import line_chart, stacked

        steps = [row[_STEP] for row in self.rows]
        charts = []
        for kind in dict.fromkeys(name.rpartition(" ")[0] for name in columns if name != _STEP):
            lines = {
                name.removeprefix(f"{kind} "): [row.get(name, float("nan")) for row in self.rows]
                for name in columns
                if name.rpartition(" ")[0] == kind
            }
            charts.append(line_chart(kind, steps, lines, logarithmic=kind == "training"))
        with atomic_output(self.picture) as temporary:
            stacked(charts).save(temporary, format="PNG", optimize=True)
