"""Due: what the sweeper does when a time has come: delayed tasks, expired tasks, retention."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from queue_tool.errors import BatchNotFound, TaskNotFound
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.new_task import Accepted, Options
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Code, Move, State
from queue_tool.model.task import Timing
from queue_tool.runtime import Runtime
from queue_tool.services.sweep.due import SCAN_EVERY, Due
from tests.conftest import News
from tests.past_the_store import rows
from tests.runs import claim_runs, settle_runs

GOOD = {"item": "a", "valor": 0}
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class World:
    """A store with a clock that the test sets."""

    def __init__(self, runtime: Runtime, retention: timedelta | None = 30 * DAY) -> None:
        self.runtime = runtime
        self.now = NOW + timedelta(seconds=1)
        self.seconds = 0.0
        self.due = Due(
            store=runtime.store,
            telemetry=runtime.telemetry,
            clock=Clock(now=lambda: self.now, monotonic=lambda: self.seconds),
            retention=retention,
        )

    def wait(self, time: timedelta) -> None:
        self.now += time
        self.seconds += time.total_seconds()

    def send(self, count: int = 1, **timing: datetime) -> list[str]:
        elements = self.runtime.submit(
            [GOOD] * count, self.runtime.of_type("sleep", Options(timing=Timing(**timing)))
        ).elements
        return [element.token for element in elements if isinstance(element, Accepted)]

    def state(self, token: str) -> State:
        return self.runtime.ask.task(token).state

    def end(self, *tokens: str, code: Code | None = None) -> None:
        """Claim and settle tasks now."""
        claim_runs(self.runtime.store, [(token, 1) for token in tokens], 1, self.now)
        move = Move.FAIL if code else Move.FINISH
        outcomes = [Outcome(token=token, run=1, move=move, result="null", code=code) for token in tokens]
        settle_runs(self.runtime.store, outcomes, 1, self.now)


@pytest.fixture
def world(runtime: Runtime) -> World:
    return World(runtime)


def test_a_delayed_task_stays_in_the_database_until_its_time(world: World) -> None:
    (token,) = world.send(due_at=NOW + HOUR)
    assert world.state(token) is State.SCHEDULED
    assert world.runtime.broker.queued() == set()
    world.wait(HOUR / 2)
    world.due()
    assert world.state(token) is State.SCHEDULED
    world.wait(HOUR / 2)
    world.due()
    assert world.state(token) is State.QUEUED
    assert [ticket.id for ticket in world.runtime.store.tickets.unpushed("default", 9)] == [token]


def test_a_due_time_in_the_past_is_no_delay(world: World) -> None:
    (token,) = world.send(due_at=NOW - HOUR)
    assert world.state(token) is State.QUEUED
    assert world.runtime.broker.queued() == {token}


def test_one_call_queues_thousands_of_due_tasks(world: World) -> None:
    tokens = world.send(2500, due_at=NOW + HOUR)
    world.wait(HOUR)
    world.due()
    states = world.runtime.store.tasks.states(tokens)
    assert len(states) == len(tokens)
    assert set(states.values()) == {State.QUEUED}


def test_a_task_that_has_not_started_in_time_expires_and_its_batch_finishes(world: World, news: News) -> None:
    (queued,), (scheduled,) = world.send(expires_at=NOW + HOUR), world.send(due_at=NOW + DAY, expires_at=NOW + HOUR)
    world.due()
    assert world.state(queued) is State.QUEUED
    world.wait(HOUR)
    world.due()
    for token in (queued, scheduled):
        task = world.runtime.ask.task(token)
        assert (task.state, task.code, task.started_at) == (State.FAILED, Code.EXPIRED, None)
        assert world.runtime.ask.batch(task.batch or "").finished_at is not None
    assert len(news.of(events.BatchFinished)) == 2


def test_an_expired_task_cannot_start_even_before_a_sweeper_has_seen_it(world: World) -> None:
    (token,) = world.send(expires_at=NOW + HOUR)
    assert claim_runs(world.runtime.store, [(token, 1)], 1, NOW + HOUR) == []


def test_a_task_that_started_in_time_does_not_expire_after_a_put_back(world: World) -> None:
    (token,) = world.send(expires_at=NOW + HOUR)
    claim_runs(world.runtime.store, [(token, 1)], 1, NOW)
    settle_runs(world.runtime.store, [Outcome(token=token, run=1, move=Move.PUT_BACK)], 1, NOW)
    world.wait(DAY)
    world.due()
    assert world.state(token) is State.QUEUED
    assert claim_runs(world.runtime.store, [(token, 2)], 1, world.now)


# -- retention ---------------------------------------------------------------------------------------------


def test_tasks_past_their_retention_are_removed_and_the_counts_still_add_up(world: World, news: News) -> None:
    old, new, waiting = world.send(3)
    batch = world.runtime.ask.task(old).batch or ""
    world.end(old, code=Code.ERROR)
    world.wait(20 * DAY)
    world.end(new)
    world.wait(11 * DAY)
    world.due()
    assert world.state(old) is State.FAILED  # while its batch has not ended, it stays
    world.end(waiting)
    world.due()  # it finds the end of the walk
    world.wait(timedelta(seconds=SCAN_EVERY))
    world.due()
    with pytest.raises(TaskNotFound):
        world.runtime.ask.task(old)
    assert rows(world.runtime.store.database.url, "SELECT token FROM attempts") == []
    assert (world.state(new), world.state(waiting)) == (State.FINISHED, State.FINISHED)
    left = world.runtime.ask.batch(batch)
    assert left.total == sum(left.counts.values()) + left.rejected == 2
    assert news.of(events.SweptOld) == [events.SweptOld(tasks=1)]


def test_a_batch_without_remaining_tasks_is_removed_too(world: World) -> None:
    mixed = world.runtime.submit([GOOD, None], world.runtime.of_type("sleep"))
    refused = world.runtime.submit([None], world.runtime.of_type("sleep"))
    world.end(*[element.token for element in mixed.elements if isinstance(element, Accepted)])
    world.wait(31 * DAY)
    world.due()  # the walk needs one more call to find that there are no further pages
    world.due()
    for batch in (mixed.batch, refused.batch):
        with pytest.raises(BatchNotFound):
            world.runtime.ask.batch(batch or "")


def test_a_walk_goes_in_steps_and_starts_again_after_a_while(world: World) -> None:
    tokens = world.send(2500)
    world.end(*tokens)
    world.wait(31 * DAY)
    left: Callable[[], int] = lambda: len(world.runtime.store.tasks.states(tokens))  # noqa: E731 - a short query for this test only
    seen = []
    for _ in range(4):
        world.due()
        seen.append(left())
    assert seen == [1500, 500, 0, 0]
    (late,) = world.send()
    world.end(late)
    world.now += 31 * DAY
    world.due()
    assert world.state(late) is State.FINISHED
    world.seconds += SCAN_EVERY
    world.due()
    with pytest.raises(TaskNotFound):
        world.runtime.ask.task(late)


def test_without_retention_everything_is_kept(runtime: Runtime) -> None:
    world = World(runtime, retention=None)
    (token,) = world.send()
    world.end(token)
    world.wait(10_000 * DAY)
    world.due()
    assert world.state(token) is State.FINISHED
