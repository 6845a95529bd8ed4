"""A batch: the tasks that arrived in one request, what was accepted of them and what was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from queue_tool.schema import FieldError
from queue_tool.task_types import TaskType
from queue_tool.tasks import AT_ONCE, FINISHED, IN_PROGRESS, State, Timing

INVALID = "INVALID_JOB_REQUEST"
"""What stands in place of a token for an element that was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An element that became a task."""

    index: int  # its place in the array that was sent, from 0
    token: str
    data: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An element that did not, and why."""

    index: int
    item: object  # its "item" as given; None where there is none
    errors: tuple[FieldError, ...]


Element = Accepted | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The answer to a request that sent work: every element in the order sent."""

    batch: str | None  # None where nothing was sent
    elements: Sequence[Element]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """What makes a request that is sent twice count once."""

    scope: str  # the API key and the route; the same text from somebody else is another key
    key: str
    digest: str  # of the body's bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch on its way into the store."""

    id: str
    task_type: TaskType
    elements: Sequence[Element]
    accepted: Sequence[Accepted]
    refused: Sequence[Refused]
    created_at: datetime
    idempotency: IdempotencyKey | None = None
    timing: Timing = AT_ONCE

    @property
    def must_wait(self) -> bool:
        """Tell whether its tasks are not to be done yet."""
        return self.timing.due_at is not None and self.timing.due_at > self.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as it stands: the counts of the six states and `rejected` sum to `total`."""

    id: str
    accepted: int
    rejected: int
    counts: Mapping[State, int]
    created_at: datetime
    finished_at: datetime | None  # when its last open task ended

    @property
    def total(self) -> int:
        """Return how many elements were sent."""
        return self.accepted + self.rejected

    @property
    def progress(self) -> float:
        """Return the share that needs no more work, from 0 to 1."""
        ended = sum(count for state, count in self.counts.items() if state.ended)
        return (ended + self.rejected) / self.total

    @property
    def message(self) -> str:
        """Return what a client that waits looks at, in the words of `/check`."""
        return FINISHED if self.finished_at is not None else IN_PROGRESS


def judge(value: object, index: int, token: str, task_type: TaskType) -> Element:
    """Check one element on its own, once; it is accepted under this token or refused with the reasons."""
    if task_type.schema.accepts(value):
        return Accepted(index=index, token=token, data=value)
    return Refused(index=index, item=item_of(value), errors=task_type.schema.errors(value))


def item_of(value: object) -> object:
    """Return what an element calls itself: its `item`; None where it has none."""
    return value.get("item") if isinstance(value, dict) else None


def new_batch(
    elements: Sequence[object],
    task_type: TaskType,
    tokens: Sequence[str],
    created_at: datetime,
    idempotency: IdempotencyKey | None = None,
    *,
    timing: Timing = AT_ONCE,
) -> NewBatch:
    """Check every element and return them as a batch; the first token is its id, one more is needed for each."""
    batch_id, *fresh = tokens
    judged = [
        judge(element, index, token, task_type)
        for index, (element, token) in enumerate(zip(elements, fresh, strict=True))
    ]
    return NewBatch(
        id=batch_id,
        task_type=task_type,
        elements=judged,
        accepted=[element for element in judged if isinstance(element, Accepted)],
        refused=[element for element in judged if isinstance(element, Refused)],
        created_at=created_at,
        idempotency=idempotency,
        timing=timing,
    )
