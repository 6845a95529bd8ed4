"""A worker process of ours: on every list, with the settings of the environment, ending with its owner."""

from __future__ import annotations

import logging
import os
import threading

from redis import Redis
from rq.serializers import JSONSerializer

from queue_tool.environment import inherited_descriptor, load_settings
from queue_tool.errors import BadSetting
from queue_tool.host import collector, lifeline
from queue_tool.model import events
from queue_tool.model.queues import LISTS
from queue_tool.model.settings import INLINE
from queue_tool.runtime import redis_url
from queue_tool.worker import ticket
from queue_tool.worker.worker import Worker

ORPHANS_DRAIN = 5.0
"""Seconds that a worker goes on whose owner was killed: Valkey has ended with it, and nobody restarts what fails."""

LAST_MOMENTS = 2.0
"""Seconds that Python has to end a worker that is over."""


def work(kind: type[Worker] = Worker) -> None:
    """Work on tickets until somebody says stop, as a worker of this kind.

    Raises:
        QueueToolError: what the worker stands on cannot be used; the sentence says what.
    """
    logging.getLogger("rq.worker").setLevel(logging.WARNING)  # what it says of each worker we say ourselves
    settings = load_settings()
    if settings.redis_url == INLINE:
        raise BadSetting(f"QUEUE_TOOL_REDIS_URL is `{INLINE}`: tasks are done where they are sent, by no worker.")
    worker = kind(
        LISTS, connection=Redis.from_url(redis_url(settings)), serializer=JSONSerializer, prepare_for_work=False
    )
    worker.describe_this_process()
    runtime = ticket.join(worker.name)
    descriptor = inherited_descriptor(lifeline.VARIABLE)
    if descriptor is not None:
        lifeline.watch(descriptor, lambda: worker.stop(min(settings.drain, ORPHANS_DRAIN)))
    collector.leave_alone_what_is_there()
    code = 1
    try:
        worker.work()
        runtime.telemetry.emit(events.Stopped())
        code = 0
    finally:
        _end_soon(code)


def _end_soon(code: int) -> None:
    """See to it that this process ends: Python would wait for threads that tasks have left behind."""
    too_late = threading.Timer(LAST_MOMENTS, os._exit, [code])
    too_late.daemon = True
    too_late.start()
