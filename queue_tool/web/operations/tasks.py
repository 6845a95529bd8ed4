"""`/tasks`: submit, list, read, cancel and retry tasks."""

from __future__ import annotations

from dataclasses import replace

from flask import g

from queue_tool.errors import (
    BadParameter,
    BadRequest,
    BadTask,
    BadWebhook,
    PartlyChanged,
    TaskEnded,
    TaskNotFound,
    TaskNotRetried,
    TaskRemoved,
    TooManyItems,
    TooManyWaiting,
    UniqueKeyTaken,
)
from queue_tool.model.access import Role
from queue_tool.model.batch import UNNAMED, Element, Judge
from queue_tool.model.labels import label_of
from queue_tool.model.payloads.batches import Received
from queue_tool.model.payloads.details import TaskDetails
from queue_tool.model.payloads.filters import Filters
from queue_tool.model.payloads.lists import TaskPage
from queue_tool.model.payloads.queries import SubmitQuery
from queue_tool.model.payloads.requests import BulkCancelBody, CancelBody, RetryBody
from queue_tool.model.payloads.tasks import Changed, StatusOnly, TaskStatus
from queue_tool.model.settings import INLINE
from queue_tool.model.states import State
from queue_tool.model.task_request import Requests
from queue_tool.runtime import Runtime
from queue_tool.services import answers
from queue_tool.web.http import shapes
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import JsonBody
from queue_tool.web.http.operation import JSON_OR_LINES, Answer, Group, Options, Reply
from queue_tool.web.http.paging import page_of_tasks
from queue_tool.web.http.prefer import answer_in_time, task_in_time
from queue_tool.web.http.selections import requester, selection_of
from queue_tool.web.http.submissions import REFUSED_WHOLE, idempotency_key, on_finished_of, received

ACCEPTED = 202

LOCATION = ("Location",)

routes = Group("tasks", "Send tasks of any type, read their status and all their details, cancel and retry them.")


SUBMITS: Options = {
    "status": ACCEPTED,
    "keyed": True,
    "continues": True,
    "takes": JSON_OR_LINES,
    "body_schema": "TaskRequests",
    "errors": (BadTask, BadWebhook, TooManyItems, TooManyWaiting, TaskRemoved),
    "answers": {
        ACCEPTED: Answer(
            body=TaskStatus | Received,
            meaning="The new task; or, for an array, the result of each element.",
            headers=LOCATION,
        ),
        200: Answer(
            body=TaskStatus,
            meaning="No task was created: this unfinished task of the type already uses the `unique_key`.",
            headers=LOCATION,
        ),
        REFUSED_WHOLE: Answer(
            body=Received, meaning="Every element of the array was refused. Nothing was stored, and there is no batch."
        ),
    },
}
"""What the declaration of a route that sends tasks says, beside its path and role."""


TASKS = "/tasks"


@routes.post(TASKS, Role.SUBMIT, **SUBMITS)
def submit_tasks(query: SubmitQuery, body: JsonBody) -> Reply[Received] | Reply[TaskStatus]:
    """Send one task or a batch of tasks of any type.

    An object creates one task, without a batch; if it is not valid, the answer is 400. An array creates a batch, and
    each element is checked on its own: the answer has a token or the reasons of its refusal for each.
    With `Content-Type: application/x-ndjson` or `application/jsonl`, an array has one element on each line of the body.
    With the parameter `task_type`, the body is the data itself: each element of an array, or any other JSON for one
    task. The parameters `name`, `metadata.*` and `webhook` are about a batch, so they need an array.

    When you have the answer, all its tasks are on disk. With an `Idempotency-Key` you can repeat the request safely.
    """
    label = label_of(query.name, query.metadata, query.webhook)
    system = runtime()
    judge: Judge = Requests(types=system.types, now=system.clock.now())
    if query.task_type is not None:
        judge = _judge_of(query.task_type)
    key, followers = idempotency_key(body.text), on_finished_of(query.on_finished)
    if isinstance(body.value, list):
        submission = system.submit(body.value, judge, key, label=label, some_accepted=True, on_finished=followers)
        return received(submission, ACCEPTED)
    if not isinstance(body.value, dict) and query.task_type is None:
        raise BadRequest("The body must be a JSON object or an array of objects.")
    if label != UNNAMED:
        raise BadParameter("Only a batch takes these parameters: send the task in an array, or omit them.")
    return submitted(system, system.submit.single(body.value, judge, key, on_finished=followers))


def _judge_of(name: str) -> Judge:
    if name not in runtime().types:
        raise BadParameter(f"task_type: there is no task type {name[:80]!r:.80}.")
    return runtime().of_type(name)


def submitted(system: Runtime, element: Element) -> Reply[TaskStatus]:
    """Return the answer to one task.

    Raises:
        BadTask: it was refused.
        TaskRemoved: the task of a repeated request was removed since.
        StoreAway: the database is busy or away, and is needed.
    """
    now = None if system.settings.redis_url == INLINE else system.clock.now()
    answer = answers.submitted(element, system.ask, now)
    return _located(answer, 200 if answer.duplicate is True else ACCEPTED)


