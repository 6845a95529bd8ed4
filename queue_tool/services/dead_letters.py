"""Dead letters: tasks that failed for good. This service groups and removes them; `Reopen` retries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from queue_tool.errors import PartlyChanged, StoreAway
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.failures import Failures, grouped
from queue_tool.model.filter import Filter
from queue_tool.model.states import State
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.bulk import Changed, change_these
from queue_tool.store import Store

MOST_GROUPED = 5000
"""The newest dead letters that are grouped. With more of them, the rest follows when these are gone."""

FAILED = frozenset({State.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Groups dead letters, and removes them."""

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
        return self.remove_matching(self._older(older_than)).changed

    def purgeable(self, older_than: timedelta) -> int:
        """Return how many tasks `purge` would remove now.

        Raises:
            StoreAway: the database is busy or away.
        """
        pages = self.store.control.matching(replace(self._older(older_than), states=FAILED))
        return sum(self.store.control.removable(page, only=State.FAILED) for page in pages)

    def remove_matching(self, wanted: Filter) -> Changed:
        """Remove the failed tasks that match a filter. Those of a batch that has not ended stay.

        Raises:
            PartlyChanged: the database became unavailable after some tasks were removed.
            StoreAway: the database is busy or away, and nothing was removed.
        """
        possible = removable(wanted)
        matched = removed = 0
        try:
            for page in () if possible is None else self.store.control.matching(possible):
                removed += self._remove(page)
                matched += len(page)
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
        return Changed(matched=matched, changed=removed)

    def remove_these(self, tokens: Sequence[str]) -> Changed:
        """Remove failed tasks by their tokens. Unknown ones are skipped, and those of a batch that has not ended stay.

        Raises:
            PartlyChanged: the database became unavailable after some tasks were removed.
            StoreAway: the database is busy or away, and nothing was removed.
        """
        return change_these(self.store, tokens, self._remove, self._report)

    def _older(self, age: timedelta) -> Filter:
        return Filter(ended_before=self.clock.now() - age)

    def _remove(self, tokens: list[str]) -> int:
        return self.store.control.remove(tokens, only=State.FAILED)

    def _report(self, removed: Changed) -> None:
        self.telemetry.emit(events.SweptOld(tasks=removed.changed))


def removable(wanted: Filter) -> Filter | None:
    """Return the filter that selects only failed tasks; None if it selects none of them."""
    return None if wanted.states and State.FAILED not in wanted.states else replace(wanted, states=FAILED)
