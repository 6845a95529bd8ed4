"""Ask: how tasks and batches stand, from the store alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from queue_tool.errors import BatchNotFound, TaskNotFound
from queue_tool.model import tokens
from queue_tool.model.batch import Batch
from queue_tool.model.details import Details, ElementResult
from queue_tool.model.states import State
from queue_tool.model.task import Status
from queue_tool.store import Store, Totals

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The service, with what it works on."""

    store: Store

    def task(self, token: str) -> Status:
        """Return how a task stands.

        Raises:
            TaskNotFound: the token is unknown, or could not be one.
        """
        return _found(token, self.store.tasks.status)

    def details(self, token: str) -> Details:
        """Return all that is known of a task.

        Raises:
            TaskNotFound: the token is unknown, or could not be one.
        """
        return _found(token, self.store.listing.details)

    def states(self, wanted: Sequence[str]) -> list[State | None]:
        """Return the state of each token in the order asked; None for one that is unknown."""
        known = self.store.tasks.states([token for token in wanted if tokens.is_well_formed(token)])
        return [known.get(token) for token in wanted]

    def batch(self, public_id: str) -> Batch:
        """Return how a batch stands.

        Raises:
            BatchNotFound: there is none with this id.
        """
        if not tokens.is_well_formed(public_id):
            raise BatchNotFound
        return self.store.batches.get(public_id)

    def results(self, batch: str) -> Iterator[ElementResult]:
        """Return what became of each element of a batch, in the order sent, read as it is taken.

        Raises:
            BatchNotFound: there is none with this id.
        """
        self.batch(batch)
        return self.store.results.of(batch)

    def lag(self, now: datetime) -> float:
        """Return how long the oldest task that waits for a worker has waited, in seconds; 0 where none waits."""
        oldest = self.store.tickets.oldest_waiting()
        return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())

    def totals(self) -> Totals:
        """Return the sums over all batches that are stored."""
        return self.store.batches.totals()


def _found(token: str, look_up: Callable[[str], Found | None]) -> Found:
    """Return what there is of a task; the store is not asked for what cannot be a token."""
    found = look_up(token) if tokens.is_well_formed(token) else None
    if found is None:
        raise TaskNotFound
    return found
