"""What a user can meet: every error that ppedge raises on purpose.

The command line prints ``message`` and ``hint`` and ends with ``exit_code``; a traceback is shown only under
``--debug``. A message says what is wrong and where (file, line, key); a hint says what to do.
"""

from __future__ import annotations


class PpedgeError(Exception):
    """Bad input or usage (exit code 2), and the parent of the other errors.

    Args:
        message: One sentence: what is wrong, and where.
        hint: One sentence: what to do about it.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[type[PpedgeError], tuple[str, str]]:
        """Errors cross process borders whole (loader workers raise them)."""
        return type(self), (self.message, self.hint)


class GateError(PpedgeError):
    """A limit that the recipe sets was not met."""

    exit_code = 1


class Interrupted(PpedgeError):  # noqa: N818 - what happened is no error
    """Ctrl-C or SIGTERM; the checkpoint is written."""

    exit_code = 130


class MissingError(PpedgeError):
    """Something on the machine is missing: a library, a device, a tool, space on a disk."""

    exit_code = 3


def require_utf8(name: str) -> None:
    """Refuse a name that is not UTF-8: neither JSON nor YAML can hold it.

    Raises:
        PpedgeError: It is not.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise PpedgeError(f"{shown}: a name that is not UTF-8.", "Rename the file or folder.") from error
