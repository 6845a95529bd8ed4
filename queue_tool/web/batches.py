"""`/batches`: how a batch stands."""

from __future__ import annotations

from flask import Blueprint, Response

from queue_tool.access import Role
from queue_tool.batch import Batch
from queue_tool.web.gate import needs
from queue_tool.web.hands import answer, rfc3339, runtime
from queue_tool.web.prefer import answer_in_time

routes = Blueprint("batches", __name__)


@routes.get("/batches/<batch>")
@needs(Role.READ)
def one(batch: str) -> Response:
    """Say how one batch stands; the counts of the six states and `rejected` sum to `total`."""
    hands = runtime()
    return answer_in_time(
        ask=lambda: hands.ask.batch(batch),
        is_over=lambda found: found.finished_at is not None,
        wait=lambda seconds: hands.wait.batch(batch, seconds),
        answer=lambda found: answer(shown(found)),
    )


def shown(batch: Batch) -> dict[str, object]:
    """Return what a user may know of a batch."""
    return {
        "id": batch.id,
        "message": batch.message,
        "total": batch.total,
        "accepted": batch.accepted,
        "rejected": batch.rejected,
        "counts": {state.value: count for state, count in batch.counts.items()} | {"rejected": batch.rejected},
        "progress": batch.progress,
        "created_at": rfc3339(batch.created_at),
        "finished_at": rfc3339(batch.finished_at),
    }
