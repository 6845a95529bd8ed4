"""A batch: the elements of one request, accepted or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

import msgspec

from queue_tool.model.continuation import ShownContinuation
from queue_tool.model.lists import lists_of, tickets_of
from queue_tool.model.new_task import PLAIN, Accepted, Continuation, NewTask, Options
from queue_tool.model.schema import FieldError
from queue_tool.model.states import FINISHED, IN_PROGRESS, State
from queue_tool.model.task_types import TaskType
from queue_tool.model.ticket import Ticket

INVALID = "INVALID_JOB_REQUEST"
"""Stands in place of the token of a refused element."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """An element that did not become a task, and the reasons."""

    index: int
    item: object  # the element's "item" unchanged; None if it has none
    errors: tuple[FieldError, ...]
    custom_id: str | None = None
    duplicate_of: str | None = None  # token of the unfinished task with the same unique key


Element = Accepted | Refused


Judge = Callable[[object, int, str], NewTask | Refused]
"""Decides whether a value is accepted or refused. Arguments: the value, its index, and the token for the new task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The answer to a submit request: every element, in the order of the request."""

    batch: str | None  # the batch's id; None if the request had no elements
    elements: Sequence[Element]
    removed: int = 0  # elements that a repeated request cannot list, because their tasks were removed since

    @property
    def is_refused_whole(self) -> bool:
        """Return whether nothing was kept, because every element was refused."""
        return self.batch is None and bool(self.elements)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """Identifies a request, so that a repeated request does not create a second batch or task."""

    scope: str  # API key and route; the same `key` in another scope is a different key
    key: str
    digest: str  # digest of the request: its body and its query


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The name and the metadata that the client gave to a batch, and whom to tell when it finishes."""

    name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    webhook: str | None = None  # a URL


UNNAMED = Label()


class _Elements(TypedDict):
    elements: Sequence[NewTask | Refused]
    accepted: Sequence[NewTask]
    refused: Sequence[Refused]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch before it is stored."""

    id: str
    elements: Sequence[NewTask | Refused]
    accepted: Sequence[NewTask]
    refused: Sequence[Refused]
    created_at: datetime
    idempotency: IdempotencyKey | None = None
    label: Label = UNNAMED
    on_finished: Sequence[Continuation] = ()  # what follows when all tasks have ended

    @property
    def lists(self) -> set[str]:
        """Return the names of the RQ queues for the tickets of tasks that can start at once."""
        return lists_of(self.accepted, self.created_at)

    @property
    def tickets(self) -> list[Ticket]:
        """Return the tickets of the tasks that can start at once."""
        return tickets_of(self.accepted, self.created_at)

    @property
    def scheduled(self) -> int:
        """Return how many of the tasks wait for their due time."""
        return sum(
            task.options.timing.due_at is not None and task.options.must_wait(self.created_at) for task in self.accepted
        )

    @property
    def unique_keys(self) -> list[tuple[str, str]]:
        """Return task type and unique key of each task that has a unique key."""
        return [(task.task_type.name, task.options.unique_key) for task in self.accepted if task.options.unique_key]

    def without_duplicates(self, taken: Mapping[tuple[str, str], str]) -> NewBatch:
        """Return the batch with a refusal for each task whose unique key another task already uses.

        Without such a task it is this very batch. If two tasks of this batch have the same key, the first one keeps it.

        Args:
            taken: for each task type and unique key in use, the token of the task that uses it.
        """
        if not taken and len(set(keys := self.unique_keys)) == len(keys):
            return self
        owners = dict(taken)
        return replace(self, **_split([_refuse_if_taken(element, owners) for element in self.elements]))


class SealedBy(StrEnum):
    """What sealed an open batch."""

    REQUEST = "request"  # `POST /batches/{id}/seal`
    CANCEL = "cancel"  # the batch was canceled
    SWEEPER = "sweeper"  # it got no elements for a day


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The current state of a batch. The counts of the six states and `rejected` add up to `total`."""

    id: str
    accepted: int
    rejected: int
    open: int  # tasks that have not ended
    counts: Mapping[State, int]  # empty in lists of batches
    created_at: datetime
    finished_at: datetime | None  # when the last open task ended
    label: Label = UNNAMED
    is_open: bool = False  # whether it takes more elements
    sealed_by: SealedBy | None = None  # None: it is open, or it came in one request
    on_finished: Sequence[ShownContinuation] = ()  # empty in lists of batches

    @property
    def total(self) -> int:
        """Return the number of elements that were sent so far."""
        return self.accepted + self.rejected

    @property
    def progress(self) -> float:
        """Return the share of elements that need no more work, from 0 to 1."""
        if not self.total:
            return 0.0 if self.is_open else 1.0
        return (self.total - self.open) / self.total

    @property
    def message(self) -> str:
        """Return the message that waiting clients read, in the words of `/check`."""
        return FINISHED if self.finished_at is not None else IN_PROGRESS


