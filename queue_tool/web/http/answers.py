"""The runtime of the current application, and responses in JSON."""

from __future__ import annotations

from datetime import datetime

from flask import Response, current_app

from queue_tool.model import json_text
from queue_tool.runtime import Runtime

EXTENSION = "queue_tool"


def runtime() -> Runtime:
    """Return the runtime of the current application."""
    found: Runtime = current_app.extensions[EXTENSION]
    return found


def answer(value: object, status: int = 200, mimetype: str = "application/json") -> Response:
    """Return a response with a value as JSON and a final newline, which helps in a terminal."""
    return Response(json_text.dumps(value) + b"\n", status=status, mimetype=mimetype)


def rfc3339(time: datetime | None) -> str | None:
    """Return a time as text: RFC 3339, UTC, microseconds."""
    return None if time is None else time.isoformat(timespec="microseconds").replace("+00:00", "Z")
