"""The one exception a user can cause and can mend."""

from collections.abc import Iterable


class TalkerError(Exception):
    """Something about the user's input is wrong; the message says what, where, and what to do.

    The command line prints it as a single line and exits with status 2; nothing else is caught.
    """


def no_such(kind: str, name: str, choices: Iterable[str], listed: str = "") -> TalkerError:
    """The error for a name that is none of the choices: it suggests the nearest one and tells them all.

    `listed` says where to find them, when they are too many for a line.
    """
    import difflib

    known = list(choices)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return TalkerError(f"no such {kind} '{name}'{hint}; {listed or 'choices: ' + ', '.join(known)}")