def judge(value: object, index: int, token: str, task_type: TaskType, options: Options = PLAIN) -> NewTask | Refused:
    """Check one element: accept it under this token, or refuse it with the reasons."""
    if task_type.schema.accepts(value):
        return NewTask(
            index=index, token=token, data=value, custom_id=options.custom_id, task_type=task_type, options=options
        )
    return Refused(index=index, item=item_of(value), custom_id=options.custom_id, errors=task_type.schema.errors(value))


def judge_of(task_type: TaskType, options: Options = PLAIN) -> Judge:
    """Return a judge that takes each value as the data of a task of this type."""
    return lambda value, index, token: judge(value, index, token, task_type, options)


def item_of(value: object) -> object:
    """Return the `item` of an element, which is its name for clients; None if it has none."""
    return value.get("item") if isinstance(value, dict) else None


def new_batch(
    values: Sequence[object],
    judge: Judge,
    tokens: Sequence[str],
    created_at: datetime,
    idempotency: IdempotencyKey | None = None,
    *,
    label: Label = UNNAMED,
    on_finished: Sequence[Continuation] = (),
    start: int = 0,
) -> NewBatch:
    """Check every value and return the batch.

    Args:
        values: the elements of the request.
        judge: decides for each value whether it is accepted or refused.
        tokens: the batch's id, and then one token for each value.
        created_at: the time of the request.
        idempotency: the request's Idempotency-Key, if it has one.
        label: the batch's name and metadata.
        on_finished: what follows when all tasks have ended.
        start: the index of the first value, if these are more elements of an open batch.
    """
    batch_id, *fresh = tokens
    judged = [judge(value, index, token) for index, (value, token) in enumerate(zip(values, fresh, strict=True), start)]
    return NewBatch(
        id=batch_id,
        created_at=created_at,
        idempotency=idempotency,
        label=label,
        on_finished=on_finished,
        **_split(judged),
    )


def _split(elements: Sequence[NewTask | Refused]) -> _Elements:
    return {
        "elements": elements,
        "accepted": [element for element in elements if isinstance(element, NewTask)],
        "refused": [element for element in elements if isinstance(element, Refused)],
    }


def _refuse_if_taken(element: NewTask | Refused, owners: dict[tuple[str, str], str]) -> NewTask | Refused:
    if isinstance(element, Refused) or element.options.unique_key is None:
        return element
    owner = owners.setdefault((element.task_type.name, element.options.unique_key), element.token)
    if owner == element.token:
        return element
    return refuse_duplicate(element, owner)


def refuse_duplicate(task: NewTask, owner: str) -> Refused:
    """Return the refusal of a task whose unique key another task already uses.

    Args:
        task: the task to refuse.
        owner: the token of the task that uses the key.
    """
    sentence = f"The unfinished task {owner} already uses this key."
    errors = (FieldError(path="/unique_key", message=sentence),)
    return Refused(
        index=task.index, item=item_of(task.data), custom_id=task.custom_id, errors=errors, duplicate_of=owner
    )
