"""Dead letters: the tasks that failed for good, removed when nobody wants them any more; `Reopen` retries them."""

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
    """The service, with what it works on."""

    store: Store
    telemetry: Telemetry
    clock: Clock

    def purge(self, older_than: timedelta) -> int:
        """Remove those that had ended before so long a time, with all that is kept of them; return how many.

        They are counted off their batches, so that the counts go on to sum.

        Raises:
            StoreAway: the database is busy or away; some may have been removed.
        """
        wanted = Filter(states=frozenset({State.FAILED}), ended_before=self.clock.now() - older_than)
        removed = sum(self.store.control.remove(page) for page in self.store.control.matching(wanted))
        self.telemetry.emit(events.SweptOld(tasks=removed))
        return removed
