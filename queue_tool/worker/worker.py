"""The worker: an RQ worker that runs thousands of tasks at the same time and settles them in batches.

RQ's tools see it as an RQ worker. They list it, read its heartbeats, suspend it and stop it (`presence`). RQ handles
one job at a time, but this worker handles batches. The `intake` takes tickets, the `pump` claims and records, and the
`executors` call the functions. All threads report to the pump through one `inbox`. RQ's own loop is not used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Queue
from rq.command import parse_payload
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from queue_tool.errors import DataDirUnusable, StoreAway
from queue_tool.execution import forks
from queue_tool.host import put_aside
from queue_tool.host.begun import Begun
from queue_tool.host.clock import CLOCK
from queue_tool.host.signals import OF_SUPERVISOR, Signals
from queue_tool.model import events
from queue_tool.model.outcome import Outcome
from queue_tool.model.queues import Lane, lane_and_queue, lists_of
from queue_tool.model.ticket import read_ticket_id
from queue_tool.runtime import Runtime
from queue_tool.worker import patience, ticket, wiring
from queue_tool.worker.active_runs import ActiveRuns
from queue_tool.worker.executor import Executor
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.loop import LoopThread
from queue_tool.worker.presence import Presence
from queue_tool.worker.pump import Pump
from queue_tool.worker.ticket_lists import TicketLists
from queue_tool.worker.waker import Waker

_log = logging.getLogger("queue_tool.worker")

LISTEN_AGAIN_AFTER = 2.0
"""Seconds before the worker listens for commands again after a failure. RQ waits as long."""

SHUTDOWN = 0
"""Stands for RQ's command among the numbers of signals."""

SHOWN = 80
"""The most bytes of a message that a log line shows."""

SWITCH_EVERY = 0.0005
"""Seconds after which a thread that computes lets another one go on. With Python's 5 ms, 32 plain functions that
compute held up the event loop and the pump for seconds."""

CLEANUP_TIMEOUT = 1.0
"""Seconds that abandoned coroutines get to clean up when the worker ends."""


