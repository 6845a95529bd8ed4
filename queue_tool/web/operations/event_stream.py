"""`/events`: what ends, as server-sent events."""

from __future__ import annotations

from flask import Response, current_app, g, request

from queue_tool.errors import BatchNotFound, TooManyFollowers
from queue_tool.model.access import Role
from queue_tool.model.payloads.batches import Batch
from queue_tool.model.payloads.events import EndedTaskEvent, FinishedBatchEvent, ResetEvent
from queue_tool.model.payloads.queries import EventsQuery
from queue_tool.services.live_events import LiveEvents
from queue_tool.web.http import transport
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.following import EXTENSION
from queue_tool.web.http.operation import EVENT_STREAM, Answer, Group

routes = Group("events", "Follow what ends.")


@routes.get(
    "/events",
    Role.READ,
    errors=(BatchNotFound, TooManyFollowers),
    answers={
        200: Answer(
            body=EndedTaskEvent | FinishedBatchEvent | Batch | ResetEvent,
            types=EVENT_STREAM,
            meaning="Server-sent events. The schema is that of their `data`.",
            headers=("X-Accel-Buffering",),
        )
    },
)
def stream_events(query: EventsQuery) -> Response:
    """Follow what ends.

    The answer is a stream of server-sent events, which browsers read with `EventSource`. `task.finished`,
    `task.failed`, `task.canceled` and `batch.finished` come as soon as the end is stored. `batch.progress` has the
    counts of a batch, at most once a second. A client that connects again sends the `id` of its last event as
    `Last-Event-ID`, and misses nothing. After more than a minute the first event may be `reset`: then read again what
    you need.
    """
    if query.batch is not None:
        runtime().ask.batch(query.batch)
    headers = {"X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(iter(()), mimetype=EVENT_STREAM[0], headers=headers)
    follow: LiveEvents = current_app.extensions[EXTENSION]
    follower = follow(query.batch, request.headers.get("Last-Event-ID"), g.key_id, query.seconds)
    request.environ[transport.LIVE] = follower
    return Response(follower, mimetype=EVENT_STREAM[0], headers=headers)
