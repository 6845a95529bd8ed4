"""The broker: carries tickets to workers. It is RQ on Redis or Valkey, or `inline`, which needs neither.

If a broker loses tickets, no task is lost: the store knows which tickets should be there.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from queue_tool.broker.inline import InlineBroker
from queue_tool.broker.rq import RqBroker
from queue_tool.model.ticket import Ticket

__all__ = ["Broker", "InlineBroker", "RqBroker"]


class Broker(Protocol):
    """The operations of every broker. Each method is safe to repeat."""

    has_lists: bool  # whether tickets wait in lists; then one push for many callers is faster than a push for each

    def push(self, tickets: Sequence[Ticket]) -> None:
        """Put tickets into their lists, in this order.

        Raises:
            BrokerAway: some or all of the tickets may be missing.
        """

    def push_first_runs(self, name: str, task_type: str, tokens: Sequence[str]) -> None:
        """Put the tickets of the first runs of these tasks, all of one type, into a list, in this order.

        It does the same as `push`, and saves the caller from making the tickets.

        Raises:
            BrokerAway: some or all of the tickets may be missing.
        """

    def last_length(self, name: str) -> int:
        """Return how many tickets waited in a list after this process's last push or query; 0 if there was none."""

    def filling(self, name: str) -> AbstractContextManager[bool]:
        """Return a context in which at most one process fills a list. Its value says whether this is the process.

        The context may end before the block does, if the process stood still. Then two processes may push the same
        tickets, which is harmless.

        Raises:
            BrokerAway: the broker does not answer.
        """

    def length(self, name: str) -> int:
        """Return how many tickets wait in a list.

        Raises:
            BrokerAway: the broker does not answer.
        """

    def has_ticket(self, ticket_id: str) -> bool:
        """Return whether a ticket waits in a list, or a worker has it.

        Raises:
            BrokerAway: the broker does not answer.
        """

    def discard(self, tickets: Sequence[Ticket]) -> None:
        """Remove everything that is held for tickets that no worker needs any more.

        Raises:
            BrokerAway: some of it may still be there.
        """

    def stop(self, tickets: Sequence[Ticket]) -> None:
        """Send a stop command to the workers that run these tickets. A run that has just started may miss it.

        Raises:
            BrokerAway: some workers may not have been notified.
        """

    def forget(self, names: Sequence[str]) -> set[str]:
        """Remove everything that is held for these dead workers; return the ids of the tickets that they held.

        Raises:
            BrokerAway: some of it may still be there.
        """

    def queued(self) -> set[str]:
        """Return the ids of all tickets that wait in a list.

        Raises:
            BrokerAway: the broker does not answer.
        """

    def held(self) -> set[str]:
        """Return the ids of all tickets that workers hold.

        Raises:
            BrokerAway: the broker does not answer.
        """

    def drop(self, tickets: Container[str]) -> None:
        """Remove these tickets, whoever holds them.

        Raises:
            BrokerAway: some of them may still be there.
        """

    def incarnation(self) -> str:
        """Return a text that changes whenever tickets may have been lost, as in a restart or a wipe.

        Raises:
            BrokerAway: the broker does not answer.
        """

    def take_over(self) -> None:
        """Carry the tickets of this database from now on, even if it carried those of another database.

        Raises:
            BrokerAway: the broker does not answer.
        """

    def check(self) -> None:
        """Do nothing if the broker can do all that the system needs.

        Raises:
            BrokerAway: the broker does not answer or cannot do something. The sentence names it.
        """

    def close(self) -> None:
        """Close every connection."""
