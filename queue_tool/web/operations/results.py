"""`/results` and `/batches/<batch>/results`: the results of ended tasks."""

from __future__ import annotations

from flask import Response, request

from queue_tool.errors import (
    BatchNotFound,
    NotAcceptable,
    TaskNotFound,
    TooManyStreams,
)
from queue_tool.model.access import Role
from queue_tool.model.payloads.batches import BatchResult
from queue_tool.model.payloads.filters import EndedFilters
from queue_tool.model.payloads.lists import EndedTaskPage
from queue_tool.model.payloads.queries import ResultsQuery
from queue_tool.model.payloads.tasks import TaskResult
from queue_tool.web.http import shapes
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Answer, Group, Reply
from queue_tool.web.http.paging import page_of_ended
from queue_tool.web.http.prefer import task_in_time
from queue_tool.web.http.result_files import CSV, JSON_LINES, stream_as

KINDS = (JSON_LINES, "application/x-ndjson", "application/json-lines", CSV)
"""The formats of results; the second and the third are other names of the first."""

routes = Group("results", "Read the results of ended tasks.")


@routes.get("/results", Role.READ)
def list_results(query: EndedFilters) -> Reply[EndedTaskPage]:
    """List ended tasks with their results, newest first.

    Without `status` the list has all finished, failed and canceled tasks; no other state is allowed here. Results of
    more than 1,000 characters are cut, and `shortened` names them.
    """
    return page_of_ended(runtime().list(query.filter, query.limit, query.cursor))


@routes.get("/results/<token>", Role.READ, waits=True, errors=(TaskNotFound,))
def get_result(token: str) -> Reply[TaskResult]:
    """Read the result of a task.

    A task that has not ended is no error: `status` says whether it has. With `Prefer: wait=30` the server answers when
    the task has ended, or after 30 seconds.
    """
    return task_in_time(token, shapes.result)


@routes.get(
    "/batches/<batch>/results",
    Role.READ,
    errors=(BatchNotFound, NotAcceptable, TooManyStreams),
    answers={
        200: Answer(
            body=BatchResult,
            types=(JSON_LINES, CSV),
            meaning="One line for each element, as JSON Lines or CSV.",
            headers=("Content-Disposition",),
        )
    },
)
def stream_results(batch: str, query: ResultsQuery) -> Response:
    """Stream the results of a batch.

    One line for each element, in the order of the request, as JSON Lines, or as CSV with `Accept: text/csv`. You may
    read them before the batch ends: unfinished elements then have no result. Read the stream line by line, because a
    batch may be large. If an error cuts the stream off, its last line has `"index": null` and contains the error.
    """
    response = stream_as(_kind(), batch, query.status)
    response.headers["Vary"] = "Accept"
    return response


def _kind() -> str:
    """Return the format that the current request prefers. A request without Accept accepts everything (RFC 9110).

    Raises:
        NotAcceptable: the request accepts none of the formats.
    """
    accepted = request.accept_mimetypes
    kind = accepted.best_match([*KINDS, *(f"{kind}; charset=utf-8" for kind in KINDS)]) if accepted else JSON_LINES
    if kind is None:
        raise NotAcceptable(f"Results are available as {JSON_LINES} and {CSV}.")
    return kind.partition(";")[0]
