"""`/health`: whether this process responds, and whether the system can do its work."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from queue_tool.errors import QueueToolError
from queue_tool.model.access import Role
from queue_tool.model.payloads.service import Alive, Checks, Readiness
from queue_tool.model.settings import INLINE
from queue_tool.services.owner import lives_here
from queue_tool.services.ready import OK
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Answer, Group, Reply

routes = Group("health", "Probes for monitoring. They need no API key.")


@routes.get("/health/live", Role.OPEN, takes_any_query=True)
def is_alive() -> Alive:
    """Check whether the web process responds.

    It reads neither the database nor Redis, so it is 200 while the process works at all. Restart a process that does
    not answer.
    """
    return Alive()


@routes.get(
    "/health/ready",
    Role.OPEN,
    takes_any_query=True,
    answers={503: Answer(body=Readiness, meaning="A part cannot do its work: `checks` says which one and why.")},
)
def is_ready() -> Reply[Readiness]:
    """Check whether the whole service can work.

    Tries a write to the database, a write, a script and a channel of Redis, at most once a second, and checks the
    workers. If one of them cannot do its work, the status is 503 and `checks` says why. Tasks are accepted while Redis
    is away, as long as the database works.

    If the system takes work from RabbitMQ, `checks` also says whether somebody consumes it. That does not change the
    status, because requests need no RabbitMQ.
    """
    database, broker = runtime().ready()
    consumers = runtime().consumers
    checks = Checks(
        database=database,
        broker=broker,
        workers=_state_of(_workers),
        rabbitmq=UNSET if consumers is None else consumers(),
    )
    if (checks.database, checks.broker, checks.workers) == (OK, OK, OK):
        return Reply(body=Readiness(status="ok", checks=checks, lag=_lag()))
    return Reply(body=Readiness(status="unavailable", checks=checks, lag=_lag()), status=503)


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


def _workers() -> None:
    workers = runtime().store.workers.all()
    alive = [worker for worker in workers if lives_here(worker.process) is not False]
    if not alive and runtime().settings.redis_url != INLINE:
        raise _NotReady("No worker has registered yet: start one with `queue-tool worker`.")
    for worker in alive:
        if worker.trouble is not None:
            process = worker.process
            raise _NotReady(f"The worker with the process id {process.pid} on {process.host}: {worker.trouble}.")
