"""Ticks: what schedules send, once for each tick, whatever the number of sweepers. The rows are set back in time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from queue_tool.errors import BadTaskType
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.payloads.schedules import ScheduleBody
from queue_tool.model.queues import Priority
from queue_tool.model.schedule import PausedBy, Schedule, ScheduleStatus, Tick, TickCause, TickResult
from queue_tool.model.states import State
from queue_tool.model.task_types import TaskType, make_task_type
from queue_tool.runtime import Runtime
from queue_tool.services.declared_schedules import DeclaredSchedules
from queue_tool.services.sweep.ticks import Ticks
from queue_tool.store.ticks import KEPT
from tests.conftest import News
from tests.past_the_store import opened, rows
from tests.support import now

HOUR = 3600


def mirror(data: object) -> object:
    return data


Declare = Callable[..., str | None]


@dataclass
class World:
    """Schedules, and a sweeper that makes their ticks."""

    runtime: Runtime

    def make(self, **body: Any) -> str:
        wanted: dict[str, Any] = {"task_type": "echo", "data": 1} | body
        return self.runtime.schedules.make(ScheduleBody(**wanted)).id

    def set_back(self, seconds: float) -> None:
        """Let all schedules have been made, and be due, so much earlier."""
        with opened(self.runtime.store.database.url) as connection:
            for column in ("created_at", "next_at", "last_at", "declared_at"):
                connection.execute(f"UPDATE schedules SET {column} = {column} - {int(seconds * 1e6)}")

    def sweeper(self, ahead: timedelta = timedelta()) -> Ticks:
        clock = Clock(now=lambda: now() + ahead, monotonic=self.runtime.clock.monotonic)
        return Ticks(ticking=self.runtime.schedules.ticking, clock=clock)

    def sweep(self) -> None:
        self.sweeper()()

    def get(self, schedule: str) -> Schedule:
        return self.runtime.schedules.get(schedule)

    def ticks(self, schedule: str) -> list[Tick]:
        """Return the ticks, the oldest first."""
        return [*reversed(self.runtime.schedules.ticks(schedule, 1000).items)]

    def results(self, schedule: str) -> list[tuple[str, str]]:
        return [(tick.cause.value, tick.result.value) for tick in self.ticks(schedule)]

    def finish(self, token: str) -> None:
        self.runtime.runner([(token, 1)], self.runtime.owner.id())


@pytest.fixture
def world(runtime: Runtime) -> World:
    return World(runtime)


def test_a_tick_sends_a_task_and_pushes_its_ticket(world: World, news: News) -> None:
    schedule = world.make(every=HOUR, name="report", tags=["mine"], priority=Priority.HIGH)
    world.sweep()
    assert world.ticks(schedule) == []
    first = world.get(schedule).next_at
    world.set_back(HOUR)
    world.sweep()
    (tick,) = world.ticks(schedule)
    assert (tick.number, tick.cause, tick.result, tick.batch) == (1, TickCause.DUE, TickResult.SENT, None)
    assert tick.at + timedelta(hours=1) == first == world.get(schedule).next_at
    details = world.runtime.ask.details(tick.token or "")
    assert (details.state, details.name, details.priority.value) == (State.QUEUED, "report", "high")
    assert details.tags == ("mine", f"schedule:{schedule}")
    assert tick.token in world.runtime.broker.queued()
    (heard,) = news.of(events.Ticked)
    assert (heard.schedule, heard.token, heard.task_type, heard.tasks) == (schedule, tick.token, details.task_type, 1)
    world.sweep()
    assert len(world.ticks(schedule)) == 1


def test_a_tick_sends_a_batch_whose_metadata_name_the_schedule(world: World) -> None:
    schedule = world.make(every=HOUR, name="import", data={}, task_type="echo")
    world.runtime.schedules.change(
        schedule, ScheduleBody(task_type="echo", elements=[1, {"a": None}, "x"], every=HOUR, name="import")
    )
    world.set_back(HOUR)
    world.sweep()
    (tick,) = world.ticks(schedule)
    batch = world.runtime.ask.batch(tick.batch or "")
    assert (batch.label.name, batch.label.metadata, batch.total) == ("import", {"schedule": schedule}, 3)
    assert len(world.runtime.broker.queued()) == 3
    assert rows(world.runtime.store.database.url, "SELECT data FROM tasks ORDER BY id") == [
        ("1",),
        ('{"a":null}',),
        ('"x"',),
    ]


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("none", [("late", "missed")]),
        ("once", [("late", "missed"), ("late", "sent")]),
        ("all", [("late", "sent")] * 4),
    ],
)
def test_missed_ticks_are_caught_up_as_the_schedule_says(
    world: World, catch_up: str, expected: list[tuple[str, str]]
) -> None:
    schedule = world.make(every=HOUR, catch_up=catch_up)
    world.set_back(4.5 * HOUR)
    world.sweep()
    assert world.results(schedule) == expected
    ats = [tick.at for tick in world.ticks(schedule)]
    assert ats == sorted(set(ats))
    assert timedelta(0) < (world.get(schedule).next_at or now()) - now() < timedelta(hours=1)


def test_the_last_hundred_missed_ticks_are_caught_up_at_most_and_the_last_hundred_ticks_are_kept(world: World) -> None:
    schedule = world.make(cron="* * * * *", catch_up="all")
    world.set_back(5 * HOUR)
    world.sweep()
    world.sweep()
    sent = rows(world.runtime.store.database.url, "SELECT count(*) FROM tasks")[0][0]
    assert 100 <= sent <= 102  # those that were due in the last minute are not missed
    found = world.ticks(schedule)
    assert len(found) == KEPT
    assert [tick.number for tick in found] == list(range(found[0].number, found[0].number + KEPT))
    assert world.get(schedule).ticks == sent + 1  # the others are one tick, which is missed


def test_with_skip_a_tick_sends_nothing_until_the_task_before_is_finished(world: World) -> None:
    schedule = world.make(every=HOUR, overlap="skip")
    for _ in range(2):
        world.set_back(HOUR)
        world.sweep()
    assert world.results(schedule) == [("due", "sent"), ("due", "skipped")]
    manual = world.runtime.schedules.run(schedule)
    assert (manual.cause, manual.result) == (TickCause.REQUEST, TickResult.SENT)
    world.finish(manual.token or "")
    world.set_back(HOUR)
    world.sweep()
    assert world.results(schedule)[2:] == [("request", "sent"), ("due", "sent")]


def test_with_skip_a_batch_counts_until_all_of_it_is_finished(world: World) -> None:
    schedule = world.make(every=HOUR, overlap="skip", data={})
    world.runtime.schedules.change(
        schedule, ScheduleBody(task_type="echo", elements=[1, 2], every=HOUR, overlap="skip")
    )
    world.set_back(HOUR)
    world.sweep()
    first, second = rows(world.runtime.store.database.url, "SELECT token FROM tasks ORDER BY id")
    for token, expected in ((first[0], "skipped"), (second[0], "sent")):
        world.finish(token)
        world.set_back(HOUR)
        world.sweep()
        assert world.ticks(schedule)[-1].result.value == expected


def test_jitter_delays_the_task_and_not_the_tick(world: World) -> None:
    schedule = world.make(every=HOUR, jitter=600)
    world.set_back(HOUR)
    world.sweep()
    (tick,) = world.ticks(schedule)
    details = world.runtime.ask.details(tick.token or "")
    delay = world.get(schedule).delay(tick.at)
    assert details.due_at == tick.at + delay
    assert timedelta(0) <= delay < timedelta(seconds=600)


def test_no_tick_is_before_the_start_or_after_the_end(world: World) -> None:
    begin = now() + timedelta(hours=1)
    schedule = world.make(every=60, start=begin.isoformat(), end=(begin + timedelta(seconds=130)).isoformat())
    assert world.get(schedule).upcoming(10) == [begin + timedelta(seconds=step * 60) for step in range(3)]
    found = replace(world.get(schedule).rhythm, end=None)
    assert found.next(begin, begin) == begin + timedelta(seconds=60)
    ended = world.make(every=HOUR, end=(now() + timedelta(hours=1.5)).isoformat())
    with opened(world.runtime.store.database.url) as connection:
        connection.execute(f"UPDATE schedules SET end_at = end_at - {HOUR * 1_000_000}")
    world.set_back(HOUR)
    world.sweep()
    assert world.results(ended) == [("due", "sent")]
    assert (world.get(ended).status, world.get(ended).next_at) == (ScheduleStatus.ENDED, None)


def test_data_that_the_type_does_not_take_any_more_is_refused_with_the_reason(world: World, news: News) -> None:
    kind = make_task_type("narrow", mirror)
    world.runtime.types.add(kind)
    schedule = world.make(every=HOUR, task_type="narrow", data=1)
    world.runtime.types.add(replace(kind, schema=make_task_type("narrow", mirror, schema={"type": "string"}).schema))
    world.set_back(HOUR)
    world.sweep()
    (tick,) = world.ticks(schedule)
    assert (tick.result, tick.token) == (TickResult.REFUSED, None)
    assert tick.error == "/data: 1 is not of type 'string'"
    assert [each.reason for each in news.of(events.TickRefused)] == [tick.error]


def test_a_sweeper_that_does_not_know_the_type_sends_its_tasks_all_the_same(world: World) -> None:
    world.runtime.types.add(make_task_type("far_away", mirror, priority="low", isolated=True))
    schedule = world.make(every=HOUR, task_type="far_away", data={"a": 1})
    del world.runtime.types._types["far_away"]
    world.set_back(HOUR)
    world.sweep()
    (tick,) = world.ticks(schedule)
    found = rows(world.runtime.store.database.url, "SELECT task_type, priority, lane, data, token FROM tasks")
    assert found == [("far_away", "low", "isolated", '{"a":1}', tick.token)]


def test_of_several_sweepers_one_makes_each_tick(world: World, threads: ThreadPoolExecutor) -> None:
    """Their clocks differ by hours, which matters on SQLite only: there they stand for one that jumps."""
    them = [world.make(cron="* * * * *", catch_up="all") for _ in range(5)]
    world.set_back(600)
    sweepers = [world.sweeper(timedelta(minutes=minutes)) for minutes in (-20, 0, 20)]
    for sweep in [threads.submit(sweeper) for _ in range(4) for sweeper in sweepers]:
        sweep.result()
    sent = [tick for schedule in them for tick in world.ticks(schedule)]
    for schedule in them:
        ats = [tick.at for tick in world.ticks(schedule)]
        assert len(ats) >= 10
        assert ats == [ats[0] + step * timedelta(minutes=1) for step in range(len(ats))]
    assert {tick.result for tick in sent} == {TickResult.SENT}
    tokens = [row[0] for row in rows(world.runtime.store.database.url, "SELECT token FROM tasks")]
    assert sorted(tokens) == sorted(str(tick.token) for tick in sent)


def test_a_schedule_that_was_changed_meanwhile_makes_no_tick_of_the_old_one(world: World) -> None:
    schedule = world.make(every=HOUR)
    world.set_back(HOUR)
    time, (old,) = world.runtime.store.ticks.due(now(), 9)
    world.runtime.schedules.change(schedule, ScheduleBody(task_type="echo", data=2, every=HOUR))
    world.set_back(HOUR)
    world.sweeper()._make(old, time)
    assert world.ticks(schedule) == []
    world.sweep()
    assert [tick.result for tick in world.ticks(schedule)] == [TickResult.SENT]


def test_a_paused_schedule_has_no_ticks_and_loses_those_of_the_pause(world: World) -> None:
    schedule = world.make(every=HOUR)
    world.runtime.schedules.pause(schedule)
    world.set_back(3 * HOUR)
    world.sweep()
    assert (world.ticks(schedule), world.get(schedule).status) == ([], ScheduleStatus.PAUSED)
    assert world.runtime.schedules.run(schedule).result is TickResult.SENT
    world.runtime.schedules.resume(schedule)
    world.sweep()
    assert world.results(schedule) == [("request", "sent")]
    assert (world.get(schedule).next_at or now()) > now()


# -- in code -----------------------------------------------------------------------------------------------


def kind_with(schedule: object, name: str = "cleanup", **options: Any) -> TaskType:
    return make_task_type(name, mirror, schedule=schedule, **options)  # type: ignore[arg-type] # also wrong ones


@pytest.fixture
def declare(world: World, news: News) -> Declare:
    """Start a process whose code declares schedules; return what that changed."""

    def start(*kinds: TaskType, judges: bool = True) -> str | None:
        runtime = world.runtime
        before = len(news.of(events.ScheduleDeclared))
        DeclaredSchedules(kinds, runtime.store, runtime.telemetry, runtime.clock, judges=judges).declare()
        changes = news.of(events.ScheduleDeclared)[before:]
        return changes[0].change if changes else None

    return start


def only(world: World) -> Schedule:
    (found,) = world.runtime.schedules().items
    assert isinstance(found, Schedule)
    return found


def test_in_a_rolling_deploy_the_higher_version_wins(world: World, declare: Declare) -> None:
    old = kind_with({"every": HOUR, "version": 1, "data": {"n": 1}})
    new = kind_with({"every": 60, "version": 2, "data": {"n": 2}})
    assert [declare(kind) for kind in (old, old, new, old, new, old)] == ["made", None, "changed", None, None, None]
    found = only(world)
    assert (found.rhythm.every, found.work.data, found.declared and found.declared.version) == (60, {"n": 2}, 2)
    assert declare(kind_with({"every": 90, "version": 2})) == "changed"  # of one version the last start wins


def test_processes_that_start_at_once_make_one_schedule(
    world: World, declare: Declare, threads: ThreadPoolExecutor
) -> None:
    kinds = [kind_with({"cron": "@daily", "version": version}) for version in range(6)]
    for done in [threads.submit(declare, kind) for kind in kinds]:
        done.result()
    found = only(world)
    assert found.declared is not None
    assert (found.declared.version, found.work.name) == (5, "cleanup")


def test_a_schedule_that_no_process_has_declared_for_a_day_is_paused_until_one_does(
    world: World, declare: Declare
) -> None:
    kind = kind_with("@hourly")
    declare(kind)
    world.set_back(23.5 * HOUR)
    world.sweep()
    assert only(world).status is ScheduleStatus.ACTIVE
    world.runtime.store.declared_schedules.refresh(["cleanup"], now())
    world.set_back(23.5 * HOUR)
    world.sweep()
    assert only(world).status is ScheduleStatus.ACTIVE
    world.set_back(HOUR)
    world.sweep()
    assert (only(world).status, only(world).paused_by) == (ScheduleStatus.PAUSED, PausedBy.SWEEPER)
    assert declare(kind) == "resumed"
    assert (only(world).status, only(world).paused_by) == (ScheduleStatus.ACTIVE, None)


def test_a_schedule_in_code_that_a_request_has_paused_stays_paused(world: World, declare: Declare) -> None:
    declare(kind_with("@hourly"))
    world.runtime.schedules.pause(only(world).id)
    assert declare(kind_with({"cron": "@daily", "version": 1})) == "changed"
    found = only(world)
    assert (found.status, found.rhythm.cron, found.next_at) == (ScheduleStatus.PAUSED, "@daily", None)


def test_a_bad_schedule_in_code_stops_the_start_with_one_sentence(world: World, declare: Declare) -> None:
    for wrong, sentence in (
        ("* * *", "has 3 fields"),
        (5, "has the schedule 5: write a text"),
        ({"cron": "@daily", "when": 1}, "unknown field `when`"),
        ({"cron": "@daily", "version": "1"}, "version must be a whole number"),
        ({}, "either cron or every"),
    ):
        with pytest.raises(BadTaskType, match=sentence):
            kind_with(wrong)
    wrong_data = kind_with({"cron": "@daily", "data": 1}, schema={"type": "string"})
    with pytest.raises(BadTaskType, match="'cleanup' sends a bad task: /data: 1 is not of type 'string'"):
        declare(wrong_data)
    assert declare(wrong_data, judges=False) == "made"  # a worker does not check it


def test_a_process_without_schedules_in_code_keeps_none(runtime: Runtime) -> None:
    assert runtime.declared is None
    assert runtime.schedules().items == []
