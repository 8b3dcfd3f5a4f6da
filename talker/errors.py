"""The one exception a user can cause and can mend."""


class TalkerError(Exception):
    """Something about the user's input is wrong; the message says what, where, and what to do.

    The command line prints it as a single line and exits with status 2; nothing else is caught.
    """