class Worker(BaseWorker):
    """Serves every lane of the given queues. `rq worker -w queue_tool.worker.Worker` also starts it."""

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        """Prepare. The arguments are RQ's, but the serializer is always JSON. Nothing is opened yet."""
        names = [queue.name if isinstance(queue, Queue) else queue for queue in _as_list(queues)]
        super().__init__(lists_of(names), *args, **(kwargs | {"serializer": JSONSerializer}))
        self._inbox = Inbox(CLOCK)
        self._must_stop = threading.Event()
        self._pump: Pump | None = None
        self._drain = 0.0  # seconds
        self._wishes: set[int] = set()  # the signals that told this worker to stop
        self.has_supervisor = False  # which ends it by a signal of its own
        self.on_ready: Callable[[], None] = lambda: None
        self.patience = patience.SECONDS  # with a process of the isolated lane that gives no sign of life

    def describe_this_process(self) -> None:
        """Record host and pid of this process. RQ's own method would query Redis, which may be away."""
        self.hostname, self.pid = socket.gethostname(), os.getpid()

    def work(
        self, burst: bool = False, *_: Any, max_jobs: int | None = None, with_scheduler: bool = False, **__: Any
    ) -> bool:
        """Run tasks until the worker is stopped. The arguments are RQ's.

        Args:
            burst: end when no work is left.
            max_jobs: end after so many tasks.
            with_scheduler: ignored with a warning, because schedules are in the store.

        Returns:
            Whether any task was claimed.

        Raises:
            QueueToolError: something that the worker needs cannot be used. The message says what.
        """
        runtime = ticket.join(self.name)
        if with_scheduler:
            runtime.telemetry.emit(events.Warned(reason="RQ's scheduler is not started: Queue Tool does not need it"))
        return self._serve(runtime, burst=burst, most=max_jobs) > 0

    def stop(self, within: float, *, by_itself: bool = False) -> None:
        """Take nothing new. End when all active runs have ended, or after `within` seconds.

        Args:
            within: seconds.
            by_itself: whether a task of this worker, and no operator, makes it stop.
        """
        self._must_stop.set()
        self._inbox.finish(within, by_itself=by_itself)

    def handle_payload(self, message: Any) -> None:
        """Handle a command from RQ. To stop a job means to cancel its task, as in the API.

        Any program may send anything here. What is not a command is logged and ignored: an exception would end the
        thread that listens.
        """
        try:
            self._obey(message)
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("a message to this worker was ignored: %r: %.200r", message["data"][:SHOWN], error)

    def _obey(self, message: Any) -> None:
        payload = parse_payload(message)
        if not isinstance(payload, dict) or not isinstance(payload.get("command"), str):
            raise TypeError("it is not a command")
        if payload["command"] == "shutdown":  # RQ would send a signal, as if a task of this worker had sent it
            self._stop_sooner(SHUTDOWN, False)
            return
        if payload["command"] not in ("stop-job", "stop-execution"):
            super().handle_payload(message)
            return
        job_id = str(payload.get("job_id"))
        if self._pump is None or not self._pump.has(job_id):
            return  # not active here: another worker may run the task now
        with contextlib.suppress(StoreAway):
            token, _ = read_ticket_id(job_id)
            ticket.join().cancel([token], by="rq", reason=payload["command"])
            self._inbox.canceled(job_id)

    def _stop_sooner(self, wish: int, by_itself: bool) -> None:
        """Stop after the drain, or at once if this worker has been told before.

        A supervisor and a service manager may both tell it to stop, each by its own signal. That counts as one.

        Args:
            wish: the number of the signal, or `SHUTDOWN`.
            by_itself: whether a task of this worker, and no operator, makes it stop.
        """
        again = wish in self._wishes if self.has_supervisor else self._must_stop.is_set()
        self._wishes.add(wish)
        self.stop(0 if again else self._drain, by_itself=by_itself)

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:
        """Continue to listen after a failure of any kind. RQ's own method does so only for a lost connection."""
        if isinstance(exc, RedisConnectionError):
            super()._pubsub_exception_handler(exc, pubsub, pubsub_thread)
            return
        if not self._must_stop.is_set():
            _log.warning("this worker cannot hear commands now, and tries again: %.200r", exc)
        time.sleep(LISTEN_AGAIN_AFTER)

    # -- start to end --------------------------------------------------------------------------------------

    def _serve(self, runtime: Runtime, *, burst: bool, most: int | None) -> int:
        """Run the pump in its own thread while this thread waits for signals."""
        sys.setswitchinterval(SWITCH_EVERY)
        forks.start_one_after_the_other()
        loop, signals = LoopThread(), Signals()
        results: list[int | BaseException] = []
        knows_senders = threading.Event()
        self._drain = runtime.settings.drain

        def pump() -> None:
            knows_senders.wait()  # otherwise a task could stop this worker, and nobody would know that it did
            try:
                results.append(self._run_pump(runtime, loop, burst=burst, most=most))
            except BaseException as error:  # noqa: BLE001 - a worker without its pump must end and report why
                results.append(error)
            signals.end()

        names = (signal.SIGTERM, signal.SIGINT, *([OF_SUPERVISOR] if self.has_supervisor else ()))
        with signals.receiving(*names):
            threading.Thread(target=pump, name="pump", daemon=True).start()
            signals.hear(self._stop_sooner, knows_senders.set)
        loop.close(CLEANUP_TIMEOUT)
        (result,) = results
        if isinstance(result, BaseException):
            raise result
        return result

    def _run_pump(self, runtime: Runtime, loop: LoopThread, *, burst: bool, most: int | None) -> int:
        """Register, run the pump, unregister. Return how many runs were claimed."""
        served = {name: lane_and_queue(name)[0] for name in self.queue_names()}
        active = ActiveRuns(self._executors(runtime, loop.loop, set(served.values())))
        redis = wiring.impatient(self.connection)
        presence = Presence(self, redis, runtime.telemetry)
        if not presence.enter(runtime.store.identity(), self._must_stop):
            ticket.leave()
            return 0
        noted = wiring.note_begun(runtime, active.executors.values())
        lists = self._lists(redis, served, runtime.store.identity())
        waker = Waker(self.connection, served, self._inbox)
        intake = wiring.make_intake(runtime, lists, served, active=active, waker=waker, presence=presence)
        pump = wiring.make_pump(runtime, intake, active, self._inbox, loop=loop, claims_ahead=noted is not None)
        self._pump, runtime.owner.lanes = pump, active.slots
        waker.start()
        self.on_ready()
        runtime.telemetry.emit(events.Started(name=self.name))
        try:
            return pump.work(burst=burst, most=most)
        finally:
            intake.close()
            self._leave(runtime, pump, presence, noted)

    def _leave(self, runtime: Runtime, pump: Pump, presence: Presence, noted: Begun | None) -> None:
        """Save what could not be written, and unregister."""
        _put_aside(runtime, pump.unwritten())
        if presence.leave() and pump.left_nothing:  # otherwise the sweeper cleans up as for a dead worker
            ticket.leave()
            if noted is not None:
                noted.remove()
        runtime.measures.stop()

    def _lists(self, redis: Redis, served: Iterable[str], database: str) -> TicketLists:
        """Return the ticket lists. The tests replace them in a worker that kills itself."""
        return TicketLists(redis, served, self.name, database)

    def _executors(
        self, runtime: Runtime, loop: asyncio.AbstractEventLoop, lanes: set[Lane]
    ) -> Mapping[Lane, Executor]:
        """Return the executors of these lanes. The tests replace one of them."""
        executors = wiring.make_executors(runtime, loop, self._inbox, self.patience)
        return {lane: executor for lane, executor in executors.items() if lane in lanes}


def _put_aside(runtime: Runtime, outcomes: list[Outcome]) -> None:
    """Save unwritten outcomes to a file. A later process writes them to the store."""
    if not outcomes:
        return
    try:
        put_aside.keep(runtime.settings.data_dir, runtime.owner.id(), outcomes)
    except (OSError, DataDirUnusable) as error:
        cause = error.strerror if isinstance(error, OSError) else error.sentence
        reason = f"{len(outcomes)} outcomes could not be saved, and their tasks run again: {cause}"
        runtime.telemetry.emit(events.Warned(reason=reason))


def _as_list(queues: Any) -> Iterable[Any]:
    return queues if isinstance(queues, list | tuple) else [queues]
