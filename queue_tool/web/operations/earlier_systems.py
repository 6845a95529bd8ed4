"""Routes under the names of earlier systems, in terms of the same services; and what to use instead of others."""

from __future__ import annotations

from collections.abc import Sequence

from flask import request

from queue_tool.errors import NoResult, TaskNotFound, TaskRemoved, TooManyWaiting
from queue_tool.model.access import Role
from queue_tool.model.batch import Refused
from queue_tool.model.payload_request import PAYLOAD_TYPE
from queue_tool.model.payloads.batches import Received
from queue_tool.model.payloads.details import TaskDetails
from queue_tool.model.payloads.filters import SearchQuery
from queue_tool.model.payloads.jobs import Job, JobResult, JobStatus
from queue_tool.model.payloads.lists import TaskPage
from queue_tool.model.payloads.queries import JobQuery, SubmitQuery
from queue_tool.model.payloads.tasks import TaskStatus
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import refuse_other_sites
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import JsonBody
from queue_tool.web.http.operation import ANY, JSON, Group, Reply
from queue_tool.web.http.paging import page_of_tasks
from queue_tool.web.http.submissions import idempotency_key
from queue_tool.web.operations import tasks

routes = Group("earlier systems", "The same services under the routes of the systems that this one replaces.")


@routes.post("/task", Role.SUBMIT, **tasks.SUBMITS)
def submit_task(query: SubmitQuery, body: JsonBody) -> Reply[Received] | Reply[TaskStatus]:
    """Send tasks, like POST tasks.

    The same as `POST /tasks`. New programs use that.
    """
    return tasks.submit_tasks(query, body)


@routes.post(
    "/enqueue",
    Role.SUBMIT,
    takes=ANY,
    keyed=True,
    headers=tasks.LOCATION,
    errors=(TooManyWaiting, TaskRemoved),
)
def enqueue_job(body: JsonBody) -> Reply[Job]:
    """Send the data of an echo task.

    The body is the data if its media type is `application/json`. Any other body is not read, and the data is null.
    New programs use `POST /tasks`.
    """
    if request.mimetype not in JSON:
        refuse_other_sites()  # a browser sends such a request for any page
    system = runtime()
    element = system.submit.single(body.value, system.of_type(PAYLOAD_TYPE), idempotency_key(body.text))
    assert not isinstance(element, Refused)  # the type takes any data, and there is no unique key
    return Reply(body=Job(job_id=element.token), headers={"Location": f"/tasks/{element.token}"})


@routes.get("/check_status", Role.READ, errors=(TaskNotFound,))
def get_job_status(query: JobQuery) -> JobStatus:
    """Read the status of a task by its job id.

    `GET /tasks/{token}/status` reads the same, and can wait for the end of the task.
    """
    task = runtime().ask.task(query.job_id)
    return JobStatus(job_id=task.token, job_status=task.state)


@routes.get("/get_result", Role.READ, errors=(TaskNotFound, NoResult))
def get_job_result(query: JobQuery) -> JobResult:
    """Read the result of a task by its job id.

    A task that has not ended is answered with 404 and the code `no_result`. `GET /results/{token}` reads the same, and
    can wait for the end of the task.
    """
    found = shapes.result(runtime().ask.task(query.job_id))
    if not found.status.ended:
        raise NoResult(f"No result found for job_id {found.token}: the task is {found.status.value}.")
    return JobResult(
        job_id=found.token,
        job_enqueued_at=found.created_at,
        job_started_at=found.started_at,
        input=found.data,
        result=found.result,
        status=found.status,
        error=found.error,
    )


@routes.get("/tasks/<token>/details", Role.READ, waits=True, errors=(TaskNotFound,))
def get_task_details(token: str) -> Reply[TaskDetails]:
    """Read everything about a task by its details.

    The same as `GET /tasks/{token}`. New programs use that.
    """
    return tasks.get_task(token)


@routes.get("/tasks/search", Role.READ)
def search_tasks(query: SearchQuery) -> Reply[TaskPage]:
    """Search tasks, newest first.

    `GET /tasks` has more filters. New programs use that.
    """
    return page_of_tasks(runtime().list(query.filter, query.limit, query.cursor))


_ANY_METHOD = ""

DROPPED: Sequence[tuple[str, str, str]] = (
    ("GET", "/enqueue", "A GET request sends no task here. Use POST /enqueue, or POST /tasks."),
    ("GET", "/worker", "A GET request starts no worker here. `queue-tool up` and `queue-tool worker` start workers."),
    ("GET", "/api/queue/allData", "All messages are at another path here. Use GET /api/queue/all."),
    ("GET", "/resulsts/*", "This path has a misspelling. Use GET /results/<token>."),
    ("GET", "/reuslts/*", "This path has a misspelling. Use GET /results/<token>."),
    ("POST", "/task_service/api/v1/task", "The routes have no prefix here. Use POST /tasks."),
    ("GET", "/task_service/api/v1/task", "The routes have no prefix here. Use GET /tasks."),
    ("GET", "/task_service/api/v1/task/*", "The routes have no prefix here. Use GET /tasks/<token>."),
    (
        "GET",
        "/task_service/api/v1/worker",
        "A GET request starts no worker here. `queue-tool up` and `queue-tool worker` start workers.",
    ),
    ("GET", "/task_service/docs", "The routes have no prefix here. Use GET /docs."),
    ("GET", "/task_service/openapi.json", "The routes have no prefix here. Use GET /openapi.json."),
    (_ANY_METHOD, "/task_service/*", "The routes have no prefix here. Use /tasks; the page /docs shows all routes."),
    (_ANY_METHOD, "/api/tasks/*", "The routes of tasks have no prefix here. Use the same path without /api: /tasks."),
    (
        _ANY_METHOD,
        "/api/cluster/*",
        "There are no cluster nodes and no leader here. Use GET /tasks?host=<name> for the tasks of a host.",
    ),
    (
        _ANY_METHOD,
        "/cluster/*",
        "There are no cluster nodes and no leader here. Use GET /tasks?host=<name> for the tasks of a host.",
    ),
)
"""Routes of earlier systems that this one does not have, and what to use instead: method, path, sentence.

The first one that matches counts. A path with `/*` at its end is also that of everything below it.
"""


def replacement(method: str, path: str) -> str | None:
    """Return what to use instead of a route that only an earlier system has; None for any other route."""
    plain = path.removesuffix("/")
    for its_method, its_path, sentence in DROPPED:
        start = its_path.removesuffix("/*")
        is_below = start != its_path and plain.startswith(f"{start}/")
        if its_method in (_ANY_METHOD, method) and (plain == start or is_below):
            return sentence
    return None
