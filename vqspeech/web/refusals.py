"""What can go wrong, as the page shows it: one line, without a path of this machine."""

from __future__ import annotations

from http import HTTPStatus

from vqspeech.errors import InputError

#: Shown where the fault is ours; the traceback is on the server's terminal.
INTERNAL = "the server failed at this; its terminal says how"


class Refused(Exception):  # noqa: N818
    """A request that is not done.

    Args:
        message: for the page.
        status: of the HTTP response, where none has begun.
    """

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def line_of(error: InputError) -> str:
    """An error of the toolkit without its place, which is a temporary file's name or a folder of the server."""
    return str(InputError(error.problem, hint=error.hint))
