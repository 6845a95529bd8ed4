"""Cancel: ends unfinished tasks, whether they are scheduled, queued or running."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway
from queue_tool.model import events
from queue_tool.model.bounded_text import keepable
from queue_tool.model.clock import Clock
from queue_tool.model.filter import Filter
from queue_tool.model.states import Move
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.tokens import is_well_formed
from queue_tool.services.bulk import Change, Changed, change_matching, change_these, count_only
from queue_tool.services.follow import Follow
from queue_tool.store import Canceled, Store

LONGEST_TEXT = 1000
"""The maximum number of characters kept of each: who canceled a task, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancels tasks."""

    store: Store
    broker: Broker
    telemetry: Telemetry
    clock: Clock
    follow: Follow

    def __call__(self, tokens: Sequence[str], by: str = "", reason: str = "", *, key: str | None = None) -> Canceled:
        """Cancel unfinished tasks, and send a stop command to the workers of the running ones.

        A worker that cannot be notified now finds the cancel by itself within some seconds. The result of a canceled
        run is discarded.

        Args:
            tokens: the tasks.
            by: who cancels them, as the request says.
            reason: why.
            key: the name of the API key of the request, if it has one.

        Returns:
            The tasks that were canceled. A task is missing if it had already ended or is unknown.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        by, reason = _kept(by), _kept(reason)
        canceled = self._cancel(tokens, by, reason, key)
        for ticket in canceled.tickets:
            self.telemetry.emit(
                events.TaskCanceled(token=ticket.token, run=ticket.run, by=by, reason=reason, key=key or None)
            )
        return canceled

    def these(
        self, tokens: Sequence[str], by: str = "", reason: str = "", *, key: str | None = None, dry_run: bool = False
    ) -> Changed:
        """Cancel tasks by their tokens, one part per transaction. With `dry_run`, only count them.

        Raises:
            PartlyChanged: the database became unavailable after some tasks were canceled.
            StoreAway: the database is busy or away, and nothing was changed.
        """
        change, done = self._bulk(_kept(by), _kept(reason), key, dry_run=dry_run)
        return change_these(self.store, tokens, change, done)

    def matching(
        self,
        wanted: Filter,
        by: str = "",
        reason: str = "",
        *,
        key: str | None = None,
        dry_run: bool = False,
        continues: bool = True,
    ) -> Changed:
        """Cancel all unfinished tasks that match a filter, one part per transaction. With `dry_run`, only count them.

        Without `continues`, the continuations of these tasks do not run.

        Raises:
            PartlyChanged: the database became unavailable after some tasks were canceled.
            StoreAway: the database is busy or away, and nothing was changed.
        """
        change, done = self._bulk(_kept(by), _kept(reason), key, dry_run=dry_run, continues=continues)
        return change_matching(self.store, wanted, Move.CANCEL, change, done)

    def suppress(self, batch: str) -> None:
        """Let nothing follow when a batch ends, unless it has ended or is reopened later. An unknown id does nothing.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        if is_well_formed(batch):
            self.store.control.suppress(batch)

    def _bulk(
        self, by: str, reason: str, key: str | None, *, dry_run: bool, continues: bool = True
    ) -> tuple[Change, Callable[[Changed], None]]:
        """Return the change of one part, and the function that reports all parts as one event."""

        def change(part: list[str]) -> int:
            return len(self._cancel(part, by, reason, key, continues=continues).tickets)

        def done(result: Changed) -> None:
            self.telemetry.emit(
                events.TasksCanceled(
                    matched=result.matched, changed=result.changed, by=by, reason=reason, key=key or None
                )
            )

        return count_only if dry_run else change, done

    def _cancel(
        self, tokens: Sequence[str], by: str, reason: str, key: str | None, *, continues: bool = True
    ) -> Canceled:
        canceled = self.store.control.cancel(tokens, by, reason, self.clock.now(), key or None, continues=continues)
        for batch in canceled.finished:
            self.telemetry.emit(events.BatchFinished(batch=batch))
        self.follow(canceled.made)
        running = [ticket for ticket in canceled.tickets if ticket.token in canceled.running]
        try:
            self.broker.stop(running)
        except BrokerAway as error:
            self.telemetry.emit(events.Warned(reason=error.sentence))
        return canceled


def _kept(text: str) -> str:
    return keepable(text, LONGEST_TEXT)
