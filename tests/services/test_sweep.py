"""Sweep, on a real store and a real Valkey that loses data."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from queue_tool.broker import RqBroker
from queue_tool.broker.stamping import FUNCTION
from queue_tool.errors import StoreAway
from queue_tool.host import senders
from queue_tool.host.clock import CLOCK
from queue_tool.model import events
from queue_tool.model.batch import judge_of, new_batch
from queue_tool.model.clock import Clock
from queue_tool.model.new_task import Accepted
from queue_tool.model.outcome import Outcome
from queue_tool.model.queues import Priority
from queue_tool.model.states import Move, State
from queue_tool.model.task_types import make_task_type
from queue_tool.runtime import Runtime
from queue_tool.services.owner import describe
from queue_tool.services.submit import make_tokens
from queue_tool.services.sweep.sweep import Sweep
from queue_tool.store import AddBatch, AddTask, Process, PushedTickets
from tests.adding import add_to
from tests.conftest import News, RuntimeFactory
from tests.runs import claim_runs, settle_runs
from tests.support import free_port

GOOD = {"item": "a", "valor": 0}
MINUTE = timedelta(minutes=1)


@dataclass
class World:
    """A sweeper with a clock that the test sets, and workers that the test declares dead or alive."""

    runtime: Runtime
    now: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(seconds=1))
    seconds: float = 0.0
    dead: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    sweep: Sweep = field(init=False)

    def __post_init__(self) -> None:
        self.sweep = self.new_sweeper()

    def new_sweeper(self, lives_here: Callable[[Process], bool | None] | None = None) -> Sweep:
        return Sweep(
            store=self.runtime.store,
            broker=self.runtime.broker,
            telemetry=self.runtime.telemetry,
            clock=Clock(now=lambda: self.now, monotonic=lambda: self.seconds),
            lives_here=lives_here or self.lives_here,
            filling=self.runtime.filling,
        )

    def lives_here(self, process: Process) -> bool | None:
        return None if process.kind in self.elsewhere else process.kind not in self.dead

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds

    def worker(self, kind: str) -> int:
        return self.runtime.store.workers.register(describe(kind), self.now)

    def send(self, count: int = 1) -> list[str]:
        elements = self.runtime.submit([GOOD] * count, self.runtime.of_type("sleep")).elements
        return [element.token for element in elements if isinstance(element, Accepted)]


@pytest.fixture
def world(runtime: Runtime) -> World:
    return World(runtime)


def waiting(redis: Redis) -> list[str]:
    return Queue("default", connection=redis).job_ids


def test_a_sweep_without_work_changes_nothing(world: World, redis: Redis, news: News) -> None:
    sent = world.send(3)
    for _ in range(3):
        world.sweep()
        world.wait(31)
    assert waiting(redis) == sent
    assert not [event for event in news.heard if "swept" in event.title]


def test_tickets_that_could_not_be_pushed_are_pushed_when_redis_is_back(
    make_runtime: RuntimeFactory, redis: Redis, valkey_server: str
) -> None:
    away = make_runtime(REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    sent = World(away).send(3)
    World(away).sweep()  # Redis is still unreachable: the sweep does nothing and does not fail
    back = World(make_runtime(REDIS_URL=valkey_server))
    back.sweep()
    assert waiting(redis) == sent
    back.sweep()
    assert waiting(redis) == sent


def test_a_batch_that_is_being_pushed_is_not_pushed_twice(world: World, redis: Redis) -> None:
    tokens = make_tokens(4, world.now)
    store = world.runtime.store
    add_to(store, new_batch([GOOD] * 3, world.runtime.of_type("sleep"), tokens, world.now))
    world.sweep()
    world.wait(19)
    world.sweep()
    assert waiting(redis) == []
    # The web process has pushed only this part.
    world.runtime.broker.push(store.tickets.waiting_in(tokens[0]).tickets[:1])
    world.wait(2)
    world.sweep()
    world.sweep()
    assert waiting(redis) == tokens[1:]


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize(("sender", "elsewhere"), [("lives", False), ("has ended", False), ("has ended", True)])
def test_what_is_being_pushed_is_left_to_its_sender_while_that_lives(
    world: World, redis: Redis, sender: str, elsewhere: bool, single: bool
) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    own = senders.own() if sender == "lives" else senders.number(child.pid)
    judge = world.runtime.of_type("sleep")
    batch = new_batch([GOOD], judge, make_tokens(2, world.now), world.now)
    (task,) = batch.accepted
    added = AddTask(new=task, now=world.now) if single else AddBatch(new=batch)
    other_machine = 1 << senders.PID_BITS if elsewhere else 0
    world.runtime.store.additions.add([added], sender=own ^ other_machine)
    at_once = [task.token] if sender == "has ended" and not elsewhere else []
    for seconds, pushed in ((0, at_once), (19, at_once), (2, [task.token]), (20, [task.token])):
        world.wait(seconds)
        world.sweep()
        assert waiting(redis) == pushed


def test_a_single_task_whose_push_failed_is_not_left_to_its_sender(
    make_runtime: RuntimeFactory, redis: Redis, valkey_server: str
) -> None:
    away = make_runtime(REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    sent = away.submit.single(GOOD, away.of_type("sleep"))
    assert isinstance(sent, Accepted)
    World(make_runtime(REDIS_URL=valkey_server)).sweep()
    assert waiting(redis) == [sent.token]


def test_tasks_submitted_during_the_first_audit_are_not_pushed_twice(world: World, redis: Redis) -> None:
    world.send(2)
    until = world.runtime.store.tickets.pushes_done_until()
    being_pushed = make_tokens(2, world.now)
    add_to(world.runtime.store, new_batch([GOOD], world.runtime.of_type("sleep"), being_pushed, world.now))
    world.send(2)
    # Batches after the one that is being pushed may also be in the middle of their push.
    assert world.runtime.store.tickets.pushes_done_until() == until
    world.sweep()
    assert len(waiting(redis)) == 4


# -- the cap -----------------------------------------------------------------------------------------------


@pytest.fixture
def capped(make_runtime: RuntimeFactory, redis: Redis, valkey_server: str) -> World:
    # A second passes between any two looks at the clock, so that nothing is remembered of a list that was full.
    clock = Clock(now=CLOCK.now, monotonic=itertools.count().__next__)
    return World(make_runtime(REDIS_URL=valkey_server, MAX_PUSHED="5", clock=clock))


def take(redis: Redis, count: int) -> list[str]:
    """Take tickets from Redis, as a worker does; return their tokens."""
    taken: Any = redis.lpop("rq:queue:default", count)
    return [token.decode() for token in taken]


def test_beyond_the_window_tasks_wait_in_line_and_keep_their_order(capped: World, redis: Redis) -> None:
    sent = [*capped.send(4), *capped.send(3)]  # the list has no room for the whole second batch
    assert waiting(redis) == sent[:4]
    sent += capped.send(1)  # the list has room for it, but older tasks wait
    capped.sweep()
    assert waiting(redis) == sent[:4]  # more than half of the window is left
    done = take(redis, 2)
    sent += capped.send(1)
    capped.sweep()
    assert done + waiting(redis) == sent[:7]
    done += take(redis, 5)
    capped.sweep()
    assert done + waiting(redis) == sent
    sent += capped.send(1)  # no task waits anymore, so this one is pushed at once
    assert done + waiting(redis) == sent


def test_a_full_list_does_not_block_another(capped: World, redis: Redis) -> None:
    sent = capped.send(6)
    assert waiting(redis) == sent[:5]
    urgent = make_task_type("urgent", lambda data: data, priority="high")
    capped.runtime.submit([None], judge_of(urgent))
    assert redis.llen("rq:queue:high.threads") == 1


def test_tickets_lost_from_a_full_redis_are_pushed_again_in_order(capped: World, redis: Redis) -> None:
    sent = [*capped.send(4), *capped.send(5)]
    capped.sweep()
    redis.flushall()
    capped.sweep()
    assert waiting(redis) == sent[:4]
    take(redis, 4)
    capped.sweep()
    assert waiting(redis) == sent[4:]


def test_the_cap_also_applies_to_tasks_submitted_while_redis_was_unreachable(
    make_runtime: RuntimeFactory, redis: Redis, valkey_server: str
) -> None:
    redis.flushall()
    away = World(make_runtime(REDIS_URL=f"redis://127.0.0.1:{free_port()}", MAX_PUSHED="5"))
    sent = [*away.send(3), *away.send(4)]
    back = World(make_runtime(REDIS_URL=valkey_server, MAX_PUSHED="5"))
    back.sweep()
    assert waiting(redis) == sent[:3]
    sent += back.send(1)
    done = take(redis, 3)
    back.sweep()
    assert done + waiting(redis) == sent


def test_the_cap_counts_the_tickets_that_are_in_redis_now(capped: World, redis: Redis) -> None:
    done = []
    sent = []
    for _ in range(3):
        sent += capped.send(5)
        done += take(redis, 5)
    assert done == sent


# -- paused queues -----------------------------------------------------------------------------------------


def test_the_audit_skips_a_paused_queue_and_runs_at_once_after_it_is_resumed(world: World, redis: Redis) -> None:
    sent = world.send(3)
    world.sweep()
    world.runtime.pause(Priority.NORMAL)
    # A worker that does not know of the pause takes two tickets. Its claim is refused, and the tickets are lost.
    redis.lpop("rq:queue:default", 2)
    for _ in range(3):
        world.wait(20)
        world.sweep()
    assert waiting(redis) == sent[2:]
    world.runtime.pause.resume(Priority.NORMAL)
    world.wait(1)
    world.sweep()
    assert sorted(waiting(redis)) == sorted(sent)


def test_a_ticket_that_a_stock_rq_worker_cannot_read_is_pushed_again(world: World, redis: Redis) -> None:
    sent = world.send(3)
    world.sweep()
    SimpleWorker(["default"], connection=redis).work(burst=True)  # it expects pickle and fails jobs in JSON
    assert waiting(redis) == []
    world.wait(20)
    world.sweep()
    world.wait(20)
    world.sweep()
    assert waiting(redis) == sent
    job = Job.fetch(sent[0], connection=redis, serializer=JSONSerializer)
    assert (job.get_status().value, job.func_name) == ("queued", FUNCTION)


def test_a_clock_that_was_set_back_does_not_hide_a_loss(world: World, redis: Redis) -> None:
    sent = world.send(2)
    world.sweep()
    world.now -= timedelta(hours=1)
    redis.flushall()
    world.sweep()
    assert waiting(redis) == sent


def test_after_a_wipe_of_redis_every_waiting_ticket_is_pushed_at_once(world: World, redis: Redis, news: News) -> None:
    sent = world.send(1500)
    world.sweep()
    redis.flushall()
    world.wait(1)
    world.sweep()
    assert waiting(redis) == sent
    assert news.of(events.SweptMissing) == [events.SweptMissing(tickets=1500)]


def test_what_a_worker_holds_after_its_end_is_removed_when_redis_may_have_lost_the_removal(
    world: World, redis: Redis
) -> None:
    ended, running, waits = world.send(3)
    owner = world.worker("worker")
    claim_runs(world.runtime.store, [(ended, 1), (running, 1)], owner, world.now)
    settle_runs(world.runtime.store, [Outcome(token=ended, run=1, move=Move.FINISH, result="null")], owner, world.now)
    entries = {f"{token}:execution": float("inf") for token in (ended, running, waits, "job-of-another-program")}
    redis.zadd("rq:wip:default", entries)
    redis.hset(f"rq:job:{ended}", "status", "started")
    redis.set(f"rq:execution:{ended}:execution", "")
    world.sweep()  # at its start the sweeper distrusts Redis, as after a restart of it
    assert redis.zcard("rq:wip:default") == 4  # a worker may be about to remove it
    world.wait(6)
    world.sweep()
    found: Any = redis.zrange("rq:wip:default", 0, -1)
    left = {entry.decode() for entry in found}
    assert left == entries.keys() - {f"{ended}:execution"}
    assert not [*redis.scan_iter(f"*{ended}*")]


def test_a_single_lost_ticket_is_pushed_again_after_two_audits(world: World, redis: Redis) -> None:
    lost, kept = world.send(2)
    for _ in range(2):  # at its start the sweeper distrusts Redis until the second audit
        world.sweep()
        world.wait(6)
    Queue("default", connection=redis).remove(lost)
    world.wait(16)
    world.sweep()
    assert waiting(redis) == [kept]  # missing for the first time: a worker may be claiming it right now
    world.wait(4)
    world.sweep()
    assert waiting(redis) == [kept]
    world.wait(2)
    world.sweep()
    assert waiting(redis) == [kept, lost]


def test_a_push_that_was_recorded_only_after_a_wipe_is_repeated_by_the_next_audit(world: World, redis: Redis) -> None:
    world.sweep()
    (batch, *tokens), store = make_tokens(3, world.now), world.runtime.store
    add_to(store, new_batch([GOOD] * 2, world.runtime.of_type("sleep"), [batch, *tokens], world.now))
    world.runtime.broker.push(store.tickets.waiting_in(batch).tickets)
    redis.flushall()
    world.wait(1)
    world.sweep()
    assert waiting(redis) == []  # its push may still be in progress
    store.additions.record_pushed(PushedTickets(at=world.now, batches=[batch]))
    world.wait(6)
    world.sweep()
    assert waiting(redis) == tokens


def test_the_tasks_of_a_dead_worker_of_this_machine_are_taken_back_at_once(
    world: World, redis: Redis, news: News
) -> None:
    worker = world.worker("doomed")
    (token,) = world.send()
    claim_runs(world.runtime.store, [(token, 1)], worker, world.now)
    world.sweep()
    assert world.runtime.ask.task(token).state is State.RUNNING
    world.dead.add("doomed")
    world.sweep()
    assert world.runtime.ask.task(token).state is State.QUEUED
    assert waiting(redis) == [f"{token}-2"]
    assert not redis.exists(f"rq:job:{token}")
    assert world.runtime.store.workers.all() == []
    assert news.of(events.SweptLost) == [events.SweptLost(workers=1, tasks=1, given_up=0)]


def test_a_worker_of_another_machine_is_dead_when_its_heartbeat_stops(world: World) -> None:
    worker = world.worker("far")
    world.elsewhere.add("far")
    (token,) = world.send()
    claim_runs(world.runtime.store, [(token, 1)], worker, world.now)
    for _ in range(4):  # the heartbeat continues, whatever the clock shows
        world.sweep()
        world.wait(25)
        world.runtime.store.workers.beat(worker)
    world.sweep()
    for _ in range(29):
        world.wait(1)
        world.sweep()
    assert world.runtime.ask.task(token).state is State.RUNNING
    for _ in range(3):
        world.wait(1)
        world.sweep()
    assert world.runtime.ask.task(token).state is State.QUEUED


def test_a_worker_that_hangs_is_dead_even_if_its_process_exists(world: World) -> None:
    worker = world.worker("stopped")
    (token,) = world.send()
    claim_runs(world.runtime.store, [(token, 1)], worker, world.now)
    world.sweep()
    for _ in range(2):
        world.wait(19)
        world.sweep()
    assert world.runtime.ask.task(token).state is State.QUEUED


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)  # PostgreSQL has no lock on the whole database
def test_missed_heartbeats_during_a_locked_database_do_not_make_a_worker_dead(world: World, hasty: Runtime) -> None:
    worker = world.worker("held up")
    (token,) = world.send()
    claim_runs(world.runtime.store, [(token, 1)], worker, world.now)
    world.runtime = hasty
    world.sweep = world.new_sweeper()
    world.sweep()
    with closing(sqlite3.connect(hasty.store.database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            world.wait(60)
            with pytest.raises(StoreAway):
                world.sweep()
        other.execute("ROLLBACK")
    world.sweep()
    world.wait(10)
    world.sweep()
    assert world.runtime.ask.task(token).state is State.RUNNING
    world.runtime.store.workers.beat(worker)
    world.wait(10)
    world.sweep()
    assert world.runtime.ask.task(token).state is State.RUNNING


def test_an_unreadable_job_does_not_stop_the_sweeper(world: World, redis: Redis) -> None:
    worker = world.worker("doomed")
    sent = world.send(3)
    claim_runs(world.runtime.store, [(token, 1) for token in sent], worker, world.now)
    for token, odd in zip(
        sent, ({"last_heartbeat": "x"}, {"status": "odd"}, {"data": "x", "timeout": "x"}), strict=True
    ):
        redis.delete(f"rq:job:{token}")
        redis.hset(f"rq:job:{token}", mapping=odd)  # type: ignore[arg-type] # wrong on purpose
    world.dead.add("doomed")
    world.sweep()
    assert {world.runtime.ask.task(token).state for token in sent} == {State.QUEUED}
    assert not [token for token in sent if redis.exists(f"rq:job:{token}")]


def test_a_new_sweeper_waits_before_it_declares_a_remote_worker_dead(world: World) -> None:
    world.worker("far")
    world.elsewhere.add("far")
    world.wait(1000)
    world.new_sweeper()()
    assert len(world.runtime.store.workers.all()) == 1


CHILDREN = [replace(describe("stock"), pid=pid, pid_started="long ago") for pid in (1_000_001, 1_000_002)]
"""Processes of RQ's own worker, each of which does one job and ends."""


