"""Dead letters: tasks that failed for good. This service groups and removes them; `Reopen` retries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from queue_tool.errors import PartlyChanged, StoreAway
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.failures import Failures, grouped
from queue_tool.model.filter import Filter
from queue_tool.model.states import State
from queue_tool.model.telemetry import Telemetry
from queue_tool.store import Store

MOST_GROUPED = 5000
"""The newest dead letters that are grouped. With more of them, the rest follows when these are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Groups dead letters, and removes old ones."""

    store: Store
    telemetry: Telemetry
    clock: Clock

    def groups(self) -> Sequence[Failures]:
        """Return the kinds of the newest dead letters, those with the most tasks first.

        Raises:
            StoreAway: the database is busy or away.
        """
        return grouped(self.store.newest_failed(MOST_GROUPED))

    def purge(self, older_than: timedelta) -> int:
        """Remove the tasks that failed more than `older_than` ago, with all their records; return how many.

        The counts of their batches are reduced too, so that they still sum to the total.

        Raises:
            PartlyChanged: the database became unavailable after some tasks were removed.
            StoreAway: the database is busy or away, and nothing was removed.
        """
        wanted = Filter(states=frozenset({State.FAILED}), ended_before=self.clock.now() - older_than)
        removed = 0
        try:
            for page in self.store.control.matching(wanted):
                removed += self.store.control.remove(page)
        except StoreAway as error:
            if not removed:
                raise
            raise PartlyChanged(
                f"The database became unavailable after {removed} tasks were removed. "
                "Send this request again to remove the rest.",
                retry_after=1,
            ) from error
        finally:
            self.telemetry.emit(events.SweptOld(tasks=removed))
        return removed
