"""What the server tells the application about the transport of a request. Flask's own server tells nothing."""

from __future__ import annotations

from flask import Response, request

from queue_tool.errors import QueueToolError
from queue_tool.services.wait import OnLeave

REFUSAL = "queue_tool.refusal"
"""In the WSGI environment: the error because of which the server did not read the body."""

ADMITS_ONLY = "queue_tool.admits_only"
"""In the WSGI environment: the server only asks whether this client may send such a request. It has no body yet."""

ON_LEAVE = "queue_tool.on_leave"
"""In the WSGI environment: registers a function that is called when the client leaves."""

LIVE = "queue_tool.live"
"""In the WSGI environment: what the application answers with, if it is a stream whose pieces come at any time."""

ADMITTED = 100
"""The status "Continue": the server may read the body. No other response has it."""


def settle_transport() -> Response | None:
    """Answer a request whose body the server did not read.

    Raises:
        QueueToolError: the error because of which the body was not read.
    """
    refusal: QueueToolError | None = request.environ.get(REFUSAL)
    if refusal is not None:
        raise refusal
    return Response(status=ADMITTED) if ADMITS_ONLY in request.environ else None


def on_leave() -> OnLeave | None:
    """Return what registers a function for the moment at which the client leaves; None if the server cannot tell."""
    found: OnLeave | None = request.environ.get(ON_LEAVE)
    return found
