"""Errors that only the Python client raises. It raises the service's own errors as the service does."""

from __future__ import annotations

from queue_tool.errors.base import QueueToolError


class ServiceAway(QueueToolError):
    """The service does not answer."""

    code = "service_away"


class AnswerLost(QueueToolError):
    """The connection broke before the answer came. It is not known whether the request changed anything."""

    code = "answer_lost"


class UnexpectedAnswer(QueueToolError):
    """The answer is not one of Queue Tool."""

    code = "unexpected_answer"

    status: int = 0

    @classmethod
    def because(cls, status: int, sentence: str, *, retry_after: int | None = None) -> UnexpectedAnswer:
        """Return the error.

        Args:
            status: the HTTP status of the answer.
            sentence: what is wrong with the answer.
            retry_after: the seconds in its header `Retry-After`, if it has this header.
        """
        error = cls(sentence, retry_after=retry_after)
        error.status = status
        return error


class NotFinished(QueueToolError, TimeoutError):
    """The batch did not end in the given time."""

    code = "not_finished"
