"""`/tasks`: submit, list, read, cancel and retry tasks."""

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
from queue_tool.web.http.orders import requester, selection_of, small_object, text_of
from queue_tool.web.http.paging import page_of_tasks, with_etag
from queue_tool.web.http.query import FILTERS, PAGING, filter_of, label_of, limit_of, parameters
from queue_tool.web.http.submissions import idempotency_key, received

ACCEPTED = 202

routes = Blueprint("tasks", __name__)


@routes.post("/tasks")
@needs(Role.SUBMIT)
def create() -> Response:
    """Accept one task, or an array of tasks as a batch."""
    label = label_of(parameters("name", labels=True))
    with json_body() as (body, value):
        system = runtime()
        key = idempotency_key(body)
        judge = Requests(types=system.types, now=system.clock.now())
        if isinstance(value, list):
            return received(system.submit(value, judge, key, label=label), ACCEPTED)
        if not isinstance(value, dict):
            raise BadRequest("The body must be a JSON object or an array of objects.")
        if label != UNNAMED:
            raise BadParameter(
                "Only a batch has a name and metadata: send the task in an array, or omit these parameters."
            )
        element = system.submit.single(value, judge, key)
    if isinstance(element, Refused):
        if element.duplicate_of is None:
            raise BadTask.because([asdict(error) for error in element.errors])
        return _status_response(element.duplicate_of, 200, duplicate=True)
    return _status_response(element.token, ACCEPTED)


@routes.get("/tasks")
@needs(Role.READ)
def many() -> Response:
    """List tasks, newest first."""
    query = parameters(*FILTERS, *PAGING)
    page = runtime().list(filter_of(query), limit_of(query), query.get("cursor"))
    return page_of_tasks(page, shapes.summary)


@routes.get("/tasks/<path:token>")
@needs(Role.READ)
def show(token: str) -> Response:
    """Return all fields of a task."""
    parameters()
    return with_etag(answer(shapes.details(runtime().ask.details(token))))


@routes.get("/tasks/<token>/status")
@needs(Role.READ)
def status(token: str) -> Response:
    """Return only the status of a task."""
    parameters()
    task = runtime().ask.task(token)
    return answer({"task_id": task.token, "token": task.token, "status": task.state, "message": task.state.message})


@routes.post("/tasks/<token>/cancel")
@needs(Role.SUBMIT)
def cancel(token: str) -> Response:
    """Cancel an unfinished task, whether it runs or not."""
    parameters()
    body = small_object("by", "reason")
    system = runtime()
    task = system.ask.task(token)
    if not system.cancel([token], requester(body), text_of(body, "reason")).tickets:
        raise TaskEnded(f"This task has already ended: it is {system.ask.task(token).state.value}.")
    return _status_response(task.token, 200)


@routes.post("/tasks/<token>/retry")
@needs(Role.SUBMIT)
def retry(token: str) -> Response:
    """Retry a failed or canceled task."""
    parameters()
    small_object()
    return reopened(token)


@routes.post("/tasks/cancel")
@needs(Role.SUBMIT)
def cancel_many() -> Response:
    """Cancel the tasks with the given tokens, or all tasks that match a filter."""
    parameters()
    body = small_object("tokens", "filter", "by", "reason")
    selection, by, reason = selection_of(body), requester(body), text_of(body, "reason")
    cancel = runtime().cancel
    changed = (
        cancel.matching(selection.filter, by, reason)
        if selection.filter
        else cancel.these(selection.tokens, by, reason)
    )
    return answer({"matched": changed.matched, "changed": changed.changed})


@routes.post("/tasks/retry")
@needs(Role.SUBMIT)
def retry_many() -> Response:
    """Retry the tasks with the given tokens, or all tasks that match a filter."""
    parameters()
    selection = selection_of(small_object("tokens", "filter"))
    reopen = runtime().reopen
    changed = reopen.matching(selection.filter) if selection.filter else reopen.these(selection.tokens)
    return answer({"matched": changed.matched, "changed": changed.changed})


def reopened(token: str) -> Response:
    """Retry a task and return the response with its new status.

    Raises:
        TaskNotFound: the token is unknown.
        TaskNotRetried: the task has not ended, or has succeeded.
        UniqueKeyTaken: another task uses its unique key.
    """
    system = runtime()
    task = system.ask.task(token)
    if not system.reopen([token]):
        state = system.ask.task(token).state
        if state.can_be_reopened:
            raise UniqueKeyTaken
        raise TaskNotRetried(f"Only failed and canceled tasks can be retried; this one is {state.value}.")
    return _status_response(task.token, 200)


def _status_response(token: str, code: int, **more: object) -> Response:
    task = runtime().ask.task(token)
    response = answer(shapes.standing(task) | more, code)
    response.headers["Location"] = f"/tasks/{task.token}"
    return response
