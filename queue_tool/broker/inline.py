"""The inline broker: no Redis and no worker. The caller that pushes a ticket runs its task at once.

It is for tests of applications that use this service, and for trying the service out.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager

from queue_tool.model.ticket import Ticket

Work = Callable[[Sequence[tuple[str, int]]], None]
"""Runs the tasks of these tokens and runs, one after the other."""


class InlineBroker:
    """Runs tasks in the thread that pushes their tickets."""

    has_lists = False

    def __init__(self, work: Work) -> None:
        """Keep the callback that runs tasks."""
        self._work = work

    def push(self, tickets: Sequence[Ticket]) -> None:
        """Run the tasks of the tickets, in this order; return when all of them have ended."""
        self._work([(ticket.token, ticket.run) for ticket in tickets])

    def push_first_runs(self, name: str, task_type: str, tokens: Sequence[str]) -> None:
        """Run the tasks, in this order; return when all of them have ended."""
        self._work([(token, 1) for token in tokens])

    @contextmanager
    def filling(self, name: str) -> Iterator[bool]:
        """Return a context whose value is True: no other process fills a list."""
        yield True

    def last_length(self, name: str) -> int:
        """Return 0: no ticket ever waits."""
        return 0

    def length(self, name: str) -> int:
        """Return 0: no ticket ever waits."""
        return 0

    def has_ticket(self, ticket_id: str) -> bool:
        """Return False: no ticket ever waits."""
        return False

    def discard(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: nothing is held."""

    def stop(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: there is no worker to notify."""

    def forget(self, names: Sequence[str]) -> set[str]:
        """Return nothing: no worker is registered."""
        return set()

    def queued(self) -> set[str]:
        """Return nothing: no ticket ever waits."""
        return set()

    def held(self) -> set[str]:
        """Return nothing: no worker holds a ticket."""
        return set()

    def drop(self, tickets: Container[str]) -> None:
        """Do nothing: nothing is held."""

    def incarnation(self) -> str:
        """Return a constant: no ticket can be lost."""
        return "inline"

    def take_over(self) -> None:
        """Do nothing: no ticket is held."""

    def check(self) -> None:
        """Do nothing: the inline broker always answers."""

    def close(self) -> None:
        """Do nothing: there is no connection."""