@routes.get("/tasks", Role.READ)
def list_tasks(query: Filters) -> Reply[TaskPage]:
    """List tasks, newest first.

    Without filters the list has all tasks. Each filter uses an index, so the last page is as fast as the first one.
    A task that is created after you read the first page is on no later page.
    """
    return page_of_tasks(runtime().list(query.filter, query.limit, query.cursor))


@routes.get("/tasks/<path:token>", Role.READ, waits=True, errors=(TaskNotFound,))
def get_task(token: str) -> Reply[TaskDetails]:
    """Read everything about a task.

    Returns its data, result, attempts with tracebacks, timeline and log. To wait for the end of a task,
    `GET /tasks/{token}/status` and `GET /check/{token}` read less. With `Prefer: wait=30` the server answers when the
    task has ended, or after 30 seconds.
    """
    system = runtime()
    return answer_in_time(
        ask=lambda: system.ask.details(token),
        is_over=lambda task: task.state.ended,
        wait=lambda seconds, on_leave: system.wait.task(token, seconds, on_leave),
        answer=shapes.details,
    )


@routes.get("/tasks/<token>/status", Role.READ, waits=True, errors=(TaskNotFound,))
def get_task_status(token: str) -> Reply[StatusOnly]:
    """Read only the status of a task.

    This is the smallest answer about a task. With `Prefer: wait=30` the server answers when the task has ended, or
    after 30 seconds.
    """
    return task_in_time(token, shapes.status_only)


@routes.post("/tasks/<token>/cancel", Role.SUBMIT, headers=LOCATION, errors=(TaskNotFound, TaskEnded))
def cancel_task(token: str, body: CancelBody) -> Reply[TaskStatus]:
    """Cancel a task.

    The task becomes `canceled` at once, even while it runs: its result is discarded, and its function is stopped if the
    lane of the task type can do that. A task that has ended is not changed: the answer is 409.
    """
    system = runtime()
    task = system.ask.task(token)
    if not system.cancel([token], requester(body.by or body.cancelled_by), body.reason or "", key=g.key_name).tickets:
        raise TaskEnded(f"This task has already ended: it is {system.ask.task(token).state.value}.")
    return _located(answers.status(replace(task, state=State.CANCELED)))


@routes.post(
    "/tasks/<token>/retry", Role.SUBMIT, headers=LOCATION, errors=(TaskNotFound, TaskNotRetried, UniqueKeyTaken)
)
def retry_task(token: str) -> Reply[TaskStatus]:
    """Retry a failed or canceled task.

    The task returns to the queue under the same token, with all its attempts again. Earlier attempts stay in its
    details. The answer is 409 if the task has not ended or has finished, or if another unfinished task of its type now
    has its `unique_key`.
    """
    return reopened(token)


@routes.post("/tasks/cancel", Role.SUBMIT, errors=(TooManyItems, PartlyChanged))
def cancel_tasks(body: BulkCancelBody) -> Changed:
    """Cancel many tasks.

    The body has either `tokens`, or `filter`, which needs the role `admin`. Tasks that have ended are not changed, and
    unknown tokens are ignored. The tasks are changed 500 at a time: if the database becomes unavailable in between, the
    answer is 503 with the code `partly_changed`, and the same request changes the rest. `dry_run` only counts.
    """
    chosen, by, reason = selection_of(body), requester(body.by), body.reason or ""
    cancel = runtime().cancel
    if chosen.filter:
        changed = cancel.matching(chosen.filter, by, reason, key=g.key_name, dry_run=body.dry_run)
    else:
        changed = cancel.these(chosen.tokens, by, reason, key=g.key_name, dry_run=body.dry_run)
    return Changed(matched=changed.matched, changed=changed.changed)


@routes.post("/tasks/retry", Role.SUBMIT, errors=(TooManyItems, PartlyChanged))
def retry_tasks(body: RetryBody) -> Changed:
    """Retry many failed or canceled tasks.

    The body has either `tokens`, or `filter`, which needs the role `admin`. Each task gets all its attempts again under
    the same token. Other tasks are not changed, and unknown tokens are ignored. `dry_run` only counts. If the database
    becomes unavailable in between, the answer is 503 with the code `partly_changed`.
    """
    chosen = selection_of(body)
    reopen = runtime().reopen
    if chosen.filter:
        changed = reopen.matching(chosen.filter, dry_run=body.dry_run)
    else:
        changed = reopen.these(chosen.tokens, dry_run=body.dry_run)
    return Changed(matched=changed.matched, changed=changed.changed)


def reopened(token: str) -> Reply[TaskStatus]:
    """Retry a task and return its new status.

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
    return _located(answers.status(replace(task, state=State.QUEUED)))


def _located(task: TaskStatus, status: int = 200) -> Reply[TaskStatus]:
    return Reply(body=task, status=status, headers={"Location": f"/tasks/{task.token}"})
