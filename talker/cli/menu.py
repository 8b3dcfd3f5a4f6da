"""Words at the beginning of a command line lead through menus to the one command that they mean."""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from talker.errors import no_such

HELP = ("-h", "--help")


class Command(Protocol):
    """A dataclass of options that does something with them."""

    def run(self) -> int:
        """Do it; the exit status."""


@dataclass(frozen=True)
class Menu:
    """Commands, or further menus, by name."""

    summary: str
    entries: "Mapping[str, Menu | type[Command]]"
    example: str

    def text(self, words: str) -> str:
        """What to choose from after these words; it fits any terminal."""
        width = min(shutil.get_terminal_size().columns, 100)
        indent = max(map(len, self.entries)) + 4
        lines = [f"usage: {words} COMMAND ...", "", *textwrap.wrap(self.summary, width), ""]
        for name, entry in self.entries.items():
            lines += textwrap.wrap(
                _summary(entry), width, initial_indent=f"  {name}".ljust(indent), subsequent_indent=" " * indent
            )
        return "\n".join([*lines, "", "For example:", f"  {self.example}", "", f"{words} COMMAND --help says more."])


def find(menu: Menu, words: Sequence[str], program: str) -> "tuple[Menu | type[Command], str, Sequence[str]]":
    """The command or menu that the first words mean, these words, and the rest."""
    if not words or words[0] in HELP:
        return menu, program, words
    entry = menu.entries.get(words[0])
    if entry is None:
        raise no_such("command", words[0], menu.entries, f"`{program} --help` lists them all")
    if isinstance(entry, Menu):
        return find(entry, words[1:], f"{program} {words[0]}")
    return entry, f"{program} {words[0]}", words[1:]


def _summary(entry: "Menu | type[Command]") -> str:
    if isinstance(entry, Menu):
        return entry.summary
    return " ".join((entry.__doc__ or "").partition("\n\n")[0].split())
