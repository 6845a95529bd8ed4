"""A worker process: one of RQ's own, on every list, which stops in time and comes back to a lost Redis."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from queue_tool.errors import BadSetting, StoreAway
from queue_tool.host import lifeline
from queue_tool.runtime import inherited, load_settings, redis_url
from queue_tool.settings import INLINE
from queue_tool.tasks import LISTS
from queue_tool.telemetry import Event
from queue_tool.worker import ticket

RETRY_AFTER = 1.0
"""Seconds between two tries to reach a Redis that is away."""


class _Worker(SimpleWorker):
    """RQ's worker that does a job in its own process, with a limit to how long stopping may take."""

    max_connection_wait_time = 5.0  # RQ's own waits grow to a minute: too long for a Redis that is back
    drain = 0.0

    def _install_signal_handlers(self) -> None:
        """Hear the signals from here on; one that came just before counts as well."""
        super()._install_signal_handlers()
        if stopping.is_set():
            self._stop_requested = True

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Say nothing of a job that we ourselves have interrupted; its task has been put back."""
        if not isinstance(exc_info[1], SystemExit):
            super().handle_exception(job, *exc_info)

    def request_stop(self, signum: int, frame: Any) -> None:
        """Stop after the current job, or at the end of the drain in the middle of it."""
        stopping.set()
        timer = threading.Timer(max(self.drain, 1.1), os.kill, [os.getpid(), signal.SIGTERM])
        timer.daemon = True  # RQ ignores a second signal within a second of the first
        timer.start()
        super().request_stop(signum, frame)


stopping = threading.Event()


def work() -> None:
    """Work on tickets until somebody says stop.

    Raises:
        QueueToolError: what the worker stands on cannot be used; the sentence says what.
    """
    if load_settings().redis_url == INLINE:
        raise BadSetting(f"QUEUE_TOOL_REDIS_URL is `{INLINE}`: tasks are done where they are sent, by no worker.")
    runtime = ticket.join()
    settings, telemetry = runtime.settings, runtime.telemetry
    descriptor = inherited(lifeline.VARIABLE)
    if descriptor is not None:
        lifeline.watch(descriptor, lambda: os.kill(os.getpid(), signal.SIGTERM))
    _listen()
    telemetry.emit(Event.STARTED)
    while not stopping.is_set():
        try:
            _work_on(redis_url(settings), settings.drain)
        except RedisError as error:
            telemetry.emit(Event.WARNING, reason=f"Redis does not answer: {type(error).__name__}")
        stopping.wait(0 if stopping.is_set() else RETRY_AFTER)
    with contextlib.suppress(StoreAway):
        ticket.leave()
    telemetry.emit(Event.STOPPED)


def _work_on(url: str, drain: float) -> None:
    worker = _Worker(LISTS, connection=Redis.from_url(url), serializer=JSONSerializer)
    worker.drain = drain
    worker.log_job_description = False
    try:
        worker.work(logging_level="WARNING")
    finally:
        _listen()


def _listen() -> None:
    """Hear the signals ourselves, while no worker of RQ's does."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
