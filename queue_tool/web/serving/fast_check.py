"""The fast way to `GET /check/<token>`: what clients ask again and again is answered in front of Flask.

It answers what the route itself would, byte for byte, and only the plain case: a known token, and nobody who would
rather wait. Everything else, errors included, goes on to Flask. The route is open to all, so there is no key to see.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from queue_tool.errors import QueueToolError
from queue_tool.model import events, json_text
from queue_tool.runtime import Runtime
from queue_tool.web.http import shapes

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/check/"


class FastCheck:
    """Stands in front of an application."""

    def __init__(self, behind: WSGIApplication, system: Runtime) -> None:
        """Pass on to the application what is not answered here."""
        self._behind = behind
        self._system = system
        self._alone = threading.Lock()  # threads that meet inside the database pass the interpreter to and fro

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, or pass on."""
        path: str = environ["PATH_INFO"]
        if not path.startswith(PATH) or environ["REQUEST_METHOD"] != "GET" or "HTTP_PREFER" in environ:
            return self._behind(environ, start_response)
        began = time.perf_counter()
        try:
            with self._alone:
                task = self._system.ask.task(path.removeprefix(PATH))
        except QueueToolError:
            return self._behind(environ, start_response)
        body = json_text.dumps(shapes.check(task)) + b"\n"
        start_response(
            "200 OK",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Vary", "Prefer"),
                ("X-Content-Type-Options", "nosniff"),
            ],
        )
        telemetry = self._system.telemetry
        if telemetry.hears(events.Asked):
            telemetry.emit(events.Asked(method="GET", path=path, status=200, ms=(time.perf_counter() - began) * 1000))
        return [body]
