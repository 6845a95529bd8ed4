"""Supervisors: what a request has set is kept, one process at a time is the supervisor of a host, and the rule acts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from queue_tool.errors import HostNotFound, NoSupervisor, SeveralSupervisors
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.scale import Scale
from queue_tool.model.scaling_rule import Load
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.own_scale import BEAT_EVERY, RULE_EVERY, OwnScale
from queue_tool.services.scaling import SILENT_AFTER, Scaling
from queue_tool.store import Process, Store
from queue_tool.store.engine.database import Database
from queue_tool.store.supervisor_tables import supervisors
from queue_tool.store.supervisors import KIND
from tests.conftest import News

FIRST = Scale(minimum=1, maximum=8, wanted=2, automatic=False)
IDLE = Load(oldest=0.0, busy=0.0)


def process(host: str, pid: int = 1, machine: str = "this") -> Process:
    return Process(kind=KIND, host=host, machine=machine, pid=pid, pid_started="1")


@dataclass
class World:
    """A database, a clock that the test sets, and processes that the test declares dead."""

    store: Store
    news: News
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 100.0
    dead: set[int] = field(default_factory=set)
    load: Load = IDLE

    def lives_here(self, process: Process) -> bool | None:
        return None if process.machine != "this" else process.pid not in self.dead

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, monotonic=lambda: self.seconds)

    def supervisor(self, of: Process, first: Scale = FIRST, settings: str = "{}") -> OwnScale:
        def load(_: Collection[int]) -> Load:
            return self.load

        return OwnScale(
            store=self.store,
            telemetry=Telemetry(self.news),
            clock=self.clock(),
            lives_here=self.lives_here,
            load=load,
            process=of,
            first=first,
            settings=settings,
        )

    @property
    def scaling(self) -> Scaling:
        return Scaling(store=self.store, telemetry=Telemetry(self.news), clock=self.clock(), lives_here=self.lives_here)


@pytest.fixture
def world(migrated_url: str, news: News) -> Iterator[World]:
    made = World(Store(Database(migrated_url)), news)
    yield made
    made.store.close()


def test_what_a_request_has_set_is_read_and_kept_until_the_settings_change(world: World) -> None:
    own = world.supervisor(process("a"))
    assert own.enter() == 2
    changed = world.scaling.change(None, lambda scale: scale.more(3), by="ana")
    assert (changed.scale.wanted, changed.host) == (5, "a")
    assert [(event.wanted, event.by) for event in world.news.of(events.WorkersChanged)] == [(5, "ana")]
    assert own.look([11, 12], 0) == 5
    (seen,) = world.scaling()
    assert (seen.running, seen.draining) == (2, 0)
    own.leave()
    assert own.look([11, 12], 0) is None
    with pytest.raises(NoSupervisor):
        world.scaling.change(None, lambda scale: scale.more(1))

    assert world.supervisor(process("a", pid=2)).enter() == 5
    assert [(event.wanted, event.instead_of) for event in world.news.of(events.WorkersKept)] == [(5, 2)]
    world.dead.add(2)
    other = replace(FIRST, wanted=3)
    assert world.supervisor(process("a", pid=3), other, '{"workers":3}').enter() == 3


def test_a_host_is_named_if_there_are_several(world: World) -> None:
    for host in ("b", "a"):
        world.supervisor(process(host)).enter()
    with pytest.raises(SeveralSupervisors, match="They are a, b"):
        world.scaling.change(None, lambda scale: scale.more(1))
    with pytest.raises(HostNotFound, match="run on a, b"):
        world.scaling.change("c", lambda scale: scale.more(1))
    with pytest.raises(HostNotFound):
        world.store.supervisors.change("c", lambda scale: scale.more(1))
    assert world.scaling.change("a", lambda scale: scale.fewer(1)).scale.wanted == 1
    assert [each.scale.wanted for each in world.scaling()] == [1, 2]


@pytest.mark.parametrize("machine", ["this", "another"])
def test_one_process_at_a_time_is_the_supervisor_of_a_host(world: World, storage: str, machine: str) -> None:
    first, second = world.supervisor(process("a", machine=machine)), world.supervisor(process("a", pid=2))
    assert first.enter() == 2
    world.scaling.change("a", lambda scale: scale.more(1))
    assert second.enter() == 2
    assert second.look([], 0) is None  # it is not asked again before the next beat
    assert len(world.news.of(events.Warned)) == 1
    world.dead.add(1)
    world.wait(BEAT_EVERY)
    if machine == "another":
        with world.store.database.write() as connection:  # PostgreSQL judges the silence by its own clock
            past = supervisors.c.beat_at - int((SILENT_AFTER + 1) * 1_000_000)
            connection.execute(update(supervisors).values(beat_at=past))
    assert second.look([], 0) == 3
    assert first.look([11], 0) is None
    assert second.look([12], 1) == 3
    (seen,) = world.scaling()
    assert (seen.process.pid, seen.running, seen.draining) == (2, 1, 1)


def test_a_beat_comes_with_each_change_and_every_ten_seconds_only(world: World) -> None:
    def beat() -> int:
        with world.store.database.read() as connection:
            found: int = connection.execute(select(supervisors.c.beat_at)).scalar_one()
        return found

    own = world.supervisor(process("a"))
    own.enter()
    own.look([1], 0)
    before = beat()
    for _ in range(int(BEAT_EVERY) - 1):
        world.wait(1)
        own.look([1], 0)
    assert beat() == before
    own.look([1], 1)
    changed = beat()
    assert changed > before
    world.wait(BEAT_EVERY)
    own.look([1], 1)
    assert beat() > changed


def test_the_automatic_rule_adds_and_removes_workers_and_says_so(world: World) -> None:
    own = world.supervisor(process("a"), Scale(minimum=1, maximum=3, wanted=1, automatic=True))
    wanted: int | None = own.enter()
    world.load = Load(oldest=9.0, busy=0.9)
    for _ in range(10):
        world.wait(RULE_EVERY)
        wanted = own.look(range(wanted or 0), 0)
    assert wanted == 3
    world.load = IDLE
    for _ in range(30):
        world.wait(RULE_EVERY)
        wanted = own.look(range(wanted or 0), 0)
    assert wanted == 1
    scaled = [(event.before, event.wanted, event.busy) for event in world.news.of(events.WorkersScaled)]
    assert scaled == [(1, 2, 0.9), (2, 3, 0.9), (3, 2, 0.0), (2, 1, 0.0)]
    world.scaling.change("a", lambda scale: scale.changed(automatic=False))
    world.load = Load(oldest=9.0, busy=1.0)
    for _ in range(10):
        world.wait(RULE_EVERY)
        assert own.look([1], 0) == 1


def test_what_a_request_sets_meanwhile_wins_over_the_rule(world: World) -> None:
    me = process("a")
    world.supervisor(me).enter()
    world.scaling.change("a", lambda scale: scale.more(1))
    assert not world.store.supervisors.decide(me, FIRST, 1)
    assert world.store.supervisors.decide(me, replace(FIRST, wanted=3), 4)
    assert not world.store.supervisors.decide(process("a", pid=9), replace(FIRST, wanted=4), 5)
    assert world.scaling()[0].scale.wanted == 4
