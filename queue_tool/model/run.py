"""A run: one try at a task, from its claim to its outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from queue_tool.model import json_text
from queue_tool.model.context import Context, nobody
from queue_tool.model.outcome import Ended
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import TaskType
from queue_tool.model.ticket import ticket_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A task that this process has claimed, with all that its function needs."""

    task: Claimed
    task_type: TaskType | None = None
    data: object = None
    timeout: float | None = None  # seconds; None is no limit
    ended: Ended | None = None  # set where the run ended before its function could be called

    @property
    def ticket(self) -> str:
        """Return the id of the ticket that carries it."""
        return ticket_id(self.task.token, self.task.run)

    def context(self, on_news: Callable[[Context], None] = nobody) -> Context:
        """Return what its function may know of it; `on_news` is called when the function says something of itself."""
        task = self.task
        return Context(
            token=task.token,
            attempt=task.attempt,
            run=task.run,
            deadline=task.started_at + timedelta(seconds=self.timeout) if self.timeout else None,
            parameters=json_text.loads(task.parameters) if task.parameters else {},  # type: ignore[arg-type] # an object
            on_news=on_news,
        )
