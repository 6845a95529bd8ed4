"""What a test has sent, as it is now: each property reads it anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from queue_tool.model import json_text
from queue_tool.model.details import Details
from queue_tool.model.filter import Filter
from queue_tool.model.outcome import Attempt
from queue_tool.model.schema import FieldError
from queue_tool.model.states import State
from queue_tool.runtime import Runtime

MOST_IN_A_LIST = 1000
"""Tasks that one page of a list holds."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SentTask:
    """A task. A failed comparison shows its state and its error."""

    token: str
    runtime: Runtime = field(compare=False)

    def __repr__(self) -> str:
        """Return its type and state, and why its last attempt failed."""
        found, error = self.details, self.error
        return f"<{found.task_type} {self.token} {found.state}{f': {error}' if error else ''}>"

    @property
    def details(self) -> Details:
        """Return everything that is known about it.

        Raises:
            TaskNotFound: it ended longer ago than its retention.
        """
        return self.runtime.ask.details(self.token)

    @property
    def status(self) -> State:
        """Return its state. It is equal to the text that `GET /check` answers with, such as "finished"."""
        return self.details.state

    @property
    def task_type(self) -> str:
        """Return the name of its type."""
        return self.details.task_type

    @property
    def data(self) -> Any:
        """Return its data."""
        return json_text.loads(self.details.data)

    @property
    def result(self) -> Any:
        """Return what its function returned; None until it has finished."""
        found = self.details.result
        return None if found is None else json_text.loads(found)

    @property
    def error(self) -> str | None:
        """Return why its last attempt failed; None if it has finished, or has had no attempt yet."""
        found = self.details
        return found.error if found.state.ended or not found.attempts else found.attempts[-1].error

    @property
    def code(self) -> str | None:
        """Return the failure code of its last attempt; None if it has finished, or has had no attempt yet."""
        found = self.details
        return found.code if found.state.ended or not found.attempts else found.attempts[-1].code

    @property
    def attempt(self) -> int:
        """Return the number of its attempt, from 1."""
        return self.details.attempt

    @property
    def attempts(self) -> Sequence[Attempt]:
        """Return the attempts that did not succeed, each with its error and traceback, the first one first."""
        return self.details.attempts

    @property
    def due_at(self) -> datetime | None:
        """Return when it may start; None: at once."""
        return self.details.due_at

    @property
    def log(self) -> Sequence[str]:
        """Return the lines that its function has logged with `context.log`."""
        return [line.text for line in self.details.lines]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SentBatch:
    """A batch."""

    id: str
    refused: Mapping[int, Sequence[FieldError]] = field(compare=False)  # by the index of the element
    runtime: Runtime = field(compare=False)

    def __repr__(self) -> str:
        """Return how many elements are in each state."""
        return f"<batch {self.id} {self.counts}>"

    @property
    def tasks(self) -> Sequence[SentTask]:
        """Return the tasks of its accepted elements, in their order."""
        return [
            SentTask(token=each.token, runtime=self.runtime) for each in self.runtime.ask.results(self.id) if each.token
        ]

    @property
    def results(self) -> Sequence[Any]:
        """Return the result of each element, in their order; None for those that have none."""
        found = (each.result for each in self.runtime.ask.results(self.id))
        return [None if each is None else json_text.loads(each) for each in found]

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many elements are in each state, `rejected` included. States without elements are left out."""
        batch = self.runtime.ask.batch(self.id)
        counts = {str(state): count for state, count in batch.counts.items()} | {"rejected": batch.rejected}
        return {state: count for state, count in counts.items() if count}

    @property
    def is_finished(self) -> bool:
        """Return whether all its tasks have ended."""
        return self.runtime.ask.batch(self.id).finished_at is not None


def tasks_of(runtime: Runtime, wanted: Filter) -> list[SentTask]:
    """Return the tasks that match a filter, in the order of their submission."""
    found: list[SentTask] = []
    cursor = None
    while True:
        page = runtime.list(wanted, MOST_IN_A_LIST, cursor)
        found += [SentTask(token=each.token, runtime=runtime) for each in page.items]
        cursor = page.next
        if cursor is None:
            return found[::-1]
