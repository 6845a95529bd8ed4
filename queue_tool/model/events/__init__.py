"""Every event that is told: one record each, sorted by what it is about.

`docs/events.md` is made from these records.
"""

from __future__ import annotations

from queue_tool.model.events import processes, requests, sweeps, tasks
from queue_tool.model.events.processes import (
    ChildDied,
    ChildReplaced,
    ChildStarted,
    Ready,
    Started,
    Stopped,
    Stopping,
    Warned,
)
from queue_tool.model.events.requests import (
    Asked,
    BatchAccepted,
    BatchRepeated,
    PushPostponed,
    QueuePaused,
    QueueResumed,
    Requested,
    TaskAccepted,
    TaskCanceled,
    TaskReopened,
    TaskRepeated,
)
from queue_tool.model.events.sweeps import (
    SweepFailed,
    SweptDue,
    SweptLost,
    SweptMissing,
    SweptOld,
    SweptUnpushed,
)
from queue_tool.model.events.tasks import (
    BatchFinished,
    OutcomeDelayed,
    TaskEnded,
    TaskFailed,
    TaskPutBack,
    TaskRetried,
    TaskStarted,
    TicketDropped,
)
from queue_tool.model.telemetry import Event

SUBJECTS = (processes, requests, tasks, sweeps)
"""The modules that the records are sorted into, in the order of the documentation."""

EVENTS: tuple[type[Event], ...] = tuple(
    kind
    for subject in SUBJECTS
    for kind in vars(subject).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
)
"""Every kind of event, in the order of the documentation."""

__all__ = [
    "EVENTS",
    "SUBJECTS",
    "Asked",
    "BatchAccepted",
    "BatchFinished",
    "BatchRepeated",
    "ChildDied",
    "ChildReplaced",
    "ChildStarted",
    "OutcomeDelayed",
    "PushPostponed",
    "QueuePaused",
    "QueueResumed",
    "Ready",
    "Requested",
    "Started",
    "Stopped",
    "Stopping",
    "SweepFailed",
    "SweptDue",
    "SweptLost",
    "SweptMissing",
    "SweptOld",
    "SweptUnpushed",
    "TaskAccepted",
    "TaskCanceled",
    "TaskEnded",
    "TaskFailed",
    "TaskPutBack",
    "TaskReopened",
    "TaskRepeated",
    "TaskRetried",
    "TaskStarted",
    "TicketDropped",
    "Warned",
]
