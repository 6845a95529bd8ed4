"""`/tasks`: sent, listed, looked at, canceled, retried."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response

from queue_tool.errors import BadParameter, BadRequest, BadTask, TaskEnded, TaskNotRetried, UniqueKeyTaken
from queue_tool.model.access import Role
from queue_tool.model.batch import UNNAMED, Refused
from queue_tool.model.task_request import Requests
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, runtime
from queue_tool.web.http.bodies import json_body
from queue_tool.web.http.orders import meant, small_object, text_of, who
from queue_tool.web.http.paging import page_of_tasks, with_etag
from queue_tool.web.http.query import FILTERS, PAGING, filter_of, label_of, limit_of, parameters
from queue_tool.web.http.submissions import idempotency_key, received

ACCEPTED = 202

routes = Blueprint("tasks", __name__)


@routes.post("/tasks")
@needs(Role.SUBMIT)
def create() -> Response:
    """Take one task, or an array of them as a batch."""
    label = label_of(parameters("name", labels=True))
    with json_body() as (body, value):
        system = runtime()
        key = idempotency_key(body)
        judge = Requests(types=system.types, now=system.clock.now())
        if isinstance(value, list):
            return received(system.submit(value, judge, key, label=label), ACCEPTED)
        if not isinstance(value, dict):
            raise BadRequest("The body must be a JSON object, or an array of them.")
        if label != UNNAMED:
            raise BadParameter("name and metadata are of a batch, and one task makes none: send an array of it.")
        element = system.submit.single(value, judge, key)
    if isinstance(element, Refused):
        if element.duplicate_of is None:
            raise BadTask.because([asdict(error) for error in element.errors])
        return _stands(element.duplicate_of, 200, duplicate=True)
    return _stands(element.token, ACCEPTED)


@routes.get("/tasks")
@needs(Role.READ)
def many() -> Response:
    """List tasks, the last one sent first."""
    query = parameters(*FILTERS, *PAGING)
    page = runtime().list(filter_of(query), limit_of(query), query.get("cursor"))
    return page_of_tasks(page, shapes.summary)


@routes.get("/tasks/<path:token>")
@needs(Role.READ)
def show(token: str) -> Response:
    """Say all that is known of a task."""
    parameters()
    return with_etag(answer(shapes.details(runtime().ask.details(token))))


@routes.get("/tasks/<token>/status")
@needs(Role.READ)
def status(token: str) -> Response:
    """Say how a task stands, and no more."""
    parameters()
    task = runtime().ask.task(token)
    return answer({"task_id": task.token, "token": task.token, "status": task.state, "message": task.state.message})


@routes.post("/tasks/<token>/cancel")
@needs(Role.SUBMIT)
def cancel(token: str) -> Response:
    """End a task that has not ended, wherever it is."""
    parameters()
    body = small_object("by", "reason")
    system = runtime()
    task = system.ask.task(token)
    if not system.cancel([token], who(body), text_of(body, "reason")).tickets:
        raise TaskEnded(f"This task has ended already: it is {system.ask.task(token).state.value}.")
    return _stands(task.token, 200)


@routes.post("/tasks/<token>/retry")
@needs(Role.SUBMIT)
def retry(token: str) -> Response:
    """Let a task that failed or was canceled be done again."""
    parameters()
    small_object()
    return reopened(token)


@routes.post("/tasks/cancel")
@needs(Role.SUBMIT)
def cancel_many() -> Response:
    """End some tasks, or all that a filter means."""
    parameters()
    body = small_object("tokens", "filter", "by", "reason")
    which, by, reason = meant(body), who(body), text_of(body, "reason")
    cancel = runtime().cancel
    changed = cancel.matching(which.filter, by, reason) if which.filter else cancel.these(which.tokens, by, reason)
    return answer({"matched": changed.matched, "changed": changed.changed})


@routes.post("/tasks/retry")
@needs(Role.SUBMIT)
def retry_many() -> Response:
    """Let some tasks be done again, or all that a filter means."""
    parameters()
    which = meant(small_object("tokens", "filter"))
    reopen = runtime().reopen
    changed = reopen.matching(which.filter) if which.filter else reopen.these(which.tokens)
    return answer({"matched": changed.matched, "changed": changed.changed})


def reopened(token: str) -> Response:
    """Let a task be done again, and answer how it stands.

    Raises:
        TaskNotFound: it is not known.
        TaskNotRetried: it has not ended, or has ended well.
        UniqueKeyTaken: another task has its unique key.
    """
    system = runtime()
    task = system.ask.task(token)
    if not system.reopen([token]):
        state = system.ask.task(token).state
        if state.can_be_reopened:
            raise UniqueKeyTaken
        raise TaskNotRetried(f"Only a task that failed or was canceled can be retried, and this one is {state.value}.")
    return _stands(task.token, 200)


def _stands(token: str, code: int, **more: object) -> Response:
    task = runtime().ask.task(token)
    response = answer(shapes.standing(task) | more, code)
    response.headers["Location"] = f"/tasks/{task.token}"
    return response
