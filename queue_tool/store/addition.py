"""Addition: what one request adds, and which requests can be added together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from queue_tool.model.batch import IdempotencyKey, NewBatch
from queue_tool.model.new_task import PLAIN, NewTask
from queue_tool.store import line
from queue_tool.store.elements import AddElements, Elements


@dataclass(frozen=True, slots=True, kw_only=True)
class AddBatch(Elements):
    """A request to add a batch."""

    some_accepted: bool = False  # whether a batch of which no element was accepted is not added

    @property
    def key(self) -> IdempotencyKey | None:
        """Return the request's Idempotency-Key, if it has one."""
        return self.new.idempotency

    @property
    def is_plain(self) -> bool:
        """Return whether nothing that is already there can change what is added, and only tasks are added."""
        new = self.new
        labeled = bool(new.label.metadata or new.label.webhook)
        more = new.idempotency or new.refused or labeled or new.unique_keys or new.on_finished
        return bool(new.accepted) and not more

    @property
    def new_tasks(self) -> tuple[Sequence[NewTask], NewBatch | None, datetime]:
        """Return the tasks, their batch, and when they were submitted."""
        return self.new.accepted, self.new, self.new.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTask:
    """A request to add one task without a batch."""

    new: NewTask
    now: datetime
    key: IdempotencyKey | None = None
    hold: Sequence[str] = ()

    size = 1

    @property
    def tasks(self) -> Sequence[NewTask]:
        """Return the task to add."""
        return (self.new,)

    @property
    def is_plain(self) -> bool:
        """Return whether nothing that is already there can change what is added."""
        return not (self.key or self.new.options.unique_key)

    @property
    def new_tasks(self) -> tuple[Sequence[NewTask], NewBatch | None, datetime]:
        """Return the task, no batch, and when it was submitted."""
        return (self.new,), None, self.now


Addition = AddBatch | AddTask | AddElements


class Kind(Enum):
    """What decides whether requests are added together."""

    PLAIN = 1  # nothing that is already there can change what is added
    KEYED = 2  # the same, except for an idempotency key: one task without a batch
    OTHER = 3


def kind_of(request: Addition) -> Kind:
    """Return the kind of a request."""
    if request.size > line.SMALL or isinstance(request, AddElements):
        return Kind.OTHER
    if request.is_plain:
        return Kind.PLAIN
    is_keyed = isinstance(request, AddTask) and request.new.options.unique_key is None
    return Kind.KEYED if is_keyed else Kind.OTHER


def is_simple(request: Addition) -> bool:
    """Return whether a request is small and plain, and adds nothing but tasks and their batch."""
    if kind_of(request) is not Kind.PLAIN:
        return False
    return not any(task.options is not PLAIN and task.options.has_rows for task in request.tasks)
