"""`/deadletter`: failed tasks, which are not retried automatically."""

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
from queue_tool.web.http.orders import filter_of_body, small_object, truth_of
from queue_tool.web.http.paging import page_of_tasks
from queue_tool.web.http.query import FILTERS, PAGING, filter_of, limit_of, parameters, seconds_of
from queue_tool.web.operations.tasks import reopened

FAILED = frozenset({State.FAILED})
FILTERS_HERE = tuple(name for name in FILTERS if name != "status")

routes = Blueprint("deadletter", __name__)


@routes.get("/deadletter")
@needs(Role.READ)
def many() -> Response:
    """List failed tasks, newest first."""
    query = parameters(*FILTERS_HERE, *PAGING)
    return page_of_tasks(runtime().list(_failed(filter_of(query)), limit_of(query), query.get("cursor")), shapes.ended)


@routes.post("/deadletter/<token>/retry")
@needs(Role.SUBMIT)
def retry(token: str) -> Response:
    """Retry one failed task."""
    parameters()
    small_object()
    state = runtime().ask.task(token).state
    if state is not State.FAILED:
        raise TaskNotRetried(f"Only failed tasks are dead letters; this one is {state.value}.")
    return reopened(token)


@routes.post("/deadletter/retry")
@needs(Role.ADMIN)
def retry_all() -> Response:
    """Retry all failed tasks that match the filter; without a filter, all failed tasks."""
    parameters()
    body = small_object("filter", "all", "dry_run")
    wanted = filter_of_body(body, FILTERS_HERE) if "filter" in body else Filter()
    changed = runtime().reopen.matching(_failed(wanted), dry_run=truth_of(body, "dry_run"))
    return answer({"matched": changed.matched, "changed": changed.changed})


@routes.delete("/deadletter")
@needs(Role.ADMIN)
def purge() -> Response:
    """Delete failed tasks, with all their data, that ended at least `older_than` seconds ago."""
    query = parameters("older_than")
    if "older_than" not in query:
        raise BadParameter(
            "older_than is required: the minimum seconds since a task ended. Use 0 to remove all failed tasks."
        )
    older_than = timedelta(seconds=seconds_of("older_than", query["older_than"]))
    return answer({"removed": runtime().dead_letters.purge(older_than)})


def _failed(wanted: Filter) -> Filter:
    return replace(wanted, states=FAILED)
