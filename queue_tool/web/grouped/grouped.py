"""The entry to requests that are handled together, as the bridge calls it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from queue_tool.errors import QueueToolError
from queue_tool.host.current_request import handling
from queue_tool.model import events, json_text
from queue_tool.model.access import Role
from queue_tool.runtime import Runtime
from queue_tool.services.together import Failed
from queue_tool.web.grouped.messages import MessageRequests
from queue_tool.web.grouped.requests import Kind, Ordered, Request
from queue_tool.web.grouped.submissions import SubmitRequests
from queue_tool.web.http import admission, request_ids
from queue_tool.web.http.caching import NO_STORE
from queue_tool.web.http.known_keys import KnownKeys
from queue_tool.web.http.operation import Reply
from queue_tool.web.operations import api, messages, tasks
from queue_tool.web.serving.bridge.responses import Ready
from queue_tool.web.serving.gathering import Gathering
from queue_tool.web.serving.patience import Patience

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_OPERATIONS = {
    operation.path: operation.name
    for part in (api, messages, tasks)
    for operation in part.routes.operations
    if operation.method == "POST"
}
"""The names of the operations, by path."""

Answer = Ready | QueueToolError
"""A response, or the error that the application answers."""

_log = logging.getLogger("queue_tool.web")


class Grouped:
    """Hands the requests of each kind to the threads of this kind."""

    def __init__(self, system: Runtime) -> None:
        """Use this system."""
        self._system = system
        self._keys = KnownKeys(system.store, system.settings)
        kinds: Sequence[Kind[Any]] = (MessageRequests(system), SubmitRequests(system))
        self._gatherings: dict[str, Gathering[Request, Answer]] = {}
        for kind in kinds:
            gathering = Gathering[Request, Answer]("grouped", partial(self._answers, kind), Patience())
            self._gatherings |= dict.fromkeys(kind.paths, gathering)

    def __call__(self, environ: WSGIEnvironment) -> asyncio.Future[Answer | None] | None:
        """Answer a request whose body has been read. Call this in the event loop.

        Returns:
            Its response, or the error that the application answers; None if the application must handle the request.
        """
        gathering = self._gatherings.get(environ["PATH_INFO"])
        request = Request(environ)
        return gathering(request) if gathering is not None and request.is_usual else None

    def _answers(self, kind: Kind[Any], requests: Sequence[Request]) -> list[Answer | None]:
        """Answer several requests of one kind; None where the application must handle the request."""
        answers: dict[int, Answer] = {}
        ordered = [each for request in requests if (each := self._ordered(kind, request)) is not None]
        replies = _carry_out(kind, ordered) if ordered else ()
        for each, reply in zip(ordered, replies, strict=True):
            with handling(each.request.id):
                answers[id(each.request)] = self._answer(each.request, reply)
        self._report([(each.request, answers[id(each.request)]) for each in ordered])
        return [answers.get(id(request)) for request in requests]

    def _ordered(self, kind: Kind[Any], request: Request) -> Ordered[Any] | None:
        try:
            admission.key_of(request.environ, Role.SUBMIT, self._keys, auth=self._system.settings.auth)
            order = kind.order_of(request)
        except QueueToolError:
            return None
        return None if order is None else Ordered(request, order)

    def _answer(self, request: Request, reply: Reply[Any] | Failed) -> Answer:
        """Return the answer to a request that was carried out. It raises no error: nobody may carry it out again."""
        try:
            if isinstance(reply, Failed):
                raise reply.error
            return self._response(request, reply)
        except QueueToolError as error:
            return error
        except Exception as error:  # noqa: BLE001 - the client must get an answer
            _log.error("unexpected error in POST %s", request.path, exc_info=error)
            return QueueToolError()

    def _report(self, answered: Sequence[tuple[Request, Answer]]) -> None:
        """Report requests to the metrics. The application reports those whose error it answers."""
        if not self._system.telemetry.hears(events.RequestsAnswered):
            return
        now = time.perf_counter()
        seconds: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        for request, answer in answered:
            if isinstance(answer, Ready):
                seconds[request.path, answer.status].append(now - request.began)
        for (path, status), values in seconds.items():
            self._system.telemetry.emit(
                events.RequestsAnswered(operation=_OPERATIONS[path], status=status, seconds=values)
            )

    def _response(self, request: Request, reply: Reply[Any]) -> Ready:
        ready = _ready(reply, request.id)
        if self._system.telemetry.hears(events.Requested):
            took = (time.perf_counter() - request.began) * 1000
            self._system.telemetry.emit(
                events.Requested(method="POST", path=request.path, status=ready.status, ms=took, request_id=request.id)
            )
        return ready


def _carry_out(kind: Kind[Any], ordered: Sequence[Ordered[Any]]) -> Sequence[Reply[Any] | Failed]:
    """Return the reply to each request. After a bug nobody may carry them out again: some may have been stored."""
    try:
        return kind.replies(ordered)
    except Exception as error:  # noqa: BLE001 - each client must get an answer
        return [Failed(error)] * len(ordered)


def _ready(reply: Reply[Any], request_id: str) -> Ready:
    """Return the response with a reply, as the application would make it."""
    body = json_text.encode(reply.body) + b"\n"
    return Ready(
        status=reply.status,
        headers=[
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"%d" % len(body)),
            *[(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()],
            (b"X-Content-Type-Options", b"nosniff"),
            (b"Cache-Control", NO_STORE.encode()),
            (request_ids.HEADER.encode(), request_id.encode()),
        ],
        body=body,
        parts=iter(()),
        close=_nothing,
    )


def _nothing() -> None:
    """Close nothing."""
