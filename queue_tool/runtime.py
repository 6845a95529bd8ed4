"""Runtime: from settings to a store, a broker and verbs. The only place that chooses and reads the environment."""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dotenv import dotenv_values

from queue_tool.broker import Broker, InlineBroker, RqBroker
from queue_tool.errors import BrokerAway, BrokerOfAnother, QueueToolError, StoreAway
from queue_tool.execution import own_types
from queue_tool.execution.builtin import builtin_types
from queue_tool.host import data_dir, doorbell, greeting, lifeline, logs, put_aside, valkey
from queue_tool.model import settings
from queue_tool.model.access import NOT_LOCAL, is_loopback
from queue_tool.model.settings import INLINE, Settings
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Event, Telemetry
from queue_tool.services.ask import Ask
from queue_tool.services.control import Cancel, DeadLetters, Pause, Reopen
from queue_tool.services.listing import Listing
from queue_tool.services.owner import Owner, lives_here
from queue_tool.services.run import Run
from queue_tool.services.submit import Submit
from queue_tool.services.sweep.sweep import Sweep
from queue_tool.services.wait import Wait
from queue_tool.store import Store, migrations
from queue_tool.store.engine.database import Database

_log = logging.getLogger("queue_tool.runtime")

STORE_PAUSE = 0.5
"""Seconds before an outcome that could not be kept is tried again."""

SWEEP_EVERY = 1.0
"""Seconds between two passes of a sweeper."""

SWEEP_SOON = 0.1
"""The same while tickets wait for room in Redis, which workers make all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything that a door needs, put together."""

    settings: Settings
    telemetry: Telemetry
    types: TaskTypes
    store: Store
    broker: Broker
    owner: Owner
    submit: Submit
    ask: Ask
    list: Listing
    wait: Wait
    cancel: Cancel
    reopen: Reopen
    dead_letters: DeadLetters
    pause: Pause
    run: Run

    def sweep(self) -> Sweep:
        """Return a sweeper, which remembers what it has seen."""
        return Sweep(
            store=self.store,
            broker=self.broker,
            telemetry=self.telemetry,
            now=now,
            monotonic=time.monotonic,
            lives_here=lives_here,
            max_pushed=self.settings.max_pushed,
            retention=timedelta(days=self.settings.retention_days) if self.settings.retention_days else None,
        )

    def settle_put_aside(self) -> None:
        """Keep the outcomes that workers could not write before their end; to be done before anybody takes back.

        Raises:
            StoreAway: the database is busy or away; the next one who does this goes on.
        """
        put_aside.settle_all(self.settings.data_dir, lambda outcomes, owner: self.run.turn(outcomes, (), owner))

    def sweep_until(self, stopping: threading.Event) -> None:
        """Sweep again and again until the event is set; whatever goes wrong in one pass, the next one comes."""
        sweep = self.sweep()
        pause, said = SWEEP_EVERY, ""
        while not stopping.wait(pause):
            pause = SWEEP_EVERY
            try:
                self.settle_put_aside()
                if sweep():
                    pause = SWEEP_SOON
                said = ""
            except QueueToolError as error:
                reason = error.reason if isinstance(error, StoreAway) else error.sentence
                news = reason if isinstance(error, StoreAway) else type(error).__name__  # Redis is away in many words
                if news != said:
                    self.telemetry.emit(Event.SWEEP_FAILED, reason=reason)
                said = news
            except Exception:  # noqa: BLE001 - the next pass must come, and the log has all of it
                _log.exception("a pass of the sweeper failed")

    def close(self) -> None:
        """Let everyone go who waits, and close every connection."""
        self.wait.release()
        self.broker.close()
        self.store.close()


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def environment() -> dict[str, str]:
    """Return the environment over what the file `.env` in the current directory says."""
    file = {name: value for name, value in dotenv_values(Path(".env")).items() if value is not None}
    return file | dict(os.environ)


