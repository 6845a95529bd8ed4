"""The wiring: makes each service of a process from the settings and from the services that it needs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from queue_tool.broker import Broker
from queue_tool.brokers import consumers, open_broker
from queue_tool.model.clock import Clock
from queue_tool.model.context import Context
from queue_tool.model.made_once import made_once
from queue_tool.model.parent_results import WantedPage
from queue_tool.model.sending import Sending
from queue_tool.model.settings import Settings
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.runners import make_runner
from queue_tool.services.ask import Ask
from queue_tool.services.cancel import Cancel
from queue_tool.services.dead_letters import DeadLetters
from queue_tool.services.declaring import declared_schedules
from queue_tool.services.filling import Filling
from queue_tool.services.follow import Follow
from queue_tool.services.listing import Listing
from queue_tool.services.measures.gauges import Gauges
from queue_tool.services.measures.measures import Measures
from queue_tool.services.messages import Messages
from queue_tool.services.open_batches import OpenBatches
from queue_tool.services.owner import Owner, lives_here
from queue_tool.services.part_line import PartLine
from queue_tool.services.pause import Pause
from queue_tool.services.ready import Ready
from queue_tool.services.reopen import Reopen
from queue_tool.services.run import Runner
from queue_tool.services.send import Send
from queue_tool.services.submit import Submit
from queue_tool.services.submitter import Submitter
from queue_tool.services.wait import Wait
from queue_tool.store import Store

if TYPE_CHECKING:
    from queue_tool.services.consumers import Consumers
    from queue_tool.services.declared_schedules import DeclaredSchedules

RECORD_WITHIN = 0.05
"""Seconds within which a process of `SENDERS` records what it has pushed, if no later request records it."""

FILL_PAUSE = 0.02
"""Seconds before the next check of a line that another process fills now."""

SENDERS = ("web", "worker", "consumer")
"""The kinds of processes in which many threads send tasks."""

WITHOUT_HEARTBEAT = ("web", "consumer", "program")
"""The kinds of processes in which a thread writes the measures. Workers write them with their heartbeats."""


@dataclass(kw_only=True)
class Wiring:
    """The services of a process. Each is made at its first use, and only once."""

    settings: Settings
    telemetry: Telemetry
    clock: Clock
    types: TaskTypes
    store: Store
    kind: str  # what this process is, for people
    name: str = ""  # its name in Redis, if it has one
    for_parent: bool = False  # whether it is a child that does one job for its parent
    judges: bool = True  # whether it checks data against the schemas of the task types
    sweeps: bool = False  # whether it sweeps, so that a task that has failed inline can run again

    # -- this process --------------------------------------------------------------------------------------

    @made_once
    def measures(self) -> Measures:
        """What this process counts. Processes without a heartbeat begin to write it here."""
        measures = Measures(self.store, self.telemetry, self.clock)
        if self.kind in WITHOUT_HEARTBEAT:
            measures.write_regularly()
        return measures

    @made_once
    def owner(self) -> Owner:
        """This process, as the store knows it."""
        return Owner(self.store, self.kind, self.clock, self.name, measures=self.measures, for_parent=self.for_parent)

    @made_once
    def declared(self) -> DeclaredSchedules | None:
        """What keeps the schedules that the code of this process declares."""
        if self.for_parent:
            return None
        return declared_schedules(self.kind, self.types, self.store, self.telemetry, self.clock, judges=self.judges)

    # -- run -----------------------------------------------------------------------------------------------

    @made_once
    def runner(self) -> Runner:
        """What runs tasks. It sends tasks of tasks through services that need it: these are made at their first use."""

        def send(context: Context, request: Sending | WantedPage) -> Any:
            return self.send(context, request)

        def follow(made: Sequence[Ticket]) -> None:
            self.follow(made)

        return make_runner(
            self.settings,
            self.store,
            self.types,
            self.telemetry,
            self.clock,
            send=send,
            follow=follow,
            retries=self.sweeps,
        )

    @made_once
    def broker(self) -> Broker:
        """What carries tickets."""
        return open_broker(self.settings, self.store, self.runner, self.owner)

    # -- send ----------------------------------------------------------------------------------------------

    @made_once
    def filling(self) -> Filling:
        """What pushes the tickets of lines."""
        return Filling(store=self.store, broker=self.broker, clock=self.clock, max_pushed=self.settings.max_pushed)

    @made_once
    def submitter(self) -> Submitter:
        """What stores requests that come together."""
        return Submitter(
            self.store,
            self.broker,
            self.clock,
            self.settings.max_waiting,
            RECORD_WITHIN if self.kind in SENDERS else 0.0,
            telemetry=self.telemetry,
        )

    @made_once
    def follow(self) -> Follow:
        """What pushes the continuations that an end has made."""
        return Follow(store=self.store, filling=self.filling, submitter=self.submitter, telemetry=self.telemetry)

    @made_once
    def submit(self) -> Submit:
        """What takes batches and tasks."""
        return Submit(
            store=self.store,
            broker=self.broker,
            telemetry=self.telemetry,
            clock=self.clock,
            submitter=self.submitter,
            max_batch=self.settings.max_batch,
            filling=self.filling,
            types=self.types,
            follow=self.follow,
        )

    @made_once
    def send(self) -> Send:
        """What takes the tasks that tasks send."""
        return Send(submit=self.submit, types=self.types, clock=self.clock)

    @made_once
    def open_batches(self) -> OpenBatches:
        """What takes the parts of open batches."""
        return OpenBatches(
            submit=self.submit,
            types=self.types,
            check_line=PartLine(store=self.store, broker=self.broker),
            pause=lambda: time.sleep(FILL_PAUSE),
        )

    # -- ask -----------------------------------------------------------------------------------------------

    @made_once
    def ask(self) -> Ask:
        """What says how tasks and batches are."""
        return Ask(store=self.store)

    @made_once
    def list(self) -> Listing:
        """What lists them."""
        return Listing(store=self.store)

    @made_once
    def wait(self) -> Wait:
        """What waits for their ends."""
        return Wait(self.store, self.settings.max_waits)

    @made_once
    def ready(self) -> Ready:
        """What tries the database and Redis."""
        return Ready(self.store, self.broker, self.telemetry, self.clock)

    @made_once
    def consumers(self) -> Consumers | None:
        """What says whether work is taken from RabbitMQ, if it should be."""
        return consumers(self.settings, self.clock)

    @made_once
    def gauges(self) -> Gauges:
        """What counts what is true now."""
        return Gauges(store=self.store, lives_here=lives_here)

    # -- change --------------------------------------------------------------------------------------------

    @made_once
    def cancel(self) -> Cancel:
        """What cancels tasks and batches."""
        return Cancel(
            store=self.store, broker=self.broker, telemetry=self.telemetry, clock=self.clock, follow=self.follow
        )

    @made_once
    def reopen(self) -> Reopen:
        """What retries tasks by hand."""
        return Reopen(store=self.store, telemetry=self.telemetry, clock=self.clock, follow=self.follow)

    @made_once
    def dead_letters(self) -> DeadLetters:
        """What deletes failed tasks."""
        return DeadLetters(store=self.store, telemetry=self.telemetry, clock=self.clock)

    @made_once
    def pause(self) -> Pause:
        """What pauses queues."""
        return Pause(store=self.store, telemetry=self.telemetry, clock=self.clock)

    @made_once
    def messages(self) -> Messages:
        """What keeps the messages of clients."""
        return Messages(self.store, self.wait, self.telemetry, self.clock, self.settings.max_messages)
