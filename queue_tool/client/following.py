"""Following: what ends, as the service tells it in a stream of server-sent events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from queue_tool.client.calls import Answer, Call, Flow, Give, Pause, Read
from queue_tool.client.exchange import Ask, Tries
from queue_tool.client.lines import Lines
from queue_tool.client.queries import target_of
from queue_tool.errors import AnswerLost, MalformedJson, UnexpectedAnswer
from queue_tool.model import json_text
from queue_tool.model.payloads.batches import Batch, BatchStatus
from queue_tool.model.payloads.events import EndedTaskEvent, FinishedBatchEvent, ResetEvent
from queue_tool.model.payloads.queries import EventsQuery
from queue_tool.model.typed import convert

Data = EndedTaskEvent | FinishedBatchEvent | Batch | ResetEvent

KINDS: dict[str, type[Data]] = {
    "task.finished": EndedTaskEvent,
    "task.failed": EndedTaskEvent,
    "task.canceled": EndedTaskEvent,
    "batch.finished": FinishedBatchEvent,
    "batch.progress": Batch,
    "reset": ResetEvent,
}
"""What the data of an event are, by its name. Other events are of a newer service, and left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    name: str  # such as `task.finished`
    data: Data
    id: str | None  # the place behind it; None: it has none


@dataclass(slots=True)
class _Reader:
    """Reads events from the pieces of a stream (the HTML standard, 9.2.6)."""

    last: str | None = None  # the id of the last event that has one
    _lines: Lines = field(default_factory=Lines)
    _fields: dict[str, str] = field(default_factory=dict)

    def connect(self) -> None:
        """Begin to read a new stream: what is incomplete is lost."""
        self._lines, self._fields = Lines(), {}

    def events(self, piece: bytes) -> Iterator[Event]:
        """Iterate over the events that a piece completes."""
        for line in self._lines.of(piece):
            name, _, text = line.decode().partition(":")
            if line:
                self._fields[name] = text.removeprefix(" ")
                continue
            self.last = self._fields.get("id", self.last)
            if "data" in self._fields and (event := self._event()) is not None:
                yield event
            self._fields = {}

    def _event(self) -> Event | None:
        name = self._fields.get("event", "")
        if name not in KINDS:
            return None
        try:
            data = convert(json_text.loads(self._fields["data"]), KINDS[name])
        except (MalformedJson, msgspec.ValidationError) as error:
            raise UnexpectedAnswer(f"The event {name} cannot be read: {error}.") from None
        return Event(name=name, data=data, id=self._fields.get("id"))


def follow(ask: Ask, *, batch: str | None = None) -> Flow[None]:
    """Give what ends from now on; of a batch, until its end. A stream that ends is continued where it was.

    Raises:
        BatchNotFound: no batch has this id.
        QueueToolError: the service was away for too long.
    """
    reader, tries = _Reader(), ask.tries()
    while True:
        call = _stream(batch, reader.last)
        yield from ask.opened(call, tries)
        reader.connect()
        try:
            has_ended = yield from _read_on(reader, tries, batch, is_new=reader.last is None)
        except AnswerLost as error:
            yield Pause(tries.pause_after(error, call))
        else:
            if has_ended:
                return


def _stream(batch: str | None, last: str | None) -> Call[Answer]:
    headers = {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": last})
    return Call(
        method="GET",
        target=target_of("/events", EventsQuery(batch=batch), ()),
        read=lambda found: found,
        headers=headers,
    )


def _read_on(reader: _Reader, tries: Tries, batch: str | None, *, is_new: bool) -> Flow[bool]:
    """Give the events of a stream to its end, or to the end of the batch; return whether the batch has ended.

    A batch that had ended before tells only its progress. If the stream continues another one, what ended meanwhile
    comes first.
    """
    while piece := (yield Read()):
        for event in reader.events(piece):
            tries.succeed()
            yield Give([event])
            is_new = is_new or isinstance(event.data, ResetEvent)
            if batch is not None and (isinstance(event.data, FinishedBatchEvent) or (is_new and _is_ended(event.data))):
                return True
    return False


def _is_ended(data: Data) -> bool:
    return isinstance(data, Batch) and data.status is BatchStatus.FINISHED
