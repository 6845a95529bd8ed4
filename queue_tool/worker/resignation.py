"""The resignation of a worker that cannot go on: it says why, takes nothing new, and is replaced after its drain."""

from __future__ import annotations

import contextlib

from queue_tool.errors import StoreAway
from queue_tool.model import events
from queue_tool.model.run import Run
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.owner import Owner
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.watchdog import Stuck

REPLACED = "this worker ends and is replaced"


class Resignation:
    """Ends a worker by itself."""

    def __init__(self, owner: Owner, telemetry: Telemetry, inbox: Inbox, drain: float) -> None:
        """Prepare.

        Args:
            owner: the worker process.
            telemetry: receives the events.
            inbox: through which the pump is asked to end.
            drain: seconds that active runs may take then.
        """
        self._owner = owner
        self._telemetry = telemetry
        self._inbox = inbox
        self._drain = drain

    def for_threads(self) -> None:
        """Resign because abandoned functions take every thread."""
        reason = f"every thread is busy with an abandoned function: {REPLACED}"
        self._telemetry.emit(events.Warned(reason=reason))
        self._resign(reason)

    def for_files(self) -> None:
        """Resign because this process cannot open files."""
        reason = f"it cannot open files, because its tasks have left too many open: {REPLACED}"
        self._telemetry.emit(events.Warned(reason=reason))
        self._resign(reason)

    def for_loop(self, stuck: Stuck, blocking: Run | None) -> None:
        """Resign because the event loop is stuck.

        Args:
            stuck: what is known about that.
            blocking: the run whose function blocks it, if it is known and still active.
        """
        task = blocking.task if blocking else None
        self._telemetry.emit(
            events.LoopStuck(
                seconds=stuck.seconds,
                token=task.token if task else None,
                task_type=task.task_type if task else None,
                stack=stuck.stack,
            )
        )
        self._resign(f"its event loop has not turned for {stuck.seconds:.0f} seconds: {REPLACED}")

    def _resign(self, trouble: str) -> None:
        """Let `/health/ready` say why this worker ends, and end it."""
        with contextlib.suppress(StoreAway):
            self._owner.report(trouble)
        self._inbox.finish(self._drain, by_itself=True)
