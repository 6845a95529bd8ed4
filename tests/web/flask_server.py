"""Flask's own server in a thread of the tests, on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from queue_tool.runtime import Runtime
from queue_tool.web import create_app
from tests import conftest
from tests.support import free_port


class Quiet(WSGIRequestHandler):
    """It logs no requests."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


class WholeFiles:
    """Reads files before they are sent: the server leaves a file open when the browser has gone to another page."""

    def __init__(self, app: Flask) -> None:
        """Serve this application."""
        self._app = app

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        body: Any = self._app(environ, start_response)
        if not environ["PATH_INFO"].startswith("/static/"):
            found: Iterable[bytes] = body
            return found
        with closing(body):
            return [b"".join(body)]


@contextmanager
def flask_server(runtime: Runtime) -> Iterator[tuple[int, Flask]]:
    """Run Flask's own server, as `flask run` does; return its port and its application."""
    app = conftest.testing(create_app(runtime))
    server = make_server("127.0.0.1", free_port(), WholeFiles(app), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.port, app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
