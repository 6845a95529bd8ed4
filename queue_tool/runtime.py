"""The runtime: everything that an entry point needs, made from the settings (see `wiring`)."""

from __future__ import annotations

import random
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from queue_tool import environment
from queue_tool.broker import Broker
from queue_tool.brokers import event_sender, require_own_redis
from queue_tool.databases import open_store
from queue_tool.errors import BadTaskType, StoreAway
from queue_tool.host import logs, put_aside
from queue_tool.host.begun import BegunFiles
from queue_tool.host.clock import CLOCK
from queue_tool.known_types import load_types
from queue_tool.model.batch import Judge, judge_of
from queue_tool.model.clock import Clock
from queue_tool.model.new_task import PLAIN, Options
from queue_tool.model.settings import Settings
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.ask import Ask
from queue_tool.services.cancel import Cancel
from queue_tool.services.dead_letters import DeadLetters
from queue_tool.services.filling import Filling
from queue_tool.services.listing import Listing
from queue_tool.services.measures.gauges import Gauges
from queue_tool.services.measures.measures import Measures
from queue_tool.services.messages import Messages
from queue_tool.services.open_batches import OpenBatches
from queue_tool.services.owner import Owner, lives_here
from queue_tool.services.pause import Pause
from queue_tool.services.ready import Ready
from queue_tool.services.reopen import Reopen
from queue_tool.services.run import Runner
from queue_tool.services.submit import Submit
from queue_tool.services.sweep.sweep import Sweep
from queue_tool.services.wait import Wait
from queue_tool.store import Store
from queue_tool.wiring import Wiring

if TYPE_CHECKING:
    from queue_tool.services.consumers import Consumers
    from queue_tool.services.declared_schedules import DeclaredSchedules
    from queue_tool.services.deliver import Deliver
    from queue_tool.services.scaling import Scaling
    from queue_tool.services.schedules import Schedules
    from queue_tool.services.webhooks import Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything that an entry point needs. A `with` block closes it at the end."""

    settings: Settings
    telemetry: Telemetry
    clock: Clock
    types: TaskTypes
    store: Store
    broker: Broker
    owner: Owner
    submit: Submit
    open_batches: OpenBatches
    ask: Ask
    list: Listing
    wait: Wait
    cancel: Cancel
    reopen: Reopen
    dead_letters: DeadLetters
    pause: Pause
    messages: Messages
    runner: Runner
    filling: Filling
    ready: Ready
    measures: Measures
    gauges: Gauges
    consumers: Consumers | None = None  # None: no work comes from RabbitMQ
    declared: DeclaredSchedules | None = None  # None: the code of this process declares no schedule

    def of_type(self, name: str, options: Options = PLAIN) -> Judge:
        """Return a judge for `submit`: it takes each value as the data of a task of this type, with these options.

        Raises:
            BadTaskType: no task type has this name.
        """
        if name not in self.types:
            raise BadTaskType(f"There is no task type {name!r}. Use one of these: {', '.join(sorted(self.types))}.")
        return judge_of(self.types[name], options)

    @property
    def schedules(self) -> Schedules:
        """The schedules. Their modules are imported at the first use, because no worker needs them."""
        from queue_tool.services.schedules import Schedules
        from queue_tool.services.ticking import Ticking

        return Schedules(ticking=Ticking(submit=self.submit, types=self.types))

    @property
    def scaling(self) -> Scaling:
        """What changes the number of workers. Its module is imported at the first use."""
        from queue_tool.services.scaling import Scaling

        return Scaling(store=self.store, telemetry=self.telemetry, clock=self.clock, lives_here=lives_here)

    def sweep(self) -> Sweep:
        """Return a new sweeper. Use the same one for every pass: it remembers what it has seen."""
        from queue_tool.services.sweep.ticks import Ticks

        return Sweep(
            store=self.store,
            broker=self.broker,
            telemetry=self.telemetry,
            clock=self.clock,
            lives_here=lives_here,
            filling=self.filling,
            ticks=Ticks(ticking=self.schedules.ticking, clock=self.clock),
            begun=BegunFiles(self.settings.data_dir),
            retention=timedelta(days=self.settings.retention_days) if self.settings.retention_days else None,
        )

    def webhooks(self) -> Webhooks:
        """Return the service of webhooks. Most processes never need it, nor what sends requests."""
        from queue_tool.delivery.sender import Sender
        from queue_tool.delivery.signing import new_secret, signature
        from queue_tool.services.exchange import Senders
        from queue_tool.services.webhooks import Webhooks

        return Webhooks(
            store=self.store,
            clock=self.clock,
            sender=Senders(http=Sender(self.settings.webhook_allow), amqp=event_sender(self.settings)),
            sign=signature,
            new_secret=new_secret,
        )

    def deliver(self) -> Deliver:
        """Return what sends messages to webhooks. Use the same one all the time: it knows what is on its way."""
        from queue_tool.services.deliver import Deliver

        return Deliver(
            store=self.store,
            webhooks=self.webhooks,
            owner=self.owner.id,
            telemetry=self.telemetry,
            clock=self.clock,
            chance=random.random,
        )

    def settle_put_aside(self) -> None:
        """Record the outcomes that workers put aside before they ended. Do this before tasks are taken back.

        Raises:
            StoreAway: the database is busy or away; the next call continues.
        """
        put_aside.settle_all(
            self.settings.data_dir,
            lambda outcomes, owner: self.runner.record_and_claim(outcomes, (), owner),
            self.telemetry,
        )

    def close(self) -> None:
        """End all waits, and close every connection."""
        self.wait.release()
        if self.declared is not None:
            self.declared.close()
        self.broker.close()
        self.store.close()

    def __enter__(self) -> Self:
        """Return the runtime itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Mark this process as gone, because it runs no tasks any more, and close every connection."""
        with suppress(StoreAway):  # then the sweeper finds out that this process is gone
            self.owner.leave()
        self.measures.stop()
        self.close()


def open() -> Runtime:  # noqa: A001 - users call it as `queue_tool.open()`
    """Return the runtime for the environment's settings, for a program that submits or queries tasks.

    Raises:
        QueueToolError: the database, Redis, a setting or a task type cannot be used; the sentence says which.
    """
    return open_runtime(environment.load_settings(), Telemetry(), "program", migrate=True)


def start_logging(process: str, settings: Settings) -> Telemetry:
    """Write this process's log to stderr, and return the telemetry that logs the events of the services."""
    return logs.start(process, settings.log_level, settings.log_format, environment.unknown_settings)