def test_the_children_of_a_worker_are_one_worker_and_what_a_killed_one_ran_comes_back_at_once(world: World) -> None:
    store, parent = world.runtime.store, describe("stock")
    sweep = world.new_sweeper(lambda process: process.pid == parent.pid)  # the children have ended
    (token,) = world.send()
    worker = store.workers.register(CHILDREN[0], world.now, parent)
    store.workers.hand_over(worker, parent)
    for _ in range(3):  # nobody writes a heartbeat between two jobs
        sweep()
        world.wait(60)
    assert [each.id for each in store.workers.all()] == [worker]
    assert store.workers.register(CHILDREN[1], world.now, parent) == worker
    claim_runs(store, [(token, 1)], worker, world.now)
    assert store.workers.register(CHILDREN[0], world.now, parent) > worker  # it was not handed over
    sweep()
    assert world.runtime.ask.task(token).state is State.QUEUED
    assert store.workers.all() == []


def test_a_row_that_was_taken_over_since_a_sweeper_read_it_is_not_marked_as_gone(world: World) -> None:
    workers, parent = world.runtime.store.workers, describe("stock")
    worker = workers.register(CHILDREN[0], world.now, parent)
    workers.hand_over(worker, parent)
    seen = workers.all()
    assert workers.register(CHILDREN[1], world.now, parent) == worker
    workers.mark_dead(seen, world.now)
    assert [each.process.pid for each in workers.all()] == [CHILDREN[1].pid]
    workers.mark_dead(workers.all(), world.now)
    assert workers.all() == []
    workers.hand_over(worker, parent)
    assert workers.register(CHILDREN[0], world.now, parent) == worker  # its parent lives after all
    assert [each.id for each in workers.all()] == [worker]


