"""`/batches`: how a batch stands."""

from __future__ import annotations

from flask import Blueprint, Response

from queue_tool.access import Role
from queue_tool.web.gate import needs
from queue_tool.web.hands import answer, rfc3339, runtime

routes = Blueprint("batches", __name__)


@routes.get("/batches/<batch>")
@needs(Role.READ)
def one(batch: str) -> Response:
    """Say how one batch stands; the counts of the six states and `rejected` sum to `total`."""
    found = runtime().ask.batch(batch)
    return answer(
        {
            "id": found.id,
            "message": found.message,
            "total": found.total,
            "accepted": found.accepted,
            "rejected": found.rejected,
            "counts": {state.value: count for state, count in found.counts.items()} | {"rejected": found.rejected},
            "progress": found.progress,
            "created_at": rfc3339(found.created_at),
            "finished_at": rfc3339(found.finished_at),
        }
    )
