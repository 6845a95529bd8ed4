"""The line of a part: makes sure that tickets which wait behind others of their batch are really in line.

A filler that has read a line before the part was committed may take the batch out of the line. So this check holds the
lock of each list, under which no filler works.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from queue_tool.broker import Broker
from queue_tool.store import Part, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLine:
    """Checks parts whose tickets wait behind others of the batch."""

    store: Store
    broker: Broker

    def __call__(self, part: Part, names: Iterable[str]) -> bool:
        """Let the batch join the line of each list again from which a filler has taken it too early.

        Args:
            part: the part.
            names: the lists of its tickets.

        Returns:
            False if another process fills one of the lists now: then the check must be repeated.

        Raises:
            BrokerAway: the broker does not answer.
            StoreAway: the database is busy or away.
        """
        checked = [self._check(part, name) for name in names]
        return all(checked)

    def _check(self, part: Part, name: str) -> bool:
        with self.broker.filling(name) as is_mine:
            if not is_mine:
                return False
            token = self.store.parts.out_of_line(part, name)
            # The last ticket of the part is in Redis only if a filler has pushed all of them.
            if token is not None and not self.broker.has_ticket(token):
                self.store.parts.join_again(part, name)
        return True
