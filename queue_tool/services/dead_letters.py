"""Dead letters: tasks that failed for good. This service removes old ones; `Reopen` retries them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.filter import Filter
from queue_tool.model.states import State
from queue_tool.model.telemetry import Telemetry
from queue_tool.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Removes old dead letters."""

    store: Store
    telemetry: Telemetry
    clock: Clock

    def purge(self, older_than: timedelta) -> int:
        """Remove the tasks that failed more than `older_than` ago, with all their records; return how many.

        The counts of their batches are reduced too, so that they still sum to the total.

        Raises:
            StoreAway: the database is busy or away; some tasks may already be removed.
        """
        wanted = Filter(states=frozenset({State.FAILED}), ended_before=self.clock.now() - older_than)
        removed = sum(self.store.control.remove(page) for page in self.store.control.matching(wanted))
        self.telemetry.emit(events.SweptOld(tasks=removed))
        return removed