def load_settings(overrides: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the environment, with some of them said otherwise.

    Raises:
        BadSetting: one of them cannot be read.
    """
    return settings.read(environment() | dict(overrides or {}))


def child_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child process, with some settings said otherwise."""
    return dict(os.environ) | dict(overrides)


def say(overrides: Mapping[str, str]) -> None:
    """Say some settings otherwise for this process and those that it forks."""
    os.environ.update(overrides)


def inherited(variable: str) -> int | None:
    """Return the file descriptor that this process was given under a name, if it was."""
    descriptor = os.environ.get(variable)
    return int(descriptor) if descriptor else None


def start_logging(process: str, chosen: Settings) -> Telemetry:
    """Send this process's log to stderr, and return what the verbs tell their news to."""
    logs.configure(process, chosen.log_level, chosen.log_format)
    at_a_terminal = chosen.log_format == "text" and sys.stderr.isatty()
    listeners = [logs.listen, greeting.listen] if at_a_terminal else [logs.listen]
    telemetry = Telemetry(*listeners, unheard=logs.unheard(chosen.log_level) - {Event.READY})
    for name in settings.unknown(environment()):
        if name not in (lifeline.VARIABLE, doorbell.VARIABLE):
            telemetry.emit(Event.WARNING, reason=f"{name} is no setting and was ignored")
    return telemetry


def warn_of_an_open_door(chosen: Settings, telemetry: Telemetry) -> None:
    """Say so where the address is for others and no key lets them in, or no key keeps them out."""
    if is_loopback(chosen.host):
        return
    store = open_store(chosen)
    if chosen.auth == "off":
        reason = "QUEUE_TOOL_AUTH is off: everyone who reaches this address may do everything"
    elif not store.keys.exist():
        reason = NOT_LOCAL
    else:
        reason = ""
    store.close()
    if reason:
        telemetry.emit(Event.WARNING, reason=reason)


def open_runtime(
    chosen: Settings,
    telemetry: Telemetry,
    kind: str,
    *,
    name: str = "",
    migrate: bool = False,
    judges: bool = True,
) -> Runtime:
    """Put everything together.

    Args:
        chosen: the settings.
        telemetry: who is told what happens.
        kind: what this process is, for people.
        name: by which Redis knows it, if it does.
        migrate: whether to bring the database up to date first.
        judges: whether it will check data against the schemas of the task types.

    Raises:
        QueueToolError: something that it stands on cannot be used; the sentence says what.
    """
    store = open_store(chosen, migrate=migrate)
    require_own_redis(chosen, store)
    types = load_types(chosen, telemetry)
    if judges:
        types.compile()
    owner = Owner(store, kind, now, name)
    run = Run(
        store=store,
        types=types,
        telemetry=telemetry,
        now=now,
        timeout=chosen.timeout,
        max_attempts=chosen.max_attempts,
        chance=random.random,
        tries_again=chosen.redis_url != INLINE,
        pause=lambda: time.sleep(STORE_PAUSE),
    )
    broker: Broker = (
        InlineBroker(lambda tickets: run(tickets, owner.id()))
        if chosen.redis_url == INLINE
        else RqBroker(redis_url(chosen), store.identity())
    )
    return Runtime(
        settings=chosen,
        telemetry=telemetry,
        types=types,
        store=store,
        broker=broker,
        owner=owner,
        submit=Submit(
            store=store,
            broker=broker,
            telemetry=telemetry,
            now=now,
            max_batch=chosen.max_batch,
            max_waiting=chosen.max_waiting,
            max_pushed=chosen.max_pushed,
        ),
        ask=Ask(store=store),
        list=Listing(store=store),
        wait=Wait(store, chosen.max_waits),
        cancel=Cancel(store=store, broker=broker, telemetry=telemetry, now=now),
        reopen=Reopen(store=store, telemetry=telemetry),
        dead_letters=DeadLetters(store=store, telemetry=telemetry, now=now),
        pause=Pause(store=store, telemetry=telemetry, now=now),
        run=run,
    )


def require_own_redis(chosen: Settings, store: Store) -> None:
    """Do nothing if Redis carries the tickets of no other database; one that is away is looked at when it is back.

    An embedded Valkey is the data directory's own, and may not have been started yet.

    Raises:
        BrokerOfAnother: it does.
    """
    if chosen.embedded or chosen.redis_url == INLINE:
        return
    try:
        with closing(RqBroker(redis_url(chosen), store.identity())) as broker:
            broker.require_ours()
    except BrokerOfAnother:
        raise
    except BrokerAway:
        return


def open_store(chosen: Settings, *, migrate: bool = False) -> Store:
    """Return the store.

    Raises:
        DataDirUnusable: nothing can be written in the data directory.
        SchemaOutdated: the database is of another version, and `migrate` is not asked for.
        StoreAway: the database is locked.
    """
    data_dir.prepare(chosen.data_dir)
    database = Database(chosen.database)
    if migrate:
        migrations.upgrade(database)
    migrations.require_current(database)
    return Store(database)


def load_types(chosen: Settings, telemetry: Telemetry | None = None) -> TaskTypes:
    """Return the task types that come with the package and the user's own.

    Raises:
        BadTaskType: something of the user's cannot be imported, or declares what cannot be used.
    """
    types = TaskTypes(builtin_types(chosen.max_valor))
    own_types.load(types, chosen.tasks, telemetry or Telemetry())
    return types


def redis_url(chosen: Settings) -> str:
    """Return the URL of Redis: the one that is set, or the embedded one's, whether it runs or not."""
    return chosen.redis_url or valkey.url(chosen.data_dir)
