"""Requests over HTTP or from Python: batches and tasks are submitted, canceled and reopened, and queues are paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from queue_tool.model.events.shared import BatchId, Reason, RunNumber, Token, TypeName
from queue_tool.model.telemetry import Event, Level

Method = Annotated[str, "the HTTP method"]
UrlPath = Annotated[str, "the path of the URL, without the query"]
StatusCode = Annotated[int, "the HTTP status code of the response"]
Milliseconds = Annotated[float, "how long the response took, in milliseconds"]
Canceler = Annotated[str, "who canceled, according to the request; may be empty"]
CancelReason = Annotated[str, "the reason in the request; may be empty"]
RequestId = Annotated[str, "the id of the request, as in the `X-Request-Id` of its response"]
KeyName = Annotated[str, "the name of the request's API key, if it had one"]
Matched = Annotated[int, "the number of tasks that the request selected"]
Queue = Annotated[str, "the queue: `high`, `default` or `low`"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested(Event):
    """An HTTP request was answered that could change something, or whose response is an error."""

    title = "request"
    method: Method
    path: UrlPath
    status: StatusCode
    ms: Milliseconds
    request_id: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Event):
    """A read-only HTTP request (GET, HEAD or OPTIONS) was answered without an error."""

    title = "asked"
    level = Level.DEBUG  # thousands per second, from clients that poll
    method: Method
    path: UrlPath
    status: StatusCode
    ms: Milliseconds
    request_id: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAccepted(Event):
    """A new batch is on disk, with a task for each accepted element."""

    title = "batch accepted"
    batch: BatchId
    accepted: Annotated[int, "the number of elements that became tasks"]
    rejected: Annotated[int, "the number of elements that were refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRepeated(Event):
    """A batch, or elements of an open batch, were submitted again and got the same response as before."""

    title = "batch repeated"
    batch: Annotated[str, "the id of the batch; missing if it has no elements"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOpened(Event):
    """A new open batch is on disk. Other requests bring its elements."""

    title = "batch opened"
    batch: BatchId


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsAccepted(Event):
    """More elements of an open batch are on disk, with a task for each accepted one."""

    title = "elements accepted"
    batch: BatchId
    start: Annotated[int, "the index of the first of these elements in the batch"]
    accepted: Annotated[int, "the number of elements that became tasks"]
    rejected: Annotated[int, "the number of elements that were refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSealed(Event):
    """An open batch takes no more elements."""

    title = "batch sealed"
    batch: BatchId
    by: Annotated[str, "what sealed it: `request`, `cancel`, or `sweeper` if it got no elements for a day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAccepted(Event):
    """A new task that belongs to no batch is on disk."""

    title = "task accepted"
    token: Token
    task_type: TypeName


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuationAdded(Event):
    """A new task is on disk that follows a batch or a task, because that has ended."""

    title = "continuation added"
    token: Token
    task_type: TypeName


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRepeated(Event):
    """A single task was submitted again with the same Idempotency-Key and got the same response as before."""

    title = "task repeated"
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPostponed(Event):
    """Tickets of a new batch or task could not be pushed to Redis. The sweeper pushes them later."""

    title = "push postponed"
    level = Level.WARNING
    batch: Annotated[str, "the id of the batch, if the tickets belong to one"] | None = None
    token: Annotated[str, "the token of the task, if it belongs to no batch"] | None = None
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCanceled(Event):
    """A user canceled a task."""

    title = "task canceled"
    token: Token
    run: RunNumber
    by: Canceler
    reason: CancelReason
    key: KeyName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksCanceled(Event):
    """A request canceled many tasks, which it named by their tokens or by a filter."""

    title = "tasks canceled"
    matched: Matched
    changed: Annotated[int, "the number of tasks that were canceled"]
    by: Canceler
    reason: CancelReason
    key: KeyName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReopened(Event):
    """A user reopened a failed or canceled task, so that it runs again."""

    title = "task reopened"
    token: Token
    run: RunNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksReopened(Event):
    """A request reopened many failed or canceled tasks, which it named by their tokens or by a filter."""

    title = "tasks reopened"
    matched: Matched
    changed: Annotated[int, "the number of tasks that were reopened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesPurged(Event):
    """An admin removed all messages of a message queue."""

    title = "messages purged"
    queue: Annotated[str, "the name of the message queue"]
    removed: Annotated[int, "the number of messages that were removed"]
    by: Annotated[str, "the name of the request's API key; empty without a key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused(Event):
    """A queue was paused: no task of it starts from now on, and running tasks continue."""

    title = "queue paused"
    queue: Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueResumed(Event):
    """A queue was resumed: its tasks start again."""

    title = "queue resumed"
    queue: Queue
