"""Ask: the current status of tasks and batches, from the store alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from queue_tool.errors import BatchNotFound, TaskNotFound
from queue_tool.model import tokens
from queue_tool.model.batch import Batch
from queue_tool.model.batch_ends import BatchEnds
from queue_tool.model.details import Details, ElementResult
from queue_tool.model.states import State
from queue_tool.model.task import Status
from queue_tool.services.together import Together
from queue_tool.store import Store, Totals

Found = TypeVar("Found")


class Ask:
    """Answers queries about tasks and batches."""

    def __init__(self, *, store: Store) -> None:
        """Use this store."""
        self.store = store
        self._batches = Together[str, Batch | None](store.batches.get_all)

    @property
    def waiting(self) -> int:
        """Return how many queries for batches wait for the next read, which answers all of them."""
        return self._batches.waiting

    def task(self, token: str) -> Status:
        """Return the status of a task.

        Raises:
            TaskNotFound: the token is unknown or malformed.
        """
        return _found(token, self.store.tasks.status)

    def tasks(self, wanted: Sequence[str]) -> list[Status | None]:
        """Return the status of each task, in the order of the tokens; None for an unknown or malformed token."""
        known = self.store.tasks.statuses([token for token in wanted if tokens.is_well_formed(token)])
        return [known.get(token) for token in wanted]

    def details(self, token: str) -> Details:
        """Return everything that is known about a task.

        Raises:
            TaskNotFound: the token is unknown or malformed.
        """
        return _found(token, self.store.listing.details)

    def states(self, wanted: Sequence[str]) -> list[State | None]:
        """Return the state of each task, in the order of the tokens; None for an unknown token."""
        known = self.store.tasks.states([token for token in wanted if tokens.is_well_formed(token)])
        return [known.get(token) for token in wanted]

    def batch(self, public_id: str) -> Batch:
        """Return the status of a batch. All queries that come while one is answered share the next read.

        Raises:
            BatchNotFound: no batch has this id.
        """
        found = self._batches(public_id) if tokens.is_well_formed(public_id) else None
        if found is None:
            raise BatchNotFound
        return found

    def batches(self, public_ids: Sequence[str]) -> list[Batch | None]:
        """Return the status of each batch, with its counts; None for an unknown one."""
        return self.store.batches.get_all(public_ids)

    def ends(self, batch: str) -> BatchEnds:
        """Return when tasks of a batch ended: all of them, or an even sample of a large batch."""
        return self.store.batch_ends(batch)

    def refusals(self, batch: str) -> Iterator[ElementResult]:
        """Return the refused elements of a batch, in the order sent; they are read while the caller iterates."""
        return self.store.results.refused(batch)

    def results(self, batch: str) -> Iterator[ElementResult]:
        """Return the result of each element of a batch, in the order sent; they are read while the caller iterates.

        Raises:
            BatchNotFound: no batch has this id.
        """
        self.batch(batch)
        return self.store.results.of(batch)

    def lag(self, now: datetime) -> float:
        """Return the seconds since the oldest queued task was sent; 0 if no task is queued."""
        oldest = self.store.tickets.oldest_waiting()
        return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())

    def totals(self) -> Totals:
        """Return how many batches, tasks and refused elements there are, all at one moment."""
        return self.store.totals()


def _found(token: str, look_up: Callable[[str], Found | None]) -> Found:
    """Return what `look_up` finds for a token. A malformed token is not looked up in the store.

    Raises:
        TaskNotFound: the token is unknown or malformed.
    """
    found = look_up(token) if tokens.is_well_formed(token) else None
    if found is None:
        raise TaskNotFound
    return found
