"""`/batches`: the status of batches; cancel or retry all tasks of a batch."""

from __future__ import annotations

from flask import Blueprint, Response, g

from queue_tool.model.access import Role
from queue_tool.model.filter import Filter
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, runtime
from queue_tool.web.http.orders import requester, small_object, text_of
from queue_tool.web.http.paging import listed, with_etag
from queue_tool.web.http.prefer import answer_in_time
from queue_tool.web.http.query import PAGING, label_of, limit_of, parameters

routes = Blueprint("batches", __name__)


@routes.get("/batches")
@needs(Role.READ)
def many() -> Response:
    """List batches, newest first."""
    query = parameters("name", *PAGING, labels=True)
    found, following = runtime().list.batches(label_of(query), limit_of(query), query.get("cursor"))
    return listed([shapes.batch(batch) for batch in found], following)


@routes.get("/batches/<batch>")
@needs(Role.READ)
def show(batch: str) -> Response:
    """Return the status of one batch. The counts of the six states and `rejected` add up to `total`."""
    parameters()
    system = runtime()
    return with_etag(
        answer_in_time(
            ask=lambda: system.ask.batch(batch),
            is_over=lambda found: found.finished_at is not None,
            wait=lambda seconds, on_leave: system.wait.batch(batch, seconds, on_leave),
            answer=lambda found: answer(shapes.batch(found)),
        )
    )


@routes.post("/batches/<batch>/cancel")
@needs(Role.SUBMIT)
def cancel(batch: str) -> Response:
    """Cancel all unfinished tasks of a batch."""
    parameters()
    body = small_object("by", "reason")
    system = runtime()
    system.ask.batch(batch)
    changed = system.cancel.matching(Filter(batch=batch), requester(body), text_of(body, "reason"), key=g.key_name)
    return answer({"matched": changed.matched, "changed": changed.changed})


@routes.post("/batches/<batch>/retry")
@needs(Role.SUBMIT)
def retry(batch: str) -> Response:
    """Retry all failed and canceled tasks of a batch."""
    parameters()
    small_object()
    system = runtime()
    system.ask.batch(batch)
    changed = system.reopen.matching(Filter(batch=batch))
    return answer({"matched": changed.matched, "changed": changed.changed})
