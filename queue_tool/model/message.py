"""A message of a message queue: any JSON that one client pushes and another one pops. No worker runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

STANDARD_QUEUE = "default"
"""The message queue of a request that names none."""

LONGEST_MESSAGE = 2**20
"""Bytes of a message as JSON text."""

LONGEST_NAME = 255
"""Characters of the name of a message queue."""

LONGEST_LEASE = 43_200
"""Seconds, twelve hours."""

NOTHING = "Nada para expurgar"
"""The answer to a pop of an empty message queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A request to add a message."""

    queue: str
    body: str  # JSON text


@dataclass(frozen=True, slots=True, kw_only=True)
class Pop:
    """A request to take the oldest message."""

    queue: str
    lease: int | None = None  # seconds; None: the message is removed at once
    receipt: str = ""  # the name of the lease, if there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLease:
    """A request to end a lease."""

    receipt: str
    remove: bool  # True: the message was processed; False: give it back


Order = Push | Pop | EndLease


@dataclass(frozen=True, slots=True, kw_only=True)
class Popped:
    """A message that a client takes."""

    body: str  # JSON text
    deliveries: int  # how many times it was taken, this time included
    receipt: str | None = None  # None: it was removed
    leased_until: datetime | None = None  # the message is given to another client after this time


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCounts:
    """How many messages a message queue has."""

    queue: str
    waiting: int
    leased: int
    oldest: datetime | None  # when the oldest waiting message was pushed; None: no message waits


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """The next messages of a message queue, oldest first."""

    bodies: Sequence[str]  # JSON texts
    last: int | None  # the row after which the next page begins; None on the last page
