"""`/batches`: the status of batches; cancel or retry all tasks of a batch."""

from __future__ import annotations

from flask import g

from queue_tool.errors import BatchNotFound, PartlyChanged
from queue_tool.model.access import Role
from queue_tool.model.batch import SealedBy
from queue_tool.model.filter import Filter
from queue_tool.model.labels import label_of
from queue_tool.model.payloads.batches import Batch
from queue_tool.model.payloads.lists import BatchPage
from queue_tool.model.payloads.queries import BatchQuery, CancelQuery
from queue_tool.model.payloads.requests import CancelBody
from queue_tool.model.payloads.tasks import Changed
from queue_tool.web.http import shapes
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group, Reply
from queue_tool.web.http.paging import listed, totals
from queue_tool.web.http.prefer import answer_in_time
from queue_tool.web.http.selections import requester

routes = Group("batches", "Send batches, read their status and their results, cancel and retry all tasks of a batch.")


@routes.get("/batches", Role.READ)
def list_batches(query: BatchQuery) -> Reply[BatchPage]:
    """List batches, newest first.

    The counts of each state are only in `GET /batches/{batch}`, because counting reads all tasks of a batch.
    """
    page = runtime().list.batches(label_of(query.name, query.metadata), query.limit, query.cursor)
    return listed(BatchPage(items=[shapes.batch_summary(batch) for batch in page.items], **totals(page)))


@routes.get("/batches/<batch>", Role.READ, waits=True, errors=(BatchNotFound,))
def get_batch(batch: str) -> Reply[Batch]:
    """Read the status and the counts of a batch.

    With `Prefer: wait=30` the server answers when the batch has ended, or after 30 seconds. A batch is `finished` when
    all its tasks have ended, even if some failed, and it is sealed. The counts add up to `total`.
    """
    system = runtime()
    return answer_in_time(
        ask=lambda: system.ask.batch(batch),
        is_over=lambda found: found.finished_at is not None,
        wait=lambda seconds, on_leave: system.wait.batch(batch, seconds, on_leave),
        answer=shapes.batch,
    )


@routes.post("/batches/<batch>/cancel", Role.SUBMIT, errors=(BatchNotFound, PartlyChanged))
def cancel_batch(batch: str, query: CancelQuery, body: CancelBody) -> Changed:
    """Cancel all unfinished tasks of a batch.

    Tasks that have ended are not changed. The result of a running task is discarded, and its function is stopped if
    the lane of the task type can do that. `matched` counts the tasks that had not ended. An open batch is sealed first.
    What should follow a canceled batch (`always`, `any_failed`) does follow, except with `continue=false`.
    """
    system, continues = runtime(), query.continues == "true"
    if not continues:
        system.cancel.suppress(batch)
    system.open_batches.seal(batch, SealedBy.CANCEL)
    changed = system.cancel.matching(
        Filter(batch=batch), requester(body.by), body.reason or "", key=g.key_name, continues=continues
    )
    return Changed(matched=changed.matched, changed=changed.changed)


@routes.post("/batches/<batch>/retry", Role.SUBMIT, errors=(BatchNotFound, PartlyChanged))
def retry_batch(batch: str) -> Changed:
    """Retry all failed and canceled tasks of a batch.

    Each gets all its attempts again and returns to the queue under the same token. Other tasks are not changed, and a
    task whose `unique_key` another unfinished task has now is skipped: it is in `matched`, and not in `changed`.
    """
    system = runtime()
    system.ask.batch(batch)
    changed = system.reopen.matching(Filter(batch=batch))
    return Changed(matched=changed.matched, changed=changed.changed)
