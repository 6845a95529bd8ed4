"""The answer of a receiver, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request. A receiver that answers with a status has decided, whatever happens to its body."""

    status: int | None
    """The HTTP status; None: no complete header of an answer came."""
    text: str
    """The body as far as it came, at most 64 KiB with the header; bytes that are not UTF-8 are replaced."""
    problem: str | None
    """One sentence about what went wrong; None: a complete answer came, or one that was cut at 64 KiB."""
    seconds: float
    """How long the request took."""
    retry_after: float | None = None
    """The seconds that the receiver wants to be left alone; None: it does not say."""
