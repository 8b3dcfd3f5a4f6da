"""What the commands share: how options look in help texts, and how results are printed."""

import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

OptionalPath = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]
OptionalName = Annotated[str | None, tyro.conf.arg(metavar="NAME")]
OptionalRate = Annotated[float | None, tyro.conf.arg(metavar="FPS")]


def say(text: str) -> None:
    """Print a line of the result; everything else goes to stderr."""
    print(text)  # noqa: T201


def say_json(data: Any) -> None:
    """Print for machines."""
    import json

    say(json.dumps(data, indent=2, ensure_ascii=False))


def say_table(rows: list[dict[str, Any]]) -> None:
    """One line per row under the keys of the first one; columns that are empty throughout are left out."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    columns = [name for name in rows[0] if any(row[name] != "" for row in rows)]
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    # In a pipe a row stays one line, for `grep` and `cut`.
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 1000).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
