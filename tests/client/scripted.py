"""Plays a flow against answers that are written down, without a network and without waiting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from queue_tool.client.calls import Answer, Call, Fill, Flow, Give, Open, Pause, Read, Send
from queue_tool.client.exchange import Ask
from queue_tool.errors import QueueToolError
from queue_tool.web.http.problems import problem_of

BATCH = "0" * 31 + "1"


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(
        status=status,
        headers={name.replace("_", "-"): text for name, text in headers.items()},
        body=orjson.dumps(body),
    )


def problem(error: QueueToolError, status: int, **headers: str) -> Answer:
    """Return the answer with which the service reports an error."""
    found = problem_of(error, status, "request-1")
    fields = {name: getattr(found, name) for name in ("type", "title", "status", "detail", "code", "message")}
    more = {"total": found.total} if isinstance(found.total, int) else {}
    return answer(fields | more | {"request_id": found.request_id}, status, **headers)


@dataclass(slots=True)
class Play:
    """What happened in a flow."""

    answers: Iterator[Answer | Exception]
    source: Iterator[Any]
    calls: list[Call[Any]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    given: list[Any] = field(default_factory=list)
    pieces: list[bytes | Exception] = field(default_factory=list)

    def run(self, flow: Flow[Any]) -> Any:
        """Do the steps of a flow and return its value."""
        resume: Any = partial(next, flow)
        while True:
            try:
                step = resume()
            except StopIteration as end:
                return end.value
            resume = self._after(flow, step)

    def _after(self, flow: Flow[Any], step: object) -> Any:
        """Do a step; return what continues the flow."""
        try:
            found = self._do(step)
        except Exception as error:  # noqa: BLE001 - as a driver does
            return partial(flow.throw, error)
        return partial(flow.send, found)

    def _do(self, step: object) -> Any:
        match step:
            case Send(call) | Open(call):
                self.calls.append(call)
                found = next(self.answers, None)
                assert found is not None, f"no answer is left for {step}"
                return _raised(found)
            case Read():
                return _raised(self.pieces.pop(0)) if self.pieces else b""
            case Pause(seconds):
                self.pauses.append(seconds)
            case Give(values):
                self.given.extend(values)
            case Fill(into):
                for element in self.source:
                    if not into.add(element):
                        return None
                into.is_last = True
        return None


def play(*answers: Answer | Exception, source: Iterable[Any] = (), pieces: Sequence[bytes | Exception] = ()) -> Play:
    """Return a play with these answers, elements and pieces of a stream."""
    return Play(iter(answers), iter(source), pieces=list(pieces))


def _raised(found: Any) -> Any:
    if isinstance(found, Exception):
        raise found
    return found


OPENED = answer(None)
"""The answer with which a stream begins."""


def state(total: int = 0, status: str = "running", *, sealed: bool = False, left: int = 0) -> Any:
    """Return the answer about a batch."""
    counts = dict.fromkeys(("scheduled", "queued", "running", "finished", "failed", "canceled", "rejected"), 0)
    numbers = {"total": total, "accepted": total, "rejected": 0, "open": left, "progress": 0.5}
    texts: dict[str, object] = {
        "id": BATCH,
        "message": "",
        "status": status,
        "name": None,
        "metadata": {},
        "sealed_by": None,
    }
    times = {"created_at": "2026-01-01T00:00:00Z", "finished_at": None}
    return answer(numbers | texts | times | {"sealed": sealed, "counts": counts})


def asked() -> Ask:
    """Return what asks a service that has answered before."""
    ask = Ask()
    ask.has_answered = True
    return ask
