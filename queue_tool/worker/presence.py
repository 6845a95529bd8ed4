"""The presence of a worker in Redis: what RQ's tools see of it, in RQ's own format."""

from __future__ import annotations

import threading

from redis import Redis
from redis.exceptions import RedisError
from rq import worker_registration
from rq.worker import BaseWorker, WorkerStatus

from queue_tool.broker import marker
from queue_tool.broker.failures import full_ignored, kind_of, sentence_of
from queue_tool.errors import FailureKind
from queue_tool.model import events
from queue_tool.model.telemetry import Telemetry

RETRY_AFTER = 1.0
"""Seconds between two tries to reach Redis at the start."""


class Presence:
    """Shows a worker to RQ's tools."""

    def __init__(self, worker: BaseWorker, redis: Redis, telemetry: Telemetry) -> None:
        """Prepare.

        Args:
            worker: the RQ worker to show.
            redis: a client with a timeout of seconds, for calls that must not delay the work.
            telemetry: receives the events.
        """
        self._worker = worker
        self._redis = redis
        self._telemetry = telemetry

    def enter(self, database: str, stop_requested: threading.Event) -> bool:
        """Register in Redis. While Redis is away, retry.

        Args:
            database: the identity of the database.
            stop_requested: set when the worker must end.

        Returns:
            Whether the worker is registered. False means that a stop was requested first.

        Raises:
            BrokerOfAnother: Redis carries the tickets of another database.
        """
        while not stop_requested.is_set():
            try:
                with full_ignored():  # Redis is full and has no marker: no database owns it yet
                    marker.read(self._worker.connection, database)
                self._register()
                self._worker.subscribe()
                with full_ignored():
                    self._worker.set_state(WorkerStatus.IDLE)
            except RedisError as error:
                self._telemetry.emit(events.Warned(reason=sentence_of(error)))
                stop_requested.wait(RETRY_AFTER)
            else:
                return True
        return False

    def beat(self, *, busy: bool) -> None:
        """Send a heartbeat with all data of this worker, because Redis may have lost it.

        Raises:
            RedisError: Redis does not answer.
        """
        worker = self._worker
        with full_ignored(), self._redis.pipeline() as pipeline:
            worker.heartbeat(pipeline=pipeline)
            pipeline.hset(worker.key, mapping=worker.serialize())
            worker.set_state(WorkerStatus.BUSY if busy else WorkerStatus.IDLE, pipeline=pipeline)
            worker_registration.register(worker, pipeline)
            pipeline.execute()

    def leave(self) -> bool:
        """Unregister from Redis. Return False if Redis does not answer."""
        try:
            self._worker.register_death()
            self._worker.unsubscribe()
        except RedisError:
            return False
        return True

    def _register(self) -> None:
        """Register this worker for RQ's tools. If Redis is full, a later heartbeat does it when there is room."""
        try:
            self._worker.register_birth()
        except RedisError as error:
            if kind_of(error) is not FailureKind.FULL:
                raise
            self._telemetry.emit(events.Warned(reason=sentence_of(error)))
