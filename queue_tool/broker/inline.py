"""The inline broker: no Redis and no worker; a ticket that is pushed is worked on at once, by the one who pushes.

For tests of applications that use this service, and for trying it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from queue_tool.model.ticket import Ticket

Work = Callable[[Sequence[tuple[str, int]]], None]
"""Does the tasks of these tokens and runs, one after the other."""


class InlineBroker:
    """Works on tickets in the thread that pushes them."""

    def __init__(self, work: Work) -> None:
        """Keep what does the work."""
        self._work = work

    def push(self, tickets: Sequence[Ticket]) -> None:
        """Work on the tickets, in this order; return when all are done."""
        self._work([(ticket.token, ticket.run) for ticket in tickets])

    def has_room(self, name: str, count: int, most: int) -> bool:  # noqa: ARG002 - the word of every broker
        """Say yes: no ticket ever waits."""
        return True

    def length(self, name: str) -> int:  # noqa: ARG002 - the word of every broker
        """Return 0: no ticket ever waits."""
        return 0

    def discard(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: nothing is held."""

    def stop(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: whoever asks is not the one who works."""

    def forget(self, names: Sequence[str]) -> set[str]:  # noqa: ARG002 - the word of every broker
        """Return nothing: no worker is registered."""
        return set()

    def queued(self) -> set[str]:
        """Return nothing: no ticket ever waits."""
        return set()

    def incarnation(self) -> str:
        """Return the same text always: there is nothing to lose."""
        return "inline"

    def take_over(self) -> None:
        """Do nothing: it carries nothing."""

    def check(self) -> None:
        """Do nothing: it always answers."""

    def close(self) -> None:
        """Do nothing: it has no connection."""
