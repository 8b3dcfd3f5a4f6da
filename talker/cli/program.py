"""Programs beside the `talker` command, `python -m talker.…`: parsed alike, and their mistakes told alike."""

import sys
from collections.abc import Callable
from typing import Any

import tyro

from talker.cli.output import OPTIONAL
from talker.errors import TalkerError


def run_program(program: Callable[..., Any]) -> int:
    """Call a function, or a dataclass and its `run`, with what the command line says; the exit status."""
    module = sys.modules["__main__"].__spec__
    name = f"python -m {module.name.removesuffix('.__main__')}" if module else None
    try:
        asked = tyro.cli(program, prog=name, config=(tyro.conf.FlagCreatePairsOff,), registry=OPTIONAL)
        if hasattr(asked, "run"):
            asked.run()
    except TalkerError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0
