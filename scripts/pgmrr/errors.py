"""The one kind of error that a user sees as a line of text."""


class PgmrrError(Exception):
    """A problem that the user can mend.

    The command line prints it as one line, ``error: <message>``, followed by
    ``hint: <hint>`` where there is one, and exits with code 1.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
