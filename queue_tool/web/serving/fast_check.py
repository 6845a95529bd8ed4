"""The fast path for `GET /check/<token>`, which clients poll: it answers in front of Flask.

Its responses equal those of the route, byte for byte. It handles only the common case: the token is known, and the
request has no `Prefer` and no `If-None-Match`. Flask handles everything else, errors included. The route needs no API
key, so no key is checked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from queue_tool.errors import QueueToolError
from queue_tool.model import events, json_text
from queue_tool.runtime import Runtime
from queue_tool.web.http import request_ids, shapes
from queue_tool.web.http.caching import NO_STORE, etag_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/check/"

OPERATION = "checkTask"
"""The name of the operation."""

HEADERS = (
    ("Content-Type", "application/json"),
    ("Vary", "Prefer"),
    ("Cache-Control", NO_STORE),
    ("X-Content-Type-Options", "nosniff"),
)

LEFT_TO_FLASK = frozenset({"Prefer", "If-None-Match"})
"""The request headers that change the response."""

_PLACES = frozenset(f"HTTP_{name.upper().replace('-', '_')}" for name in LEFT_TO_FLASK)


class FastCheck:
    """WSGI middleware that answers status requests itself."""

    def __init__(self, application: WSGIApplication, system: Runtime) -> None:
        """Wrap an application.

        Args:
            application: handles all other requests.
            system: the runtime whose tasks are read.
        """
        self._application = application
        self._system = system
        # Concurrent reads of a file would be slower: the threads hand the GIL back and forth. A server may not answer
        # one read, and then the others must not wait for it.
        self._lock = threading.Lock() if system.store.database.is_file else nullcontext()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request, or pass it to the application."""
        path: str = environ["PATH_INFO"]
        if not path.startswith(PATH) or environ["REQUEST_METHOD"] != "GET" or not environ.keys().isdisjoint(_PLACES):
            return self._application(environ, start_response)
        request_id = request_ids.of(environ)
        (body,) = self.bodies([path], [request_id])
        if body is None:
            return self._application(environ, start_response)
        start_response("200 OK", headers_of(body, request_id))
        return [body]

    def bodies(self, paths: Sequence[str], ids: Sequence[str]) -> list[bytes | None]:
        """Return the body of the response to each path; None if the application must answer.

        Args:
            paths: each is `/check/` and a token.
            ids: the id of each request, for the log.
        """
        began = time.perf_counter()
        tokens = [path.removeprefix(PATH) for path in paths]
        try:
            with self._lock:
                found = [self._system.ask.task(tokens[0])] if len(tokens) == 1 else self._system.ask.tasks(tokens)
        except QueueToolError:
            return [None] * len(paths)
        bodies = [None if task is None else json_text.encode(shapes.check(task)) + b"\n" for task in found]
        telemetry, seconds = self._system.telemetry, time.perf_counter() - began
        answered = len(bodies) - bodies.count(None)
        if answered and telemetry.hears(events.RequestsAnswered):
            telemetry.emit(events.RequestsAnswered(operation=OPERATION, status=200, seconds=[seconds] * answered))
        if telemetry.hears(events.Asked):
            took = seconds * 1000
            for path, request_id, body in zip(paths, ids, bodies, strict=True):
                if body is not None:
                    telemetry.emit(events.Asked(method="GET", path=path, status=200, ms=took, request_id=request_id))
        return bodies


def headers_of(body: bytes, request_id: str) -> list[tuple[str, str]]:
    """Return the headers of the response with this body."""
    return [
        *HEADERS,
        ("Content-Length", str(len(body))),
        ("ETag", etag_of(body)),
        (request_ids.HEADER, request_id),
    ]
