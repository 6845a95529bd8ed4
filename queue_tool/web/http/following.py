"""Server-sent events: the text of each event, as the HTML standard defines it."""

from __future__ import annotations

from msgspec import UNSET, Struct

from queue_tool.model import json_text
from queue_tool.model.batch import Batch
from queue_tool.model.feed import FeedRow, Place
from queue_tool.model.payloads.events import EndedTaskEvent, FinishedBatchEvent, ResetEvent
from queue_tool.model.states import Code, State
from queue_tool.model.times import rfc3339, since_1970
from queue_tool.model.webhook import OF_STATE, End, Event
from queue_tool.web.http import shapes

EXTENSION = "queue_tool.follow"

PROGRESS = "batch.progress"
RESET = "reset"

MISSED = "Events were missed. Read again what you need: the batch, or the list of tasks."

_STATES = {event.value: state for state, event in OF_STATE.items()}


class Writer:
    """Writes events."""

    pulse = b": nothing new\n\n"

    def start(self, place: Place) -> bytes:
        """Write an id without an event: a client that connects again before the first event sends it."""
        return b"id: %s\n\n" % str(place).encode()

    def ends(self, feed: int, row: FeedRow, got: int) -> bytes:
        """Write the ends of a row, without the first ones."""
        last = len(row.ends) - 1
        return b"".join(
            _event(end.event, _end(row.batch, end), Place(feed=feed, position=row.position, ends=_up_to(index, last)))
            for index, end in enumerate(row.ends)
            if index >= got
        )

    def progress(self, batch: Batch) -> bytes:
        """Write a batch with its counts."""
        return _event(PROGRESS, shapes.batch(batch))

    def reset(self) -> bytes:
        """Write that the client has missed something."""
        return _event(RESET, ResetEvent(message=MISSED))


def _up_to(index: int, last: int) -> int | None:
    """Return how many ends of its row a client has got with the one at this index; None: all."""
    return None if index == last else index + 1


def _event(name: str, data: Struct, place: Place | None = None) -> bytes:
    id_line = b"" if place is None else b"id: %s\n" % str(place).encode()
    return b"%sevent: %s\ndata: %s\n\n" % (id_line, name.encode(), json_text.encode(data))


def _end(batch: str | None, end: End) -> Struct:
    if end.event == Event.BATCH_FINISHED:
        return FinishedBatchEvent(batch=end.subject, finished_at=rfc3339(since_1970(end.number)))
    return EndedTaskEvent(
        token=end.subject,
        batch=batch,
        task_type=end.task_type or "",
        status=State(_STATES[end.event]),
        code=UNSET if end.code is None else Code(end.code),
    )
