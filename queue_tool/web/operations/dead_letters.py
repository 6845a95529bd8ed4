"""`/deadletter`: failed tasks, which are not retried automatically."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from msgspec import UNSET

from queue_tool.errors import PartlyChanged, TaskNotFound, TaskNotRetried, UniqueKeyTaken
from queue_tool.model.access import Role
from queue_tool.model.filter import Filter
from queue_tool.model.payloads.filters import FailedFilters
from queue_tool.model.payloads.lists import EndedTaskPage
from queue_tool.model.payloads.queries import PurgeQuery
from queue_tool.model.payloads.requests import RetryFailedBody
from queue_tool.model.payloads.tasks import Changed, Removed, TaskStatus
from queue_tool.model.states import State
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group, Reply
from queue_tool.web.http.paging import page_of_ended
from queue_tool.web.http.selections import filter_of_body
from queue_tool.web.operations.tasks import LOCATION, reopened

FAILED = frozenset({State.FAILED})

routes = Group("dead letters", "Failed tasks: list, retry and delete them.")


@routes.get("/deadletter", Role.READ)
def list_dead_letters(query: FailedFilters) -> Reply[EndedTaskPage]:
    """List failed tasks, newest first.

    A failed task is a dead letter: it has used all its attempts, or another attempt cannot help. It is not retried
    automatically. `error` has the reason.
    """
    return page_of_ended(runtime().list(_failed(query.filter), query.limit, query.cursor))


@routes.post(
    "/deadletter/<token>/retry",
    Role.SUBMIT,
    headers=LOCATION,
    errors=(TaskNotFound, TaskNotRetried, UniqueKeyTaken),
)
def retry_dead_letter(token: str) -> Reply[TaskStatus]:
    """Retry a failed task.

    The same as `POST /tasks/{token}/retry`, but a canceled task is refused with 409.
    """
    state = runtime().ask.task(token).state
    if state is not State.FAILED:
        raise TaskNotRetried(f"Only failed tasks are dead letters; this one is {state.value}.")
    return reopened(token)


@routes.post("/deadletter/retry", Role.ADMIN, errors=(PartlyChanged,))
def retry_dead_letters(body: RetryFailedBody) -> Changed:
    """Retry many failed tasks.

    With `filter` only the failed tasks that match it, without `filter` all failed tasks. An empty filter needs
    `"all": true`. `dry_run` only counts them. Each task gets all its attempts again under the same token.
    """
    wanted = Filter() if body.filter is UNSET else filter_of_body(body, FailedFilters)
    changed = runtime().reopen.matching(_failed(wanted), dry_run=body.dry_run)
    return Changed(matched=changed.matched, changed=changed.changed)


@routes.delete("/deadletter", Role.ADMIN, errors=(PartlyChanged,))
def purge_dead_letters(query: PurgeQuery) -> Removed:
    """Delete failed tasks.

    Deletes the tasks that failed at least `older_than` seconds ago, with their data, attempts and log. This cannot be
    undone: their tokens are unknown afterwards, and their batches no longer count them. Tasks of a batch that has not
    ended are kept. `dry_run` only counts.
    """
    letters, age = runtime().dead_letters, timedelta(seconds=query.older_than)
    if query.dry_run == "true":
        return Removed(removed=0, matched=letters.purgeable(age))
    return Removed(removed=letters.purge(age))


def _failed(wanted: Filter) -> Filter:
    return replace(wanted, states=FAILED)
