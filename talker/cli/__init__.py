"""The command line: one small class per verb; each parses, calls and prints.

Heavy imports (torch above all) happen inside `run`, so that `talker --help` answers at once.
"""

import signal
import sys
import threading

import tyro

import talker
from talker.cli.animate import Animate
from talker.cli.edit import Edit
from talker.cli.evaluate import Evaluate
from talker.cli.hear import Hear
from talker.cli.learning import TRAIN
from talker.cli.menu import Menu, find
from talker.cli.output import OPTIONAL, say
from talker.cli.prepare import Prepare
from talker.cli.rigs import RIGS
from talker.cli.sources import Track
from talker.cli.takes import Convert, Formats, Preview
from talker.errors import TalkerError

COMMANDS = Menu(
    "Speech in, a talking 3D face out.",
    {
        "animate": Animate,
        "edit": Edit,
        "preview": Preview,
        "convert": Convert,
        "formats": Formats,
        "rigs": RIGS,
        "hear": Hear,
        "track": Track,
        "prepare": Prepare,
        "train": TRAIN,
        "evaluate": Evaluate,
    },
    "talker animate line.wav -o line.html",
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 some inputs of a batch failed, 2 nothing could be done."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Leave like any error does: nothing half-written.
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except TalkerError as error:
        print(f"talker: error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except BrokenPipeError:  # The reader of our output, `head` say, has seen enough.
        sys.stdout = None
        return 0
    except KeyboardInterrupt:
        print("talker: interrupted", file=sys.stderr)  # noqa: T201
        return 130


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        say(f"talker {talker.__version__}")
        return 0
    chosen, words, rest = find(COMMANDS, arguments, "talker")
    if not isinstance(chosen, Menu):
        command = tyro.cli(chosen, prog=words, args=rest, config=(tyro.conf.FlagCreatePairsOff,), registry=OPTIONAL)
        return command.run()
    print(chosen.text(words), file=sys.stdout if rest else sys.stderr)
    return 0 if rest else 2  # Help that was asked for, or a command that is missing.
