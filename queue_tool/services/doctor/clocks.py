"""The check of the clocks: how far the clock of the database is from that of this host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from queue_tool.model.clock import Clock
from queue_tool.services.doctor.finding import Finding, ok, warning, wrong
from queue_tool.store import Store

APART, FAR_APART = 1.0, 60.0
"""Seconds: a larger difference than the first is a warning, than the second is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClocksCheck:
    """Compares the two clocks."""

    store: Store
    clock: Clock
    name: str = "clocks"

    def __call__(self) -> Iterator[Finding]:
        """Return the difference.

        Raises:
            StoreAway: the database cannot be reached.
        """
        if self.store.database.is_file:
            yield ok(self, "The database uses the clock of this host")
            return
        before = self.clock.now()
        there = self.store.schedules.now(before)
        here = before + (self.clock.now() - before) / 2
        seconds = abs((there - here).total_seconds())
        found = f"The clocks of this host and of the database are {seconds:.1f} s apart"
        remedy = "synchronize both (NTP): delays, schedules and times of tasks depend on them"
        if seconds > FAR_APART:
            yield wrong(self, found, remedy)
        else:
            yield warning(self, found, remedy) if seconds > APART else ok(self, found)
