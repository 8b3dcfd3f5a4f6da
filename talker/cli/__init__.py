"""The command line: one small class per verb; each parses, calls and prints.

Heavy imports (torch above all) happen inside `run`, so that `talker --help` answers at once.
"""

import signal
import sys
import threading
from typing import Annotated

import tyro

from talker.cli.animate import Animate
from talker.cli.edit import Edit
from talker.cli.evaluate import Evaluate
from talker.cli.hear import Hear
from talker.cli.learning import Train
from talker.cli.prepare import Prepare
from talker.cli.rigs import Rigs
from talker.cli.sources import Track
from talker.cli.takes import Convert, Formats, Preview
from talker.errors import TalkerError

# One line per verb.
Command = (
    Annotated[Animate, tyro.conf.subcommand("animate")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Edit, tyro.conf.subcommand("edit")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Formats, tyro.conf.subcommand("formats")]
    | Annotated[Hear, tyro.conf.subcommand("hear")]
    | Annotated[Preview, tyro.conf.subcommand("preview")]
    | Annotated[Prepare, tyro.conf.subcommand("prepare")]
    | Annotated[Rigs, tyro.conf.subcommand("rigs")]
    | Annotated[Track, tyro.conf.subcommand("track")]
    | Annotated[Train, tyro.conf.subcommand("train")]
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 some inputs of a batch failed, 2 nothing could be done."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Leave like any error does: nothing half-written.
    try:
        command = tyro.cli(Command, prog="talker", args=arguments, config=(tyro.conf.OmitSubcommandPrefixes,))
        return command.run()
    except TalkerError as error:
        print(f"talker: error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except BrokenPipeError:  # The reader of our output, `head` say, has seen enough.
        sys.stdout = None
        return 0
    except KeyboardInterrupt:
        print("talker: interrupted", file=sys.stderr)  # noqa: T201
        return 130