def open_runtime(
    settings: Settings,
    telemetry: Telemetry,
    kind: str,
    *,
    name: str = "",
    for_parent: bool = False,
    migrate: bool = False,
    judges: bool = True,
    sweeps: bool = False,
    clock: Clock = CLOCK,
) -> Runtime:
    """Build the store, the broker and the services.

    Args:
        settings: the operator's settings.
        telemetry: receives the events.
        kind: what this process is, for people.
        name: this process's name in Redis, if it has one.
        for_parent: whether this process is a child that does one job for its parent.
        migrate: whether to upgrade the database first.
        judges: whether this process checks data against the schemas of the task types.
        sweeps: whether the caller sweeps, so that a task that has failed inline can run again.
        clock: the source of time.

    Raises:
        QueueToolError: the database, Redis or a task type cannot be used; the sentence says which.
    """
    store, types = _opened(settings, telemetry, migrate=migrate, judges=judges)
    wiring = Wiring(
        settings=settings,
        telemetry=telemetry,
        clock=clock,
        types=types,
        store=store,
        kind=kind,
        name=name,
        for_parent=for_parent,
        judges=judges,
        sweeps=sweeps,
    )
    return _runtime_of(wiring)


def _opened(settings: Settings, telemetry: Telemetry, *, migrate: bool, judges: bool) -> tuple[Store, TaskTypes]:
    """Open the database, and load the task types. If that fails, nothing stays open."""
    with ExitStack() as opened:
        store = opened.enter_context(closing(open_store(settings, migrate=migrate)))
        require_own_redis(settings, store)
        types = load_types(settings, telemetry)
        if judges:
            types.compile()
        opened.pop_all()
    return store, types


def _runtime_of(made: Wiring) -> Runtime:
    return Runtime(
        settings=made.settings,
        telemetry=made.telemetry,
        clock=made.clock,
        types=made.types,
        store=made.store,
        broker=made.broker,
        owner=made.owner,
        submit=made.submit,
        open_batches=made.open_batches,
        ask=made.ask,
        list=made.list,
        wait=made.wait,
        cancel=made.cancel,
        reopen=made.reopen,
        dead_letters=made.dead_letters,
        pause=made.pause,
        messages=made.messages,
        runner=made.runner,
        filling=made.filling,
        ready=made.ready,
        consumers=made.consumers,
        declared=made.declared,
        measures=made.measures,
        gauges=made.gauges,
    )
