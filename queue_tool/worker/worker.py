"""The worker: an RQ worker that has thousands of tasks in hand at once and settles them by the batch.

To RQ's tools it is one of theirs: it is listed, beats, can be suspended and told to stop (`presence`). What RQ does
job by job is done by the batch: tickets come from the `intake`, the `pump` claims and records, `executors` call the
functions, and all threads tell the pump what happened by one `inbox`. RQ's own loop is not used.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from redis import ConnectionPool, Redis
from rq import Queue
from rq.command import parse_payload
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from queue_tool.errors import StoreAway
from queue_tool.host import put_aside
from queue_tool.host.clock import CLOCK
from queue_tool.host.signals import NO_SIGNAL, SignalPipe
from queue_tool.model import events
from queue_tool.model.outcome import Outcome
from queue_tool.model.queues import Lane, lane_and_queue, lists_of
from queue_tool.model.ticket import read_ticket_id
from queue_tool.runtime import Runtime
from queue_tool.worker import ticket
from queue_tool.worker.executors import Executor, LoopExecutor, ThreadExecutor
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.intake import Intake
from queue_tool.worker.isolated import IsolatedExecutor
from queue_tool.worker.loop import LoopThread
from queue_tool.worker.pauses import Pauses
from queue_tool.worker.presence import Presence
from queue_tool.worker.pump import Pump
from queue_tool.worker.ticket_lists import TicketLists
from queue_tool.worker.waker import Waker

ANSWER_TIMEOUT = 5.0
"""Seconds in which Redis must answer."""

LAST_MOMENTS = 1.0
"""Seconds that coroutines have to clean up, once nobody waits for them."""


class Worker(BaseWorker):
    """Serves every lane of the queues that it is given; `rq worker -w queue_tool.worker.Worker` starts it too."""

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        """Prepare; the arguments are RQ's, of which the serializer is always JSON. Nothing is opened yet."""
        names = [queue.name if isinstance(queue, Queue) else queue for queue in _several(queues)]
        super().__init__(lists_of(names), *args, **(kwargs | {"serializer": JSONSerializer}))
        self._inbox = Inbox(CLOCK)
        self._asked = threading.Event()  # to stop
        self._pump: Pump | None = None

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
            runtime.telemetry.emit(events.Warned(reason="RQ's scheduler is not started: nothing here needs it"))
        return self._serve(runtime, burst=burst, most=max_jobs) > 0

    def stop(self, within: float) -> None:
        """Take nothing new, and end when what runs has ended, or after so many seconds."""
        self._asked.set()
        self._inbox.finish(within)

    def handle_payload(self, message: Any) -> None:
        """Hear a command of RQ's: to stop a job is to cancel its task, as over the API."""
        payload = parse_payload(message)
        if payload["command"] not in ("stop-job", "stop-execution"):
            super().handle_payload(message)
            return
        job_id = str(payload.get("job_id"))
        if self._pump is None or not self._pump.has(job_id):
            return  # what this worker does not run is not its to stop: the task may be somebody else's by now
        with contextlib.suppress(StoreAway):
            token, _ = read_ticket_id(job_id)
            ticket.join().cancel([token], by="rq", reason=payload["command"])
            self._inbox.canceled(job_id)

    # -- its life ------------------------------------------------------------------------------------------

    def _serve(self, runtime: Runtime, *, burst: bool, most: int | None) -> int:
        """Let the pump work in a thread of its own, while this one hears what signals say."""
        loop, signals = LoopThread(), SignalPipe()
        results: list[int | BaseException] = []

        def pump() -> None:
            try:
                results.append(self._pump_away(runtime, loop.loop, burst=burst, most=most))
            except BaseException as error:  # noqa: BLE001 - a worker without its pump must end, and say why
                results.append(error)
            signals.wake()

        with signals.hearing(signal.SIGTERM, signal.SIGINT):
            threading.Thread(target=pump, name="pump", daemon=True).start()
            while signals.wait() != NO_SIGNAL:
                self.stop(0 if self._asked.is_set() else runtime.settings.drain)
        loop.close(LAST_MOMENTS)
        (result,) = results
        if isinstance(result, BaseException):
            raise result
        return result

    def _pump_away(self, runtime: Runtime, loop: asyncio.AbstractEventLoop, *, burst: bool, most: int | None) -> int:
        """Enter, work, leave; return how many runs were claimed."""
        served = {name: lane_and_queue(name)[0] for name in self.queue_names()}
        executors = self._executors(runtime, loop, set(served.values()))
        redis = _own_pool(self.connection)
        presence = Presence(self, redis, runtime.telemetry)
        if not presence.enter(runtime.store.identity(), self._asked):
            ticket.leave()
            return 0
        waker = Waker(self.connection, served, self._inbox)
        self._pump = pump = Pump(
            runner=runtime.runner,
            owner=runtime.owner,
            intake=self._intake(runtime, redis, served, waker, presence),
            executors=executors,
            inbox=self._inbox,
            clock=runtime.clock,
            drain=runtime.settings.drain,
        )
        waker.start()
        runtime.telemetry.emit(events.Started(name=self.name))
        try:
            return pump.work(burst=burst, most=most)
        finally:
            waker.close()
            _put_aside(runtime, pump.unwritten())
            if presence.leave() and pump.left_nothing:  # or else the sweeper must clean up as after a death
                ticket.leave()

    def _intake(
        self, runtime: Runtime, redis: Redis, served: Mapping[str, Lane], waker: Waker, presence: Presence
    ) -> Intake:
        return Intake(
            lists=self._lists(redis, served, runtime.store.identity()),
            served=served,
            waker=waker,
            pauses=Pauses(runtime.store, served, runtime.clock),
            presence=presence,
            telemetry=runtime.telemetry,
            clock=runtime.clock,
        )

    def _lists(self, redis: Redis, served: Iterable[str], database: str) -> TicketLists:
        """Return where the tickets are; a worker that is to die at a step has others."""
        return TicketLists(redis, served, self.name, database)

    def _executors(
        self, runtime: Runtime, loop: asyncio.AbstractEventLoop, lanes: set[Lane]
    ) -> Mapping[Lane, Executor]:
        settings, inbox = runtime.settings, self._inbox
        soon = any(known.lane is Lane.ISOLATED for known in runtime.types.values())
        executors: dict[Lane, Executor] = {
            Lane.LOOP: LoopExecutor(settings.concurrency, loop, inbox),
            Lane.THREADS: ThreadExecutor(settings.threads, "thread", inbox),
            Lane.ISOLATED: IsolatedExecutor(settings.isolated, "isolated", inbox, soon=soon),
        }
        return {lane: executor for lane, executor in executors.items() if lane in lanes}


def _put_aside(runtime: Runtime, outcomes: list[Outcome]) -> None:
    """Keep outcomes that could not be written in a file, to be written later."""
    if not outcomes:
        return
    try:
        put_aside.keep(runtime.settings.data_dir, runtime.owner.id(), outcomes)
    except OSError as error:
        reason = f"{len(outcomes)} outcomes can be kept nowhere, and their tasks run again: {error.strerror}"
        runtime.telemetry.emit(events.Warned(reason=reason))


def _several(queues: Any) -> Iterable[Any]:
    return queues if isinstance(queues, list | tuple) else [queues]


def _own_pool(redis: Redis) -> Redis:
    """Return a client of the same server whose answers are awaited for seconds: RQ's waits for minutes."""
    pool = redis.connection_pool
    settings = pool.connection_kwargs | {"socket_timeout": ANSWER_TIMEOUT, "socket_connect_timeout": ANSWER_TIMEOUT}
    return Redis(connection_pool=ConnectionPool(connection_class=pool.connection_class, **settings))
