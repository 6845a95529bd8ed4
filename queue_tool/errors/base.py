"""The root of the error tree."""

from __future__ import annotations

from typing import ClassVar

FAILS_AGAIN = "The same request fails again."
"""In the remedy of an error that a repetition cannot avoid."""

AFTER_A_WHILE = "Send the same request again after the seconds in `Retry-After`."
"""In the remedy of an error whose `retry_after` is always set."""


class QueueToolError(Exception):
    """An internal error occurred in Queue Tool."""

    code: ClassVar[str] = "internal_error"

    cause: ClassVar[str] = "The service has a bug. It is not known whether the request changed anything."
    """Why a client of HTTP gets the error. An error that HTTP does not know needs no text of its own."""

    remedy: ClassVar[str] = (
        "Send the same request again only if it reads, or if it has an `Idempotency-Key`. "
        "The operator finds the error with its traceback in the log: please report it."
    )
    """What the client or the operator does now, and whether the client may send the same request again."""

    request_id: str | None = None
    """The id of the HTTP request, if the client got the error from the service: the service's log has it too."""

    def __init__(self, sentence: str | None = None, *, retry_after: int | None = None) -> None:
        """Create the error.

        Args:
            sentence: what the user reads; None: the class's default sentence.
            retry_after: seconds after which a retry may succeed; None: unknown, or a retry does not help.
        """
        self.sentence = sentence or type(self).default_sentence()
        self.retry_after = retry_after
        super().__init__(self.sentence)

    @property
    def for_operator(self) -> str:
        """Return what a command prints: one sentence that may hold more than a client of HTTP may read."""
        return self.sentence

    @classmethod
    def default_sentence(cls) -> str:
        """Return the first line of the class's docstring."""
        return (cls.__doc__ or QueueToolError.__doc__ or "").strip().splitlines()[0]
