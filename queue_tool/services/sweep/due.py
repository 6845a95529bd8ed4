"""Due: changes that depend on the time. Scheduled tasks become due, tasks expire, and old ended tasks are removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from queue_tool.model import events
from queue_tool.model.batch import SealedBy
from queue_tool.model.clock import Clock
from queue_tool.model.states import Code
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.follow import announce
from queue_tool.store import Store

PAGE = 1000
"""The maximum number of tasks that one transaction changes."""

OPEN_FOR = timedelta(hours=24)
"""How long an open batch may get no elements."""

MAX_PAGES = 20
"""The maximum number of pages of due tasks in one call: the caller has other work too."""

SCAN_EVERY = 600.0
"""Seconds between two scans of all tasks for old ones."""


@dataclass(slots=True, kw_only=True)
class Due:
    """Does what is due. It remembers how far its scan for old tasks has come."""

    store: Store
    telemetry: Telemetry
    clock: Clock
    retention: timedelta | None  # how long ended tasks are kept; None keeps them forever
    _after: int = field(default=0, init=False)  # id of the last row that the scan has read
    _scanned: float | None = field(default=None, init=False)  # monotonic: when the last scan ended; None during a scan

    def __call__(self) -> None:
        """Fail expired tasks, queue due tasks, and remove old tasks, a limited number of each.

        Raises:
            StoreAway: the database is busy or away; the next call continues.
        """
        self.tasks()
        self.store.idempotency.forget(self.clock.now())
        self._seal_idle()
        self._release()
        self.forget()

    def forget(self) -> None:
        """Remove old tasks, a limited number of them.

        Raises:
            StoreAway: the database is busy or away; the next call continues.
        """
        if self.retention is not None:
            self._forget(self.clock.now() - self.retention)

    def tasks(self) -> None:
        """Fail expired tasks, and queue due tasks.

        Raises:
            StoreAway: the database is busy or away; the next call continues.
        """
        self._expire()
        self._come_due()

    def _seal_idle(self) -> None:
        """Seal the open batches that got no elements for a day."""
        now = self.clock.now()
        for batch in self.store.open_batches.idle(now, OPEN_FOR):
            sealed = self.store.open_batches.seal(batch, SealedBy.SWEEPER, now, patience=OPEN_FOR)
            if sealed.was_open:
                self.telemetry.emit(events.BatchSealed(batch=batch, by=SealedBy.SWEEPER.value))
            if sealed.is_finished:
                self.telemetry.emit(events.BatchFinished(batch=batch))
            announce(self.telemetry, sealed.made)

    def _release(self) -> None:
        """End the batches that a bulk retry holds which has died."""
        ended = self.store.upkeep.release(self.clock.now())
        for batch in ended.finished:
            self.telemetry.emit(events.BatchFinished(batch=batch))
        announce(self.telemetry, ended.made)

    def _come_due(self) -> None:
        count = 0
        for _ in range(MAX_PAGES):
            found = self.store.upkeep.come_due(self.clock.now(), PAGE)
            count += found
            if found < PAGE:
                break
        if count:
            self.telemetry.emit(events.SweptDue(tasks=count))

    def _expire(self) -> None:
        expired = self.store.upkeep.expire(self.clock.now(), PAGE)
        for token in expired.tokens:
            self.telemetry.emit(events.TaskFailed(token=token, code=Code.EXPIRED))
        for batch in expired.finished:
            self.telemetry.emit(events.BatchFinished(batch=batch))
        announce(self.telemetry, expired.made)

    def _forget(self, ended_before: datetime) -> None:
        """Do the next step of the scan for old tasks. A new scan starts `SCAN_EVERY` after the last one has ended."""
        if self._scanned is not None and self.clock.monotonic() - self._scanned < SCAN_EVERY:
            return
        self._scanned = None
        removed = self.store.upkeep.forget(ended_before, self._after, PAGE)
        self._after = removed.last
        if removed.last == 0:
            self._scanned = self.clock.monotonic()
            self.store.upkeep.forget_batches(ended_before)
            self.store.workers.forget(ended_before)
        if removed.tasks:
            self.telemetry.emit(events.SweptOld(tasks=removed.tasks))
