"""A run: one execution of a task, from the claim to the outcome."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from queue_tool.model import json_text
from queue_tool.model.context import Context, ignore_news, refuse_to_send
from queue_tool.model.continuation import batch_in, task_in
from queue_tool.model.outcome import Ended
from queue_tool.model.parent_results import WantedPage
from queue_tool.model.sending import Sending
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import TaskType
from queue_tool.model.ticket import ticket_id


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A task that this process has claimed, with everything that its function needs."""

    task: Claimed
    task_type: TaskType | None = None
    data: object = None
    timeout: float | None = None  # seconds; None: no limit
    ended: Ended | None = None  # set if the run ended before its function could be called
    send: Callable[[Context, Sending | WantedPage], Any] = refuse_to_send  # for its context

    @property
    def ticket(self) -> str:
        """Return the id of the run's ticket."""
        return ticket_id(self.task.token, self.task.run)

    def deadline(self, called_at: datetime) -> datetime | None:
        """Return when a function that is called at this time is timed out; None: never."""
        return called_at + timedelta(seconds=self.timeout) if self.timeout else None

    def context(self, on_news: Callable[[Context], None] = ignore_news, called_at: datetime | None = None) -> Context:
        """Return the context for the task's function.

        Args:
            on_news: called with the context when the function reports progress or logs a line.
            called_at: when the function is called; None: when the task was claimed.
        """
        task = self.task
        return Context(
            token=task.token,
            attempt=task.attempt,
            run=task.run,
            deadline=self.deadline(called_at or task.started_at),
            parameters=json_text.loads(task.parameters) if task.parameters else {},  # type: ignore[arg-type] # an object
            on_news=on_news,
            parent_batch=batch_in(task.parent),
            parent=task_in(task.parent),
            send=self.send,
        )
