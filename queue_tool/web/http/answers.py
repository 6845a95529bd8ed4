"""The runtime of the current application, and responses in JSON."""

from __future__ import annotations

from datetime import datetime

from flask import Response, current_app
from msgspec import Struct

from queue_tool.model import json_text
from queue_tool.model.times import rfc3339
from queue_tool.runtime import Runtime

EXTENSION = "queue_tool"


def runtime() -> Runtime:
    """Return the runtime of the current application."""
    found: Runtime = current_app.extensions[EXTENSION]
    return found


def answer(body: Struct, status: int = 200, mimetype: str = "application/json") -> Response:
    """Return a response with a body as JSON and a final newline, which helps in a terminal."""
    return Response(json_text.encode(body) + b"\n", status=status, mimetype=mimetype)


def rfc3339_or_none(time: datetime | None) -> str | None:
    """Return a time as text; None stays None."""
    return None if time is None else rfc3339(time)
