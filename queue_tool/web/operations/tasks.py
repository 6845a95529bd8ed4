"""`/tasks`: submit, list, read, cancel and retry tasks."""

from __future__ import annotations

from dataclasses import asdict, replace

from flask import Blueprint, Response, g

from queue_tool.errors import BadParameter, BadRequest, BadTask, TaskEnded, TaskNotRetried, UniqueKeyTaken
from queue_tool.model.access import Role
from queue_tool.model.batch import UNNAMED, Element, Judge, NewTask, Refused
from queue_tool.model.settings import INLINE
from queue_tool.model.states import State
from queue_tool.model.task_request import Requests
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, runtime
from queue_tool.web.http.bodies import json_body
from queue_tool.web.http.orders import requester, selection_of, small_object, text_of
from queue_tool.web.http.paging import page_of_tasks, with_etag
from queue_tool.web.http.prefer import answer_in_time
from queue_tool.web.http.query import FILTERS, PAGING, filter_of, label_of, limit_of, parameters
from queue_tool.web.http.submissions import idempotency_key, received

ACCEPTED = 202

routes = Blueprint("tasks", __name__)


@routes.post("/tasks")
@needs(Role.SUBMIT)
def create() -> Response:
    """Accept one task, or an array of tasks as a batch. With `?task_type=` the body is the data itself."""
    query = parameters("name", "task_type", labels=True)
    label = label_of(query)
    system = runtime()
    judge: Judge = Requests(types=system.types, now=system.clock.now())
    if "task_type" in query:
        judge = _judge_of(query["task_type"])
    with json_body() as (body, value):
        key = idempotency_key(body)
        if isinstance(value, list):
            return received(system.submit(value, judge, key, label=label, some_accepted=True), ACCEPTED)
        if not isinstance(value, dict) and "task_type" not in query:
            raise BadRequest("The body must be a JSON object or an array of objects.")
        if label != UNNAMED:
            raise BadParameter(
                "Only a batch has a name and metadata: send the task in an array, or omit these parameters."
            )
        element = system.submit.single(value, judge, key)
    return _submitted(element)


def _judge_of(name: str) -> Judge:
    if name not in runtime().types:
        raise BadParameter(f"task_type: there is no task type {name[:80]!r:.80}.")
    return runtime().of_type(name)


def _submitted(element: Element) -> Response:
    """Return the response to one task. For a new task it is made without the database, which may be away by now."""
    if isinstance(element, Refused):
        if element.duplicate_of is None:
            raise BadTask.because([asdict(error) for error in element.errors])
        return _answered(_standing(element.duplicate_of), 200, duplicate=True)
    if isinstance(element, NewTask) and runtime().settings.redis_url != INLINE:
        return _answered(_standing_of_new(element), ACCEPTED)
    return _answered(_standing(element.token, element.custom_id), ACCEPTED)


def _standing_of_new(task: NewTask) -> dict[str, object]:
    state = State.SCHEDULED if task.options.must_wait(runtime().clock.now()) else State.QUEUED
    return shapes.standing_in(task.token, state, task.task_type.name, None) | _own_id(task.custom_id)


def _standing(token: str, custom_id: str | None = None) -> dict[str, object]:
    return shapes.standing(runtime().ask.task(token)) | _own_id(custom_id)


def _own_id(custom_id: str | None) -> dict[str, object]:
    return {} if custom_id is None else {"custom_id": custom_id}


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
    system = runtime()
    return with_etag(
        answer_in_time(
            ask=lambda: system.ask.details(token),
            is_over=lambda task: task.state.ended,
            wait=lambda seconds, on_leave: system.wait.task(token, seconds, on_leave),
            answer=lambda task: answer(shapes.details(task)),
        )
    )


@routes.get("/tasks/<token>/status")
@needs(Role.READ)
def status(token: str) -> Response:
    """Return only the status of a task."""
    parameters()
    system = runtime()
    return answer_in_time(
        ask=lambda: system.ask.task(token),
        is_over=lambda task: task.state.ended,
        wait=lambda seconds, on_leave: system.wait.task(token, seconds, on_leave),
        answer=lambda task: answer(
            {"task_id": task.token, "token": task.token, "status": task.state, "message": task.state.message}
        ),
    )


@routes.post("/tasks/<token>/cancel")
@needs(Role.SUBMIT)
def cancel(token: str) -> Response:
    """Cancel an unfinished task, whether it runs or not."""
    parameters()
    body = small_object("by", "reason")
    system = runtime()
    task = system.ask.task(token)
    if not system.cancel([token], requester(body), text_of(body, "reason"), key=g.key_name).tickets:
        raise TaskEnded(f"This task has already ended: it is {system.ask.task(token).state.value}.")
    return _answered(shapes.standing(replace(task, state=State.CANCELED)), 200)


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
    body = small_object("tokens", "filter", "all", "dry_run", "by", "reason")
    chosen, by, reason = selection_of(body), requester(body), text_of(body, "reason")
    cancel = runtime().cancel
    if chosen.filter:
        changed = cancel.matching(chosen.filter, by, reason, key=g.key_name, dry_run=chosen.dry_run)
    else:
        changed = cancel.these(chosen.tokens, by, reason, key=g.key_name, dry_run=chosen.dry_run)
    return answer({"matched": changed.matched, "changed": changed.changed})


@routes.post("/tasks/retry")
@needs(Role.SUBMIT)
def retry_many() -> Response:
    """Retry the tasks with the given tokens, or all tasks that match a filter."""
    parameters()
    chosen = selection_of(small_object("tokens", "filter", "all", "dry_run"))
    reopen = runtime().reopen
    if chosen.filter:
        changed = reopen.matching(chosen.filter, dry_run=chosen.dry_run)
    else:
        changed = reopen.these(chosen.tokens, dry_run=chosen.dry_run)
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
    return _answered(shapes.standing(replace(task, state=State.QUEUED)), 200)


def _answered(standing: dict[str, object], status: int, **more: object) -> Response:
    response = answer(standing | more, status)
    response.headers["Location"] = f"/tasks/{standing['token']}"
    return response
