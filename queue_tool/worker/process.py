"""A worker process: it serves every list, reads its settings from the environment, and ends with its owner."""

from __future__ import annotations

import logging
import os
import threading
from functools import partial

from redis import Redis
from rq.serializers import JSONSerializer

from queue_tool.brokers import redis_url
from queue_tool.environment import inherited_descriptor, load_settings, take_descriptor
from queue_tool.errors import BadSetting
from queue_tool.host import collector, lifeline, output, readiness
from queue_tool.model import events
from queue_tool.model.queues import LISTS
from queue_tool.model.settings import INLINE
from queue_tool.worker import ticket
from queue_tool.worker.worker import Worker

ORPHAN_DRAIN = 5.0
"""Seconds that a worker continues after its owner was killed. Valkey has ended too, and no failed part is restarted."""

EXIT_TIMEOUT = 2.0
"""Seconds that Python may take to exit when the worker has ended."""


def work(kind: type[Worker] = Worker) -> None:
    """Run a worker of this class until it is stopped.

    Raises:
        QueueToolError: something that the worker needs cannot be used. The message says what.
    """
    logging.getLogger("rq.worker").setLevel(logging.WARNING)  # our own events report the same
    settings = load_settings()
    if settings.redis_url == INLINE:
        raise BadSetting(
            f"QUEUE_TOOL_REDIS_URL is `{INLINE}`: the process that accepts a task also runs it. Do not start a worker."
        )
    worker = kind(
        LISTS, connection=Redis.from_url(redis_url(settings)), serializer=JSONSerializer, prepare_for_work=False
    )
    worker.describe_this_process()
    parent = take_descriptor(readiness.VARIABLE)
    if parent is not None:
        worker.on_ready = partial(readiness.report, parent)
    runtime = ticket.join(worker.name)
    descriptor = inherited_descriptor(lifeline.VARIABLE)
    if descriptor is not None:
        worker.has_supervisor = True
        lifeline.watch(descriptor, lambda: worker.stop(min(settings.drain, ORPHAN_DRAIN)))
    collector.freeze_existing()
    code = 1
    try:
        worker.work()
        runtime.telemetry.emit(events.Stopped())
        code = 0
    finally:
        output.release()
        _exit_soon(code)


def _exit_soon(code: int) -> None:
    """Make sure that this process exits soon: Python would wait for threads that tasks left running."""
    too_late = threading.Timer(EXIT_TIMEOUT, os._exit, [code])
    too_late.daemon = True
    too_late.start()
