"""The broker: what carries tickets to workers. RQ on Redis or Valkey, or nothing at all (`inline`).

It may lose every ticket without losing a task: the rows in the store say what should be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from queue_tool.broker.inline import InlineBroker
from queue_tool.broker.rq import RqBroker
from queue_tool.model.ticket import Ticket

__all__ = ["Broker", "InlineBroker", "RqBroker"]


class Broker(Protocol):
    """What every broker can do. Each method is safe to repeat."""

    def push(self, tickets: Sequence[Ticket]) -> None:
        """Put tickets into their lists, in this order.

        Raises:
            BrokerAway: some or all of them may be missing.
        """

    def has_room(self, name: str, count: int, most: int) -> bool:
        """Tell whether a list can take so many more tickets without holding more than `most`.

        It asks only where what it was told at the last push leaves a doubt, and says yes where it cannot know.
        """

    def length(self, name: str) -> int:
        """Return how many tickets wait in a list.

        Raises:
            BrokerAway: it cannot be known.
        """

    def discard(self, tickets: Sequence[Ticket]) -> None:
        """Remove all that is held of tickets that nobody will work on any more.

        Raises:
            BrokerAway: some of it may still be there.
        """

    def stop(self, tickets: Sequence[Ticket]) -> None:
        """Tell the workers that run these tickets to stop; one that has just begun may not hear of it.

        Raises:
            BrokerAway: some may not have been told.
        """

    def forget(self, names: Sequence[str]) -> set[str]:
        """Remove what is held of dead workers, by their names; return the ids of the tickets that they held.

        Raises:
            BrokerAway: some of it may still be there.
        """

    def queued(self) -> set[str]:
        """Return the ids of all tickets that wait in a list.

        Raises:
            BrokerAway: it cannot be known.
        """

    def incarnation(self) -> str:
        """Return a text that changes whenever tickets may have been lost: at a restart, at a wipe.

        Raises:
            BrokerAway: it cannot be known.
        """

    def take_over(self) -> None:
        """Carry this database's tickets from now on, whosever it carried.

        Raises:
            BrokerAway: it does not answer.
        """

    def check(self) -> None:
        """Do nothing if the broker answers.

        Raises:
            BrokerAway: it does not.
        """

    def close(self) -> None:
        """Close every connection."""