def test_a_clock_that_jumps_does_not_make_a_worker_dead(world: World) -> None:
    world.worker("far")
    world.elsewhere.add("far")
    world.sweep()
    world.now += timedelta(days=365)
    world.sweep()
    assert len(world.runtime.store.workers.all()) == 1


def test_tasks_of_an_unknown_owner_are_taken_back(world: World) -> None:
    (token,) = world.send()
    claim_runs(world.runtime.store, [(token, 1)], 4711, world.now)
    world.sweep()
    assert world.runtime.ask.task(token).state is State.QUEUED


def test_two_sweepers_do_not_disturb_each_other(world: World, redis: Redis) -> None:
    other = world.new_sweeper()
    worker = world.worker("doomed")
    (token,) = world.send()
    claim_runs(world.runtime.store, [(token, 1)], worker, world.now)
    world.dead.add("doomed")
    world.sweep()
    other()
    redis.flushall()
    world.wait(1)
    world.sweep()
    other()
    assert set(waiting(redis)) == {f"{token}-2"}
    (claimed,) = claim_runs(world.runtime.store, [(token, 2)], world.worker("new"), world.now)
    assert claimed.attempt == 1


def test_the_tasks_of_a_dead_worker_are_taken_back_while_redis_is_unreachable(make_runtime: RuntimeFactory) -> None:
    world = World(make_runtime(REDIS_URL=f"redis://127.0.0.1:{free_port()}"))
    assert isinstance(world.runtime.broker, RqBroker)
    worker = world.worker("doomed")
    (token,) = world.send()
    claim_runs(world.runtime.store, [(token, 1)], worker, world.now)
    world.dead.add("doomed")
    world.sweep()
    assert world.runtime.ask.task(token).state is State.QUEUED
