"""`/batches`: how batches stand, and what is to be done with all of one."""

from __future__ import annotations

from flask import Blueprint, Response

from queue_tool.model.access import Role
from queue_tool.model.filter import Filter
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, runtime
from queue_tool.web.http.orders import small_object, text_of, who
from queue_tool.web.http.paging import listed, with_etag
from queue_tool.web.http.prefer import answer_in_time
from queue_tool.web.http.query import PAGING, label_of, limit_of, parameters

routes = Blueprint("batches", __name__)


@routes.get("/batches")
@needs(Role.READ)
def many() -> Response:
    """List batches, the last one sent first."""
    query = parameters("name", *PAGING, labels=True)
    found, following = runtime().list.batches(label_of(query), limit_of(query), query.get("cursor"))
    return listed([shapes.batch(batch) for batch in found], following)


@routes.get("/batches/<batch>")
@needs(Role.READ)
def show(batch: str) -> Response:
    """Say how one batch stands; the counts of the six states and `rejected` sum to `total`."""
    parameters()
    system = runtime()
    return with_etag(
        answer_in_time(
            ask=lambda: system.ask.batch(batch),
            is_over=lambda found: found.finished_at is not None,
            wait=lambda seconds: system.wait.batch(batch, seconds),
            answer=lambda found: answer(shapes.batch(found)),
        )
    )


@routes.post("/batches/<batch>/cancel")
@needs(Role.SUBMIT)
def cancel(batch: str) -> Response:
    """End all of its tasks that have not ended."""
    parameters()
    body = small_object("by", "reason")
    system = runtime()
    system.ask.batch(batch)
    changed = system.cancel.matching(Filter(batch=batch), who(body), text_of(body, "reason"))
    return answer({"matched": changed.matched, "changed": changed.changed})


@routes.post("/batches/<batch>/retry")
@needs(Role.SUBMIT)
def retry(batch: str) -> Response:
    """Let all of its tasks be done again that failed or were canceled."""
    parameters()
    small_object()
    system = runtime()
    system.ask.batch(batch)
    changed = system.reopen.matching(Filter(batch=batch))
    return answer({"matched": changed.matched, "changed": changed.changed})
