"""What a worker is made of: its executors, its intake and its pump, from the runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from redis import ConnectionPool, Redis

from queue_tool.host import begun
from queue_tool.host.begun import Begun
from queue_tool.host.processes import processors
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model import events
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.model.settings import FEWEST_ISOLATED
from queue_tool.runtime import Runtime
from queue_tool.worker.active_runs import ActiveRuns
from queue_tool.worker.ending import Ending
from queue_tool.worker.executor import Executor
from queue_tool.worker.handed import Limits
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.intake import Intake
from queue_tool.worker.isolated import IsolatedExecutor
from queue_tool.worker.loop import LoopThread
from queue_tool.worker.loop_executor import LoopExecutor
from queue_tool.worker.pauses import Pauses
from queue_tool.worker.presence import Presence
from queue_tool.worker.pump import Pump
from queue_tool.worker.refill import Refill
from queue_tool.worker.resignation import Resignation
from queue_tool.worker.returns import Returns
from queue_tool.worker.thread_executor import ThreadExecutor
from queue_tool.worker.ticket_lists import TicketLists
from queue_tool.worker.waker import Waker
from queue_tool.worker.watchdog import Watchdog

ANSWER_TIMEOUT = 5.0
"""Seconds after which a call to Redis times out."""


def impatient(redis: Redis) -> Redis:
    """Return a client of the same server with a timeout of seconds. RQ's own client waits for minutes."""
    pool = redis.connection_pool
    settings = pool.connection_kwargs | {"socket_timeout": ANSWER_TIMEOUT, "socket_connect_timeout": ANSWER_TIMEOUT}
    return Redis(connection_pool=ConnectionPool(connection_class=pool.connection_class, **settings))


def make_executors(
    runtime: Runtime, loop: asyncio.AbstractEventLoop, inbox: Inbox, patience: float
) -> dict[Lane, Executor]:
    """Return the executor of each lane. None of them has started anything yet.

    Args:
        runtime: the task types and the settings.
        loop: the event loop of coroutines.
        inbox: receives the reports of the runs.
        patience: seconds to wait for a process of the isolated lane that gives no sign of life.
    """
    settings, directory = runtime.settings, WorkingDirectory()

    def after(run: Run) -> None:
        if directory.restore():
            runtime.telemetry.emit(events.DirectoryChanged(token=run.task.token, run=run.task.run))

    start_server = any(known.lane is Lane.ISOLATED for known in runtime.types.values())
    isolated = settings.isolated or max(FEWEST_ISOLATED, processors())
    limits = Limits(tasks=settings.isolated_tasks, memory=settings.isolated_memory, patience=patience)
    return {
        Lane.LOOP: LoopExecutor(settings.concurrency, loop, inbox, after),
        Lane.THREADS: ThreadExecutor(settings.threads, "thread", inbox, loop, after),
        Lane.ISOLATED: IsolatedExecutor(isolated, "isolated", inbox, directory, limits, start_server=start_server),
    }


def note_begun(runtime: Runtime, executors: Collection[Executor]) -> Begun | None:
    """Let executors note what they begin, for whoever takes the tasks back if this worker dies.

    Returns:
        The notes; None if they cannot be kept, which a warning says.
    """
    entries = sum(executor.most_begun for executor in executors)
    noted = begun.create(
        runtime.settings.data_dir, entries, lambda reason: runtime.telemetry.emit(events.Warned(reason=reason))
    )
    if noted is not None:
        for executor in executors:
            executor.begun = noted.entries(executor.most_begun)
    return noted


def make_intake(
    runtime: Runtime,
    lists: TicketLists,
    served: Mapping[str, Lane],
    *,
    active: ActiveRuns,
    waker: Waker,
    presence: Presence,
) -> Intake:
    """Return the intake.

    Args:
        runtime: the store, the fills and the settings.
        lists: the lists of tickets in Redis.
        served: the lists to take from, the most urgent first, and the lane of each.
        active: the active runs, which know the slots of each lane.
        waker: reports when an empty list gets a ticket.
        presence: what RQ's tools see of this worker.
    """
    slots = {lane: executor.slots for lane, executor in active.executors.items()}
    return Intake(
        lists=lists,
        served=served,
        waker=waker,
        pauses=Pauses(runtime.store, served, runtime.clock),
        presence=presence,
        refill=Refill(runtime.filling, slots, runtime.clock, runtime.telemetry),
        telemetry=runtime.telemetry,
        clock=runtime.clock,
    )


def make_pump(
    runtime: Runtime, intake: Intake, active: ActiveRuns, inbox: Inbox, *, loop: LoopThread, claims_ahead: bool
) -> Pump:
    """Return the pump.

    Args:
        runtime: the steps of a run, and the worker process that claims the tasks.
        intake: the source of tickets.
        active: the active runs, of which there are none yet.
        inbox: the reports of other threads.
        loop: the event loop.
        claims_ahead: whether lanes may claim more than their slots take. Then the executors must note what they begin.
    """
    resignation = Resignation(runtime.owner, runtime.telemetry, inbox, runtime.settings.drain)
    watchdog = Watchdog(loop, runtime.settings.stuck_after) if Lane.LOOP in active.executors else None
    ending = Ending(active=active, inbox=inbox, resignation=resignation, watchdog=watchdog)
    return Pump(
        runner=runtime.runner,
        owner=runtime.owner,
        intake=intake,
        active=active,
        ending=ending,
        returns=Returns(active=active, ended=ending.ended, claims_ahead=claims_ahead),
        inbox=inbox,
        clock=runtime.clock,
    )
