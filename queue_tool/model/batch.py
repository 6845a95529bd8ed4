"""A batch: the tasks that arrived in one request, what was accepted of them and what was refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypedDict

from queue_tool.model.options import PLAIN, Options
from queue_tool.model.queues import Priority
from queue_tool.model.schema import FieldError
from queue_tool.model.states import FINISHED, IN_PROGRESS, State
from queue_tool.model.task_types import TaskType
from queue_tool.model.ticket import Ticket

INVALID = "INVALID_JOB_REQUEST"
"""What stands in place of a token for an element that was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An element that became a task."""

    index: int  # its place in the array that was sent, from 0
    token: str
    data: object


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask(Accepted):
    """The same on its way into the store."""

    task_type: TaskType
    options: Options = PLAIN

    @property
    def priority(self) -> Priority:
        """Return which tasks it goes before."""
        return self.options.priority or self.task_type.priority

    @property
    def list(self) -> str:
        """Return the name of the RQ queue in which its ticket waits."""
        return self.task_type.lane.list_of(self.priority.queue)

    @property
    def ticket(self) -> Ticket:
        """Return the ticket of its first run."""
        return Ticket(token=self.token, run=1, list=self.list, task_type=self.task_type.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An element that did not, and why."""

    index: int
    item: object  # its "item" as given; None where there is none
    errors: tuple[FieldError, ...]
    duplicate_of: str | None = None  # the token of the task that has its unique key


Element = Accepted | Refused


Judge = Callable[[object, int, str], NewTask | Refused]
"""Says of a value, its index and the token that it would get what becomes of it."""


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
class Label:
    """What a batch is called by the client that sent it."""

    name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


UNNAMED = Label()


class _Elements(TypedDict):
    elements: Sequence[NewTask | Refused]
    accepted: Sequence[NewTask]
    refused: Sequence[Refused]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch on its way into the store."""

    id: str
    elements: Sequence[NewTask | Refused]
    accepted: Sequence[NewTask]
    refused: Sequence[Refused]
    created_at: datetime
    idempotency: IdempotencyKey | None = None
    label: Label = UNNAMED

    @property
    def lists(self) -> set[str]:
        """Return the names of the RQ queues in which its tickets wait."""
        return set(self._lists().values())

    @property
    def tickets(self) -> list[Ticket]:
        """Return the tickets of the tasks that may be done at once."""
        lists = self._lists()
        return [
            Ticket(token=task.token, run=1, list=lists[kind], task_type=task.task_type.name)
            for task in self.accepted
            if (kind := (id(task.task_type), id(task.options))) in lists
        ]

    def _lists(self) -> dict[tuple[int, int], str]:
        """Return the list of each kind of tasks that may be done at once: of a type, with the same options."""
        kinds = {(id(task.task_type), id(task.options)): task for task in self.accepted}  # of 100,000 tasks often one
        return {kind: task.list for kind, task in kinds.items() if not task.options.must_wait(self.created_at)}

    @property
    def unique_keys(self) -> list[tuple[str, str]]:
        """Return type and unique key of each task that has one."""
        return [(task.task_type.name, task.options.unique_key) for task in self.accepted if task.options.unique_key]

    def without_duplicates(self, taken: Mapping[tuple[str, str], str]) -> NewBatch:
        """Return the batch with a refusal for each task whose unique key another one has.

        Args:
            taken: the token of the task that has it, by type and key; of two in this batch the first one has it.
        """
        owners = dict(taken)
        return replace(self, **_sorted_out([_unless_taken(element, owners) for element in self.elements]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as it stands: the counts of the six states and `rejected` sum to `total`."""

    id: str
    accepted: int
    rejected: int
    open: int  # tasks that have not ended
    counts: Mapping[State, int]  # empty in a list: all tasks are read for them
    created_at: datetime
    finished_at: datetime | None  # when its last open task ended
    label: Label = UNNAMED

    @property
    def total(self) -> int:
        """Return how many elements were sent."""
        return self.accepted + self.rejected

    @property
    def progress(self) -> float:
        """Return the share that needs no more work, from 0 to 1."""
        return (self.total - self.open) / self.total if self.total else 1.0

    @property
    def message(self) -> str:
        """Return what a client that waits looks at, in the words of `/check`."""
        return FINISHED if self.finished_at is not None else IN_PROGRESS


def judge(value: object, index: int, token: str, task_type: TaskType, options: Options = PLAIN) -> NewTask | Refused:
    """Check one element on its own, once; it is accepted under this token or refused with the reasons."""
    if task_type.schema.accepts(value):
        return NewTask(index=index, token=token, data=value, task_type=task_type, options=options)
    return Refused(index=index, item=item_of(value), errors=task_type.schema.errors(value))


def judge_of(task_type: TaskType, options: Options = PLAIN) -> Judge:
    """Return a judge for whom each value is the data of a task of this type."""
    return lambda value, index, token: judge(value, index, token, task_type, options)


def item_of(value: object) -> object:
    """Return what an element calls itself: its `item`; None where it has none."""
    return value.get("item") if isinstance(value, dict) else None


def new_batch(
    values: Sequence[object],
    judge: Judge,
    tokens: Sequence[str],
    created_at: datetime,
    idempotency: IdempotencyKey | None = None,
    *,
    label: Label = UNNAMED,
) -> NewBatch:
    """Check every value and return them as a batch.

    Args:
        values: what was sent.
        judge: who says what becomes of each.
        tokens: the first one is the batch's id, one more is needed for each value.
        created_at: when it was sent.
        idempotency: by which the same request is known again.
        label: what the batch is called.
    """
    batch_id, *fresh = tokens
    judged = [judge(value, index, token) for index, (value, token) in enumerate(zip(values, fresh, strict=True))]
    return NewBatch(id=batch_id, created_at=created_at, idempotency=idempotency, label=label, **_sorted_out(judged))


def _sorted_out(elements: Sequence[NewTask | Refused]) -> _Elements:
    return {
        "elements": elements,
        "accepted": [element for element in elements if isinstance(element, NewTask)],
        "refused": [element for element in elements if isinstance(element, Refused)],
    }


def _unless_taken(element: NewTask | Refused, owners: dict[tuple[str, str], str]) -> NewTask | Refused:
    if isinstance(element, Refused) or element.options.unique_key is None:
        return element
    owner = owners.setdefault((element.task_type.name, element.options.unique_key), element.token)
    if owner == element.token:
        return element
    return refuse_duplicate(element, owner)


def refuse_duplicate(task: NewTask, owner: str) -> Refused:
    """Return the refusal of a task whose unique key another one has."""
    sentence = f"The task {owner} has this key and has not ended."
    errors = (FieldError(path="/unique_key", message=sentence),)
    return Refused(index=task.index, item=item_of(task.data), errors=errors, duplicate_of=owner)
