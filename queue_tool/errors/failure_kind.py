"""The kinds of failures of the database and of Redis."""

from __future__ import annotations

from enum import StrEnum


class FailureKind(StrEnum):
    """Why the database or Redis did not do what this process asked for."""

    AWAY = "away"
    """There is no answer: no connection, or it broke. The same call may succeed later."""

    REFUSES = "refuses"
    """It answers, but does not serve us now: read-only, damaged, a missing permission. An operator must act."""

    BUSY = "busy"
    """It has too much to do at the moment: a lock, a deadlock, a timeout, too many connections."""

    FULL = "full"
    """It has no room: disk or memory."""

    WRONG = "wrong"
    """The call itself is at fault: a value that cannot be stored, or a bug of ours. It fails forever."""
