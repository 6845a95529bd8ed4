"""What every route reaches for: the runtime behind the application, and answers in JSON."""

from __future__ import annotations

from datetime import datetime

from flask import Response, current_app

from queue_tool.model import json_text
from queue_tool.runtime import Runtime

EXTENSION = "queue_tool"


def runtime() -> Runtime:
    """Return what the current application works with."""
    found: Runtime = current_app.extensions[EXTENSION]
    return found


def answer(value: object, status: int = 200, mimetype: str = "application/json") -> Response:
    """Return a response that carries a value as JSON, and a line's end for those who look at it in a terminal."""
    return Response(json_text.dumps(value) + b"\n", status=status, mimetype=mimetype)


def rfc3339(time: datetime | None) -> str | None:
    """Return a time as users see it: RFC 3339, in UTC, with microseconds."""
    return None if time is None else time.isoformat(timespec="microseconds").replace("+00:00", "Z")
