"""The presence of a worker in Redis: what RQ's tools see of it, in RQ's own words."""

from __future__ import annotations

import contextlib
import logging
import threading

from redis import Redis
from redis.exceptions import OutOfMemoryError, RedisError
from rq import Queue, worker_registration
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker, WorkerStatus

from queue_tool.broker import marker
from queue_tool.broker.failures import sentence_of
from queue_tool.model import events
from queue_tool.model.telemetry import Telemetry

_log = logging.getLogger("queue_tool.worker")

RETRY_AFTER = 1.0
"""Seconds between two tries to reach a Redis that is away at the start."""

NO_TICKET = "This job is no ticket of Queue Tool's, whose worker does nothing else."


class Presence:
    """Lets a worker of RQ's be seen, and refuses jobs in its name."""

    def __init__(self, worker: BaseWorker, redis: Redis, telemetry: Telemetry) -> None:
        """Prepare.

        Args:
            worker: as whom.
            redis: a client that waits for seconds, for what must not hold up the work.
            telemetry: who is told.
        """
        self._worker = worker
        self._redis = redis
        self._telemetry = telemetry

    def enter(self, database: str, asked: threading.Event) -> bool:
        """Register in Redis, however long it is away; False if the worker was asked to finish before that.

        Raises:
            BrokerOfAnother: it carries the tickets of another database.
        """
        while not asked.is_set():
            try:
                with contextlib.suppress(OutOfMemoryError):  # it is nobody's so far, and cannot be told whose it is
                    marker.read(self._worker.connection, database)
                self._register()
                self._worker.subscribe()
                with contextlib.suppress(OutOfMemoryError):
                    self._worker.set_state(WorkerStatus.IDLE)
            except RedisError as error:
                self._telemetry.emit(events.Warned(reason=sentence_of(error)))
                asked.wait(RETRY_AFTER)
            else:
                return True
        return False

    def beat(self, *, busy: bool) -> None:
        """Say that this worker lives; all of it, since Redis may have forgotten it.

        Raises:
            RedisError: Redis does not answer.
        """
        worker = self._worker
        with contextlib.suppress(OutOfMemoryError), self._redis.pipeline() as pipeline:
            worker.heartbeat(pipeline=pipeline)
            pipeline.hset(worker.key, mapping=worker.serialize())
            worker.set_state(WorkerStatus.BUSY if busy else WorkerStatus.IDLE, pipeline=pipeline)
            worker_registration.register(worker, pipeline)
            pipeline.execute()

    def leave(self) -> bool:
        """Leave Redis; False if it cannot be told."""
        try:
            self._worker.register_death()
            self._worker.unsubscribe()
        except RedisError:
            return False
        return True

    def refuse(self, name: str, job_id: str) -> None:
        """Move a job of a list that is no ticket to RQ's registry of failed ones."""
        connection = self._worker.connection
        queue = Queue(name, connection=connection, serializer=JSONSerializer)
        try:
            job = Job.fetch(job_id, connection=connection, serializer=JSONSerializer)
            self._worker.handle_job_failure(job, queue, exc_string=NO_TICKET)
        except NoSuchJobError:
            pass
        except Exception as error:  # noqa: BLE001 - it is not ours, and whatever it is must not hold us up
            _log.warning("the job %s could not be moved to the failed ones: %r", job_id[:80], error)

    def _register(self) -> None:
        """Let RQ's tools see this worker; where Redis is full, the first heartbeat that finds room does so."""
        try:
            self._worker.register_birth()
        except OutOfMemoryError as error:
            self._telemetry.emit(events.Warned(reason=sentence_of(error)))
