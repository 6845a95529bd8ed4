"""`/health`: whether this process responds, and whether the system can do its work."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from queue_tool.errors import QueueToolError
from queue_tool.model.access import Role
from queue_tool.model.settings import INLINE
from queue_tool.services.owner import lives_here
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, runtime

routes = Blueprint("health", __name__)

OK = "ok"


@routes.get("/health/live")
@needs(Role.OPEN)
def live() -> Response:
    """Report that this process responds."""
    return answer({"status": OK})


@routes.get("/health/ready")
@needs(Role.OPEN)
def ready() -> Response:
    """Report the state of each part of the system; 503 if a part cannot do its work."""
    checks = {
        "database": _state_of(_database),
        "broker": _state_of(runtime().broker.check),
        "workers": _state_of(_workers),
    }
    healthy = all(state == OK for state in checks.values())
    body = {"status": OK if healthy else "unavailable", "checks": checks, "lag": _lag()}
    return answer(body, 200 if healthy else 503)


class _NotReady(QueueToolError):
    """A part of the system cannot do its work."""


def _state_of(check: Callable[[], None]) -> str:
    try:
        check()
    except QueueToolError as error:
        return error.sentence
    return OK


def _lag() -> float | None:
    """Return the seconds for which the oldest waiting task has waited; None if the database is not available."""
    try:
        return runtime().ask.lag(runtime().clock.now())
    except QueueToolError:
        return None


def _database() -> None:
    runtime().store.keys.exist()


def _workers() -> None:
    workers = runtime().store.workers.all()
    alive = [worker for worker in workers if lives_here(worker.process) is not False]
    if not alive and runtime().settings.redis_url != INLINE:
        raise _NotReady("No worker has registered yet: start one with `queue-tool worker`.")
