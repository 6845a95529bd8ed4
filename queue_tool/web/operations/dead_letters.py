"""`/deadletter`: tasks that failed for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flask import Blueprint, Response

from queue_tool.errors import BadParameter, TaskNotRetried
from queue_tool.model.access import Role
from queue_tool.model.filter import Filter
from queue_tool.model.states import State
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, runtime
from queue_tool.web.http.orders import filter_in, small_object
from queue_tool.web.http.paging import page_of_tasks
from queue_tool.web.http.query import FILTERS, PAGING, filter_of, limit_of, parameters, seconds_of
from queue_tool.web.operations.tasks import reopened

FAILED = frozenset({State.FAILED})
FILTERS_HERE = tuple(name for name in FILTERS if name != "status")

routes = Blueprint("deadletter", __name__)


@routes.get("/deadletter")
@needs(Role.READ)
def many() -> Response:
    """List them, the last one sent first."""
    query = parameters(*FILTERS_HERE, *PAGING)
    return page_of_tasks(runtime().list(_failed(filter_of(query)), limit_of(query), query.get("cursor")), shapes.ended)


@routes.post("/deadletter/<token>/retry")
@needs(Role.SUBMIT)
def retry(token: str) -> Response:
    """Let one of them be done again."""
    parameters()
    small_object()
    state = runtime().ask.task(token).state
    if state is not State.FAILED:
        raise TaskNotRetried(f"Only a task that failed is a dead letter, and this one is {state.value}.")
    return reopened(token)


@routes.post("/deadletter/retry")
@needs(Role.ADMIN)
def retry_all() -> Response:
    """Let all of them be done again that a filter means; without a filter, all."""
    parameters()
    body = small_object("filter")
    changed = runtime().reopen.matching(_failed(filter_in(body.get("filter", {}), FILTERS_HERE)))
    return answer({"matched": changed.matched, "changed": changed.changed})


@routes.delete("/deadletter")
@needs(Role.ADMIN)
def purge() -> Response:
    """Remove those that ended so many seconds ago or earlier, with all that is kept of them."""
    query = parameters("older_than")
    if "older_than" not in query:
        raise BadParameter("older_than is needed: the seconds since their end; 0 removes all of them.")
    older_than = timedelta(seconds=seconds_of("older_than", query["older_than"]))
    return answer({"removed": runtime().dead_letters.purge(older_than)})


def _failed(wanted: Filter) -> Filter:
    return replace(wanted, states=FAILED)
