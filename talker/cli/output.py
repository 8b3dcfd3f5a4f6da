"""What the commands share: how options look in help texts, and how results are printed."""

import sys
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from talker.animation import MAX_FPS, MIN_FPS
from talker.errors import TalkerError
from talker.export.registry import ExportOptions


def told(metavar: str, *aliases: str) -> Any:
    """An option that changes nothing until it is given: a default of None would say nothing in the help."""
    return tyro.conf.arg(metavar=metavar, aliases=aliases or None, help_behavior_hint="")


OptionalPath = Annotated[Path | None, told("PATH")]
OptionalName = Annotated[str | None, told("NAME")]
Folders = Annotated[tuple[Path, ...], told("DIR")]
Export = Annotated[ExportOptions, tyro.conf.OmitArgPrefixes]
Flag = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]


def frame_rate(text: str) -> float:
    """Frames per second as people write them: `30`, `29.97` or `30000/1001`."""
    try:
        rate = float(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise TalkerError(f"--fps {text}: write frames per second as 30, 29.97 or 30000/1001") from error
    if not MIN_FPS <= rate <= MAX_FPS:
        raise TalkerError(f"--fps {text}: frames per second lie in {MIN_FPS:g}..{MAX_FPS:g}")
    return rate


_RATE = PrimitiveConstructorSpec[float | None](
    nargs=1,
    metavar="FPS",
    instance_from_str=lambda words: frame_rate(words[0]),
    is_instance=lambda value: value is None or isinstance(value, float),
    str_from_instance=lambda value: ["" if value is None else f"{value:g}"],
)
Rate = Annotated[float, _RATE]
OptionalRate = Annotated[float | None, _RATE, told("FPS")]

OPTIONAL = ConstructorRegistry()
"""What may be missing, without "None" in help texts and errors: also in classes that know nothing of command lines."""

_KINDS: dict[Any, tuple[type, str]] = {
    Path | None: (Path, "PATH"),
    str | None: (str, "TEXT"),
    int | None: (int, "INT"),
    float | None: (float, "NUMBER"),
}


@OPTIONAL.primitive_rule
def _value_or_none(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    if info.type not in _KINDS:
        return None
    kind, metavar = _KINDS[info.type]
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: kind(words[0]),
        is_instance=lambda value: value is None or isinstance(value, kind),
        str_from_instance=lambda value: ["none" if value is None else str(value)],
    )


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
