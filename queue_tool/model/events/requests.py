"""What is asked for, over HTTP or from Python: batches and tasks are sent, canceled and reopened, queues are paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from queue_tool.model.events.shared import BatchId, Reason, RunNumber, Token, TypeName
from queue_tool.model.telemetry import Event, Level

Method = Annotated[str, "the HTTP method"]
UrlPath = Annotated[str, "the path of the URL, without what follows a question mark"]
StatusCode = Annotated[int, "the HTTP status code of the answer"]
Milliseconds = Annotated[float, "how long the answer took, in milliseconds"]
Queue = Annotated[str, "the queue: `high`, `default` or `low`"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested(Event):
    """An HTTP request was answered that could change something, or that got an error."""

    title = "request"
    method: Method
    path: UrlPath
    status: StatusCode
    ms: Milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Event):
    """An HTTP request that only reads (GET or HEAD) was answered well."""

    title = "asked"
    level = Level.DEBUG  # thousands a second, from those who poll
    method: Method
    path: UrlPath
    status: StatusCode
    ms: Milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAccepted(Event):
    """A new batch is on disk, with a task for each of its good elements."""

    title = "batch accepted"
    batch: BatchId
    accepted: Annotated[int, "the number of elements that became tasks"]
    rejected: Annotated[int, "the number of elements that did not"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRepeated(Event):
    """A batch was sent again with the same idempotency key, and got the same answer as before."""

    title = "batch repeated"
    batch: Annotated[str, "the id of the batch; missing where it has no elements"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAccepted(Event):
    """A new task that belongs to no batch is on disk."""

    title = "task accepted"
    token: Token
    task_type: TypeName


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRepeated(Event):
    """A single task was sent again with the same idempotency key, and got the same answer as before."""

    title = "task repeated"
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPostponed(Event):
    """Tickets of a new batch or task could not go to Redis at once; the sweeper pushes them later."""

    title = "push postponed"
    level = Level.WARNING
    batch: Annotated[str, "the id of the batch, if it is one"] | None = None
    token: Annotated[str, "the token of the task, if it belongs to no batch"] | None = None
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCanceled(Event):
    """A task was ended because somebody asked for it."""

    title = "task canceled"
    token: Token
    run: RunNumber
    by: Annotated[str, "who asked for it; may be empty"]
    reason: Annotated[str, "why, as they say; may be empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReopened(Event):
    """A failed or canceled task is done again because somebody asked for it."""

    title = "task reopened"
    token: Token
    run: RunNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused(Event):
    """No task of a queue is started from now on; those that run go on."""

    title = "queue paused"
    queue: Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueResumed(Event):
    """The tasks of a queue are started again."""

    title = "queue resumed"
    queue: Queue
