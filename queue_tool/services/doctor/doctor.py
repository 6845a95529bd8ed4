"""The doctor: all checks in their order. A check that needs what an earlier one has found missing is left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from queue_tool.broker import Broker, InlineBroker, RqBroker
from queue_tool.broker.report import report
from queue_tool.errors import (
    AmqpAway,
    BadSetting,
    BadTaskType,
    BrokerAway,
    DriverMissing,
    FailureKind,
    QueueToolError,
    StoreAway,
)
from queue_tool.host import valkey
from queue_tool.model.clock import Clock
from queue_tool.model.settings import INLINE, Settings
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.doctor.access import AccessCheck
from queue_tool.services.doctor.clocks import ClocksCheck
from queue_tool.services.doctor.data_directory import DataDirectoryCheck
from queue_tool.services.doctor.database import DatabaseCheck, SchemaCheck, WritingCheck
from queue_tool.services.doctor.disk import DiskCheck
from queue_tool.services.doctor.embedded import EmbeddedCheck
from queue_tool.services.doctor.finding import Check, Finding, Level
from queue_tool.services.doctor.open_files import OpenFilesCheck
from queue_tool.services.doctor.processes import ProcessesCheck
from queue_tool.services.doctor.queues import QueuesCheck
from queue_tool.services.doctor.rabbitmq import RabbitCheck
from queue_tool.services.doctor.redis import MemoryCheck, OwnerCheck, RedisCheck
from queue_tool.services.doctor.settings import SettingsCheck
from queue_tool.services.doctor.task_types import TaskTypesCheck
from queue_tool.services.keys import Keys
from queue_tool.services.measures.gauges import Gauges
from queue_tool.services.owner import lives_here
from queue_tool.services.ready import Ready
from queue_tool.store import Store
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.report import can_be_read


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Looks at a system, whether it runs or not."""

    settings: Settings
    errors: Sequence[BadSetting]  # of the settings that cannot be used
    unknown: Sequence[str]  # names that look like settings
    load_types: Callable[[], Collection[str]]  # returns the names of the task types, or raises BadTaskType
    redis_url: Callable[[], str]  # returns the URL of Redis, or raises DataDirUnusable
    clock: Clock

    def __call__(self) -> Iterator[Finding]:
        """Iterate over what the checks find. Each one looks when its finding is asked for."""
        for check in self._of_this_host():
            yield from _findings(check)
        try:
            store = Store(Database(self.settings.database))
        except DriverMissing as error:
            yield _of_error("database", error)
            return
        with closing(store):
            yield from self._of_system(store)

    def _of_this_host(self) -> Sequence[Check]:
        path = self.settings.data_dir
        return (
            SettingsCheck(errors=self.errors, unknown=self.unknown),
            TaskTypesCheck(load=self.load_types),
            DataDirectoryCheck(path=path),
            DiskCheck(path=path),
            OpenFilesCheck(concurrency=self.settings.concurrency),
        )

    def _of_system(self, store: Store) -> Iterator[Finding]:
        is_usable = yield from self._of_database(store)
        yield from self._of_redis(store, store.identity() if is_usable else None)
        if self.settings.amqp_url is not None:
            yield from _findings(RabbitCheck(url=self.settings.amqp_url, queues=self.settings.amqp_queue))
        if is_usable:
            for check in self._of_work(store):
                yield from _findings(check)

    def _of_database(self, store: Store) -> Generator[Finding, None, bool]:
        """Look at the database. Return whether its tables can be read."""
        if not (yield from _findings(DatabaseCheck(database=store.database))) or not can_be_read(store.database):
            return False
        if not (yield from _findings(SchemaCheck(database=store.database))):
            return False
        yield from _findings(ClocksCheck(store=store, clock=self.clock))
        return True

    def _of_redis(self, store: Store, identity: str | None) -> Iterator[Finding]:
        """Look at Redis, and try both. `identity` is that of the database; None: its tables cannot be read."""
        try:
            url = self.redis_url()
        except QueueToolError as error:
            yield _of_error("Redis", error)
            return
        broker: Broker = InlineBroker(lambda _: None) if url == INLINE else RqBroker(url, identity or "")
        with closing(broker):
            ready = Ready(store, broker, Telemetry(), self.clock)
            if identity is not None:
                yield from _findings(WritingCheck(attempt=ready.try_database))
            if url == INLINE:
                yield Finding(check="Redis", level=Level.OK, found="None: tasks run in the request that sends them")
            elif self.settings.embedded and not valkey.answers(self.settings.data_dir):
                yield from _findings(EmbeddedCheck(data_dir=self.settings.data_dir))
            else:
                yield from self._of_server(url, ready, identity)

    def _of_server(self, url: str, ready: Ready, identity: str | None) -> Iterator[Finding]:
        try:
            found = report(url)
        except BrokerAway as error:
            yield _of_error("Redis", error)
            return
        yield from _findings(RedisCheck(url=url, attempt=ready.try_redis, report=found))
        if identity is not None:
            yield from _findings(OwnerCheck(report=found, identity=identity))
        yield from _findings(MemoryCheck(report=found))

    def _of_work(self, store: Store) -> Sequence[Check]:
        now = self.clock.now()
        return (
            ProcessesCheck(gauges=Gauges(store=store, lives_here=lives_here), now=now),
            QueuesCheck(store=store, now=now),
            AccessCheck(
                keys=Keys(store=store, clock=self.clock),
                auth=self.settings.auth,
                host=self.settings.host,
                port=self.settings.port,
            ),
        )


def _findings(check: Check) -> Generator[Finding, None, bool]:
    """Iterate over what a check finds. Return whether nothing of it is wrong."""
    is_well = True
    try:
        for finding in check():
            is_well = is_well and finding.level is not Level.WRONG
            yield finding
    except QueueToolError as error:
        yield _of_error(check.name, error)
        return False
    return is_well


def _of_error(check: str, error: QueueToolError) -> Finding:
    remedy = _REMEDIES.get(type(error)) if getattr(error, "kind", FailureKind.AWAY) is FailureKind.AWAY else None
    return Finding(check=check, level=Level.WRONG, found=error.for_operator.rstrip("."), remedy=remedy)


_REMEDIES: Mapping[type[QueueToolError], str] = {
    AmqpAway: "see that it runs, and that QUEUE_TOOL_AMQP_URL is its address",
    BadTaskType: "correct this, because no process can start before",
    BrokerAway: "see that it runs, and that QUEUE_TOOL_REDIS_URL is its address",
    StoreAway: "see that it runs and QUEUE_TOOL_DATABASE_URL is its address; of a file, that this user may write it",
}
"""What to do about errors whose sentence does not say it."""
