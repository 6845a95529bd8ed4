"""What happens has a name: the verbs say it here, and logs (later metrics) only listen."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Event(StrEnum):
    """Everything that is told, by its name in the log."""

    STARTED = "started"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    WARNING = "warning"
    REQUEST = "request"
    ASKED = "asked"
    BATCH_ACCEPTED = "batch accepted"
    BATCH_REPEATED = "batch repeated"
    BATCH_FINISHED = "batch finished"
    PUSH_POSTPONED = "push postponed"
    TASK_ACCEPTED = "task accepted"
    TASK_REPEATED = "task repeated"
    TASK_STARTED = "task started"
    TASK_ENDED = "task ended"
    TASK_FAILED = "task failed"
    TASK_RETRIED = "task failed and is tried again"
    TASK_CANCELED = "task canceled"
    TASK_REOPENED = "task reopened"
    TASK_PUT_BACK = "task put back"
    QUEUE_PAUSED = "queue paused"
    QUEUE_RESUMED = "queue resumed"
    OUTCOME_HELD = "outcome held"
    TICKET_DROPPED = "ticket dropped"
    SWEPT_UNPUSHED = "swept: pushed what waited"
    SWEPT_LOST = "swept: took back from dead workers"
    SWEPT_MISSING = "swept: pushed again what Redis had lost"
    SWEPT_DUE = "swept: let come what was due"
    SWEPT_EXPIRED = "swept: failed what had expired"
    SWEPT_OLD = "swept: removed what was past its retention"
    SWEEP_FAILED = "sweep failed"
    CHILD_STARTED = "child started"
    CHILD_DIED = "child died"
    CHILD_REPLACED = "child is replaced, for new code"


Listener = Callable[[Event, dict[str, object]], None]


class Telemetry:
    """Passes each event to every listener, in order, in the thread in which it happened."""

    def __init__(self, *listeners: Listener, unheard: frozenset[Event] = frozenset()) -> None:
        """Keep the listeners, and the events that none of them cares for."""
        self._listeners = listeners
        self._unheard = unheard if listeners else frozenset(Event)

    def hears(self, event: Event) -> bool:
        """Tell whether anybody cares: what happens thousands of times a second is only said if so."""
        return event not in self._unheard

    def emit(self, event: Event, **fields: object) -> None:
        """Say that something happened; the fields are small, printable and free of secrets."""
        for listener in self._listeners:
            listener(event, fields)
