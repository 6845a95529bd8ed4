"""Reopen: at a user's request, failed or canceled tasks run again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from queue_tool.errors import StoreAway
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.filter import Filter
from queue_tool.model.states import Move
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.services.bulk import PART, Change, Changed, change_matching, change_these, count_only
from queue_tool.services.follow import Follow
from queue_tool.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """Reopens tasks."""

    store: Store
    telemetry: Telemetry
    clock: Clock
    follow: Follow

    def __call__(self, tokens: Sequence[str]) -> tuple[Ticket, ...]:
        """Put failed or canceled tasks back into the queue, with as many attempts as a new task.

        Returns:
            The tickets of the reopened tasks. A task is missing if it is unknown, if it neither failed nor was
            canceled, or if another task now has its unique key.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        tickets = self.store.control.reopen(tokens)
        for ticket in tickets:
            self.telemetry.emit(events.TaskReopened(token=ticket.token, run=ticket.run))
        return tickets

    def these(self, tokens: Sequence[str], *, dry_run: bool = False) -> Changed:
        """Reopen tasks by their tokens, one part per transaction. With `dry_run`, only count them.

        Raises:
            PartlyChanged: the database became unavailable after some tasks were reopened.
            StoreAway: the database is busy or away, and nothing was changed.
        """
        with self._holding() as change:
            return change_these(self.store, tokens, count_only if dry_run else change, self._report)

    def matching(self, wanted: Filter, *, dry_run: bool = False) -> Changed:
        """Reopen all failed or canceled tasks that match a filter, one part per transaction. Or only count them.

        Raises:
            PartlyChanged: the database became unavailable after some tasks were reopened.
            StoreAway: the database is busy or away, and nothing was changed.
        """
        with self._holding() as change:
            return change_matching(self.store, wanted, Move.REOPEN, count_only if dry_run else change, self._report)

    @contextmanager
    def _holding(self) -> Iterator[Change]:
        """Return what reopens one part. No batch ends before the last part, if there are several.

        A batch that ended in between would run its continuations for only some of its tasks.
        """
        held: set[int] = set()

        def change(part: list[str]) -> int:
            has_more = len(part) >= PART or bool(held)
            return len(self.store.control.reopen(part, self.clock.now(), held if has_more else None))

        try:
            yield change
        finally:
            if held:
                self._release(held)

    def _release(self, held: set[int]) -> None:
        with suppress(StoreAway):  # then a sweeper releases them
            ended = self.store.control.release(held, self.clock.now())
            for batch in ended.finished:
                self.telemetry.emit(events.BatchFinished(batch=batch))
            self.follow(ended.made)

    def _report(self, result: Changed) -> None:
        self.telemetry.emit(events.TasksReopened(matched=result.matched, changed=result.changed))
