"""The worker: an RQ worker that holds thousands of tasks at once and settles them by the batch.

To RQ's tools it is one of theirs: it is listed, beats, can be suspended and told to stop. What RQ does job by
job is done by the batch in `Pump`; RQ's own loop is not used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterable
from functools import partial
from typing import Any

from redis import ConnectionPool, Redis
from redis.exceptions import OutOfMemoryError, RedisError
from rq import Queue, worker_registration
from rq.command import parse_payload
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker, WorkerStatus

from queue_tool.broker import marker
from queue_tool.broker.failures import sentence_of
from queue_tool.errors import StoreAway
from queue_tool.host import put_aside
from queue_tool.host.signals import NO_SIGNAL, SignalPipe
from queue_tool.model.outcome import Outcome
from queue_tool.model.queues import Lane, lane_and_queue, lists_of
from queue_tool.model.telemetry import Event
from queue_tool.model.ticket import read_ticket_id
from queue_tool.runtime import Runtime
from queue_tool.worker import lanes, ticket
from queue_tool.worker.intake import Intake
from queue_tool.worker.isolated import IsolatedLane
from queue_tool.worker.lanes import LoopLane, ThreadLane
from queue_tool.worker.lists import Lists
from queue_tool.worker.loop import Loop
from queue_tool.worker.pauses import Pauses
from queue_tool.worker.pump import Parts, Pump
from queue_tool.worker.waker import Waker

_log = logging.getLogger("queue_tool.worker")

ANSWER_TIMEOUT = 5.0
"""Seconds in which Redis must answer."""

RETRY_AFTER = 1.0
"""Seconds between two tries to reach a Redis that is away at the start."""

LAST_MOMENTS = 1.0
"""Seconds that coroutines have to clean up, once nobody waits for them."""

NO_TICKET = "This job is no ticket of Queue Tool's, whose worker does nothing else."


class Worker(BaseWorker):
    """Serves every lane of the queues that it is given; `rq worker -w queue_tool.worker.Worker` starts it too."""

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        """Prepare; the arguments are RQ's, of which the serializer is always JSON. Nothing is opened yet."""
        names = [queue.name if isinstance(queue, Queue) else queue for queue in _several(queues)]
        super().__init__(lists_of(names), *args, **(kwargs | {"serializer": JSONSerializer}))
        self._pump = Pump()
        self._asked = threading.Event()

    def describe_this_process(self) -> None:
        """Say which process this is without asking Redis, which may be away; RQ itself would ask."""
        self.hostname, self.pid = socket.gethostname(), os.getpid()

    def work(
        self, burst: bool = False, *_: Any, max_jobs: int | None = None, with_scheduler: bool = False, **__: Any
    ) -> bool:
        """Work until somebody says stop; the arguments are RQ's.

        Args:
            burst: end when there is nothing left to do.
            max_jobs: end after so many tasks.
            with_scheduler: not for us, since schedules are in the store; a warning says so.

        Returns:
            Whether there was anything to do.

        Raises:
            QueueToolError: what the worker stands on cannot be used; the sentence says what.
        """
        runtime = ticket.join(self.name)
        if with_scheduler:
            runtime.telemetry.emit(Event.WARNING, reason="RQ's scheduler is not started: nothing here needs it")
        return self._serve(runtime, burst=burst, most=max_jobs) > 0

    def stop(self, within: float) -> None:
        """Take nothing new, and end when what runs has ended, or after so many seconds."""
        self._asked.set()
        self._pump.finish(within)

    # -- RQ's commands -------------------------------------------------------------------------------------

    def handle_payload(self, message: Any) -> None:
        """Hear a command of RQ's: to stop a job is to cancel its task, as over the API."""
        payload = parse_payload(message)
        if payload["command"] not in ("stop-job", "stop-execution"):
            super().handle_payload(message)
            return
        job_id = str(payload.get("job_id"))
        if not self._pump.holds(job_id):
            return  # what this worker does not run is not its to stop: the task may be somebody else's by now
        with contextlib.suppress(StoreAway):
            token, _ = read_ticket_id(job_id)
            ticket.join().cancel([token], by="rq", reason=payload["command"])
            self._pump.stop_run(job_id)

    # -- its life ------------------------------------------------------------------------------------------

    def _serve(self, runtime: Runtime, *, burst: bool, most: int | None) -> int:
        """Let the pump work in a thread of its own, while this one hears what signals say."""
        loop, signals = Loop(), SignalPipe()
        parts, waker = self._parts(runtime, loop.events)
        result: list[int | BaseException] = []

        def pump() -> None:
            try:
                result.append(self._pump_away(runtime, parts, waker, burst=burst, most=most))
            except BaseException as error:  # noqa: BLE001 - a worker without its pump must end, and say why
                result.append(error)
            signals.wake()

        with signals.hearing(signal.SIGTERM, signal.SIGINT):
            threading.Thread(target=pump, name="pump", daemon=True).start()
            while signals.wait() != NO_SIGNAL:
                self.stop(0 if self._asked.is_set() else runtime.settings.drain)
        loop.close(LAST_MOMENTS)
        (came_of_it,) = result
        if isinstance(came_of_it, BaseException):
            raise came_of_it
        return came_of_it

    def _pump_away(self, runtime: Runtime, parts: Parts, waker: Waker, *, burst: bool, most: int | None) -> int:
        if not self._enter(runtime.store.identity()):
            ticket.leave()
            return 0
        waker.start()
        runtime.telemetry.emit(Event.STARTED, name=self.name)
        try:
            return self._pump.work(parts, burst=burst, most=most)
        finally:
            waker.close()
            self._put_aside(runtime, self._pump.unwritten())
            if self._leave() and self._pump.left_nothing:  # or else the sweeper must clean up as after a death
                ticket.leave()

    def _parts(self, runtime: Runtime, loop: asyncio.AbstractEventLoop) -> tuple[Parts, Waker]:
        settings, pump = runtime.settings, self._pump
        redis, served = _own_pool(self.connection), {name: lane_and_queue(name)[0] for name in self.queue_names()}
        waker = Waker(self.connection, served, pump.woken)
        lists = Lists(redis, served, self.name, runtime.store.identity())
        by_lane: dict[Lane, lanes.Lane] = {
            Lane.LOOP: LoopLane(settings.concurrency, loop, pump.came_back, pump.notebook.note),
            Lane.THREADS: ThreadLane(settings.threads, "thread", pump.came_back, pump.notebook.note),
            Lane.ISOLATED: IsolatedLane(
                settings.isolated,
                "isolated",
                pump.came_back,
                pump.notebook.note,
                soon=any(known.lane is Lane.ISOLATED for known in runtime.types.values()),
            ),
        }
        return Parts(
            run=runtime.run,
            owner=runtime.owner,
            lists=lists,
            lanes={lane: by_lane[lane] for lane in Lane if lane in served.values()},
            intake=Intake(
                lists=lists,
                served=served,
                watch=waker.watch,
                refuse=partial(self._refuse, lists),
                pauses=Pauses(runtime.store.queues.paused, served),
                telemetry=runtime.telemetry,
            ),
            beat=lambda: self._beat(redis),
            drain=settings.drain,
        ), waker

    # -- its place in Redis --------------------------------------------------------------------------------

    def _enter(self, database: str) -> bool:
        """Register in Redis, however long it is away; False if asked to stop before that.

        Raises:
            BrokerOfAnother: it carries the tickets of another database.
        """
        while not self._asked.is_set():
            try:
                with contextlib.suppress(OutOfMemoryError):  # it is nobody's so far, and cannot be told whose it is
                    marker.read(self.connection, database)
                self._show_itself()
                self.subscribe()
                with contextlib.suppress(OutOfMemoryError):
                    self.set_state(WorkerStatus.IDLE)
            except RedisError as error:
                ticket.join().telemetry.emit(Event.WARNING, reason=sentence_of(error))
                self._asked.wait(RETRY_AFTER)
            else:
                return True
        return False

    def _show_itself(self) -> None:
        """Let RQ's tools see this worker; where Redis is full, the first heartbeat that finds room does so."""
        try:
            self.register_birth()
        except OutOfMemoryError as error:
            ticket.join().telemetry.emit(Event.WARNING, reason=sentence_of(error))

    def _beat(self, redis: Redis) -> None:
        """Say that this worker lives; all of it, since Redis may have forgotten it."""
        with contextlib.suppress(OutOfMemoryError), redis.pipeline() as pipeline:
            self.heartbeat(pipeline=pipeline)
            pipeline.hset(self.key, mapping=self.serialize())
            self.set_state(self._state_now(), pipeline=pipeline)
            worker_registration.register(self, pipeline)
            pipeline.execute()

    def _state_now(self) -> str:
        return WorkerStatus.BUSY if self._pump.is_busy else WorkerStatus.IDLE

    def _leave(self) -> bool:
        """Leave Redis; False if it cannot be told."""
        try:
            self.register_death()
            self.unsubscribe()
        except RedisError:
            return False
        return True

    def _refuse(self, lists: Lists, name: str, job_id: str) -> None:
        """Move a job that is no ticket to RQ's registry of failed ones."""
        queue = Queue(name, connection=self.connection, serializer=JSONSerializer)
        try:
            job = Job.fetch(job_id, connection=self.connection, serializer=JSONSerializer)
            self.handle_job_failure(job, queue, exc_string=NO_TICKET)
        except NoSuchJobError:
            pass
        except Exception as error:  # noqa: BLE001 - it is not ours, and whatever it is must not hold us up
            _log.warning("the job %s could not be moved to the failed ones: %r", job_id[:80], error)
        with contextlib.suppress(RedisError):
            lists.let_go(name, job_id)

    def _put_aside(self, runtime: Runtime, outcomes: list[Outcome]) -> None:
        if not outcomes:
            return
        try:
            put_aside.keep(runtime.settings.data_dir, runtime.owner.id(), outcomes)
        except OSError as error:
            reason = f"{len(outcomes)} outcomes can be kept nowhere, and their tasks run again: {error.strerror}"
            runtime.telemetry.emit(Event.WARNING, reason=reason)


def _several(queues: Any) -> Iterable[Any]:
    return queues if isinstance(queues, list | tuple) else [queues]


def _own_pool(redis: Redis) -> Redis:
    """Return a client of the same server whose answers are awaited for seconds: RQ's waits for minutes."""
    pool = redis.connection_pool
    settings = pool.connection_kwargs | {"socket_timeout": ANSWER_TIMEOUT, "socket_connect_timeout": ANSWER_TIMEOUT}
    return Redis(connection_pool=ConnectionPool(connection_class=pool.connection_class, **settings))
