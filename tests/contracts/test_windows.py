"""The lines: batches take turns, whoever fills, and whatever happens between a push and its note."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import NewBatch, Refused, judge_of, new_batch
from queue_tool.model.new_task import NewTask, Options
from queue_tool.model.queues import Priority
from queue_tool.model.task import Timing
from queue_tool.model.task_types import make_task_type
from queue_tool.services.submit import make_tokens
from queue_tool.store import AddBatch, Added, AddTask, Portion, Process, Store
from queue_tool.store.engine.database import Database
from queue_tool.store.line import SMALL
from queue_tool.store.portions import PAGE, PAGES
from queue_tool.store.tables import tasks, windows
from tests.adding import add_to
from tests.runs import claim_runs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = {"item": "a", "valor": 0}
SLEEP = sleep_type(60)
PLAIN = Options()
LIST = "default"


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    with closing(Store(Database(migrated_url))) as made:
        yield made


def batch_of(count: int, options: Options = PLAIN) -> NewBatch:
    return new_batch([GOOD] * count, judge_of(SLEEP, options), make_tokens(count + 1, NOW), NOW)


def in_line(store: Store, count: int, options: Options = PLAIN) -> list[str]:
    """Add a batch that finds no room; return its tokens."""
    new = batch_of(count, options)
    assert add_to(store, new, hold=[LIST]).held
    return [task.token for task in new.accepted]


def single(store: Store) -> tuple[str, Added]:
    new = judge_of(SLEEP, PLAIN)(GOOD, 0, make_tokens(1, NOW)[0])
    assert isinstance(new, NewTask)
    (added,) = store.additions.add([AddTask(new=new, now=NOW)])
    return new.token, added


def handed_out(portion: Portion) -> list[str]:
    return [token for _, tokens in portion.first_runs for token in tokens] + [each.token for each in portion.others]


def fill(store: Store, room: int, *, now: datetime = NOW, noted: bool = True) -> list[str]:
    """Do what a filler does, except the push; return the tokens that it would push."""
    portion = store.windows.next(LIST, room)
    if noted:
        assert store.windows.note(portion, room, room, now)
    return handed_out(portion)


def should_be_in_redis(store: Store) -> list[str]:
    return [ticket.token for ticket in store.tickets.waiting().tickets]


def rows_in_line(store: Store) -> int:
    with store.database.read() as connection:
        return len(connection.execute(select(windows)).all())


def test_while_a_batch_waits_all_new_tickets_join_the_line_and_nothing_is_missed_in_redis(store: Store) -> None:
    first = in_line(store, SMALL + 1)
    alone, added = single(store)
    second, third, other = batch_of(1), batch_of(1), batch_of(SMALL + 1)
    assert (added.held, add_to(store, second).held) == (True, True)
    answers = store.additions.add([AddBatch(new=third), AddBatch(new=other)])
    assert [answer.held for answer in answers] == [True, True]
    assert store.batches.unpushed(NOW + timedelta(days=1), timedelta(0)) == []
    assert should_be_in_redis(store) == []
    assert store.windows.lists_in_line() == [LIST]

    small = [alone, second.accepted[0].token, third.accepted[0].token]
    wanted = [*first, *(task.token for task in other.accepted), *small]  # of one fill, the small ones come last
    assert rows_in_line(store) == 3  # the two large batches, and all others together
    assert fill(store, len(first)) == first
    assert should_be_in_redis(store) == first
    assert fill(store, 500) == wanted[len(first) :]
    assert rows_in_line(store) == 0
    assert store.windows.lists_in_line() == []
    assert sorted(should_be_in_redis(store)) == sorted(wanted)
    assert not add_to(store, batch_of(1)).held


def test_batches_take_turns_of_at_least_five_hundred(store: Store) -> None:
    large, other = in_line(store, 1200), in_line(store, 600)
    small = in_line(store, 10)
    assert fill(store, 1000) == [*large[:500], *other[:500]]
    assert fill(store, 400) == [*large[500:890], *small]
    assert fill(store, 2000) == [*other[500:], *large[890:]]
    assert rows_in_line(store) == 0


def test_a_filler_that_dies_before_its_note_leaves_the_cursor_to_the_next_one_and_a_late_note_is_ignored(
    store: Store,
) -> None:
    sent = in_line(store, SMALL + 1)
    late = store.windows.next(LIST, SMALL)
    assert fill(store, SMALL) == sent[:SMALL]  # again, from the last note
    assert not store.windows.note(late, 3, 3, NOW)
    last = store.windows.next(LIST, 3)
    assert handed_out(last) == sent[SMALL:]
    assert store.windows.note(last, 3, 3, NOW)
    assert not store.windows.note(last, 3, 3, NOW)  # its row is gone


def test_canceled_claimed_and_scheduled_tasks_are_passed_over_a_few_pages_at_a_time(store: Store) -> None:
    sent = in_line(store, SMALL + 40)
    store.control.cancel(sent[:30], "me", "", NOW)
    claim_runs(store, [(sent[30], 1)], owner=1, now=NOW)
    assert fill(store, 5) == []  # it reads few pages, and they give no ticket
    assert fill(store, 5) == sent[31:36]
    assert 5 * PAGES < 30 < 2 * 5 * PAGES
    assert fill(store, 500) == sent[36:]
    later = Options(timing=Timing(due_at=NOW + timedelta(seconds=5)))

    def judge(options: Any, index: int, token: str) -> NewTask | Refused:
        return judge_of(SLEEP, options)(GOOD, index, token)

    mixed = new_batch([PLAIN, later, later], judge, make_tokens(4, NOW), NOW)
    assert add_to(store, mixed, hold=[LIST]).held
    assert fill(store, 50) == [mixed.accepted[0].token]
    store.upkeep.come_due(NOW + timedelta(seconds=6), 10)
    assert store.tickets.lists_unpushed() == [LIST]
    store.windows.join_others(LIST)
    store.windows.join_others(LIST)
    assert fill(store, 50) == [task.token for task in mixed.accepted[1:]]
    assert rows_in_line(store) == 0


@pytest.mark.parametrize("way", ["cancel", "expire", "retention"])
def test_a_batch_of_which_nothing_waits_leaves_the_line(store: Store, way: str) -> None:
    late = NOW + timedelta(days=1)
    tokens = in_line(store, SMALL + 3, Options(timing=Timing(expires_at=NOW + timedelta(hours=1))))
    if way == "expire":
        store.upkeep.expire(late, 500)
    else:
        store.control.cancel(tokens, "me", "", NOW)
    if way == "retention":
        store.upkeep.forget(late, 0, 500)
        store.upkeep.forget_batches(late)
    assert rows_in_line(store) == 0


def test_large_batches_that_run_again_give_places_to_what_comes_after_them(store: Store) -> None:
    again = [in_line(store, SMALL + 20) for _ in range(2)]
    for tokens in again:
        store.control.cancel(tokens, "me", "", NOW)
        store.control.reopen(tokens)
    store.windows.join_others(LIST)
    new = single(store)[0]
    first, second = again
    assert fill(store, 40) == [*first[:20], *second[:19], new]
    assert fill(store, 40) == first[20:40] + second[19:39]
    new = single(store)[0]
    one_by_one = [token for _ in range(4) for token in fill(store, 1)]
    assert {first[40], second[39], new} <= {*one_by_one}
    assert fill(store, 500) == [token for token in first[40:] + second[39:] if token not in one_by_one]
    assert fill(store, 500) == []
    assert rows_in_line(store) == 0


def test_a_canceled_batch_whose_tasks_run_again_joins_as_one_of_the_others(store: Store) -> None:
    first = in_line(store, SMALL + 3)
    store.control.cancel(first[1:], "me", "", NOW)
    store.control.reopen(first[1:])
    other = in_line(store, SMALL + 2)
    store.windows.join_others(LIST)
    assert fill(store, 500) == [first[0], *other, *first[1:]]
    assert sorted(should_be_in_redis(store)) == sorted([*first, *other])


def test_a_paused_queue_is_not_filled_and_each_list_has_a_line_of_its_own(store: Store) -> None:
    waiting = in_line(store, 1)
    urgent = judge_of(make_task_type("urgent", lambda data: data, priority="high"), PLAIN)
    new = new_batch([None, None], urgent, make_tokens(3, NOW), NOW)
    assert add_to(store, new, hold=["high.threads"]).held
    assert store.windows.lists_in_line() == ["high.threads", LIST]
    store.queues.pause(Priority.HIGH, NOW)
    assert store.windows.lists_in_line() == [LIST]
    assert store.windows.state("high.threads", NOW).is_paused
    assert fill(store, 10) == waiting
    store.queues.resume(Priority.HIGH, NOW)
    assert store.windows.lists_in_line() == ["high.threads"]


def test_the_state_has_the_last_fill_and_the_workers_that_live(store: Store) -> None:
    assert store.windows.sizes() == ({}, 0)
    in_line(store, 5)
    state = store.windows.state(LIST, NOW)
    assert (state.waits, state.last, state.workers) == (True, None, 0)
    process = Process(kind="worker", host="h", machine="m", pid=1, pid_started="1", name="rq-name")
    gone = store.workers.register(process, NOW)
    store.workers.mark_gone([gone], NOW)
    store.workers.register(process, NOW)
    fill(store, 2)
    last = store.windows.state(LIST, NOW).last
    assert last is not None
    assert (last.size, last.length) == (2, 2)
    assert store.windows.sizes() == ({LIST: 2}, 1)


def test_a_batch_that_was_pushed_in_part_joins_the_line_after_that_part_and_only_once(store: Store) -> None:
    new = batch_of(4)
    assert not add_to(store, new).held
    first = store.tickets.waiting_in(new.id, limit=1)
    store.windows.join(new.id, first.last, NOW)
    store.windows.join(new.id, first.last, NOW)  # another sweeper
    assert should_be_in_redis(store) == [new.accepted[0].token]
    assert fill(store, 10) == [task.token for task in new.accepted[1:]]


def test_a_step_reads_only_its_own_rows_through_an_index(store: Store) -> None:
    """Thousands of rows that give no ticket, and thousands of other batches, must not be read."""
    rows = [
        row(number, batch_id=1 + number % 3, state="canceled" if number < 3000 else "queued") for number in range(6000)
    ]
    with store.database.write() as connection:
        connection.execute(insert(tasks), rows)
        if not store.database.is_file:
            connection.exec_driver_sql("ANALYZE tasks")
    values = {"of_batch": 2, "of_priority": "normal", "of_lane": "loop", "after": 0, "most": 500}
    with store.database.read() as connection:
        page = connection.execute(PAGE, values).one()
        sql = PAGE.params(values).compile(connection.engine, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if store.database.is_file else "EXPLAIN (ANALYZE, COSTS OFF)"
        plan = "\n".join(str(line) for line in connection.execute(text(f"{explain} {sql}")))
    assert (page.looked_at, page.tickets) == (500, 0)
    assert "ix_tasks_batch_id" in plan, plan
    if store.database.is_file:
        assert "batch_id=? AND id>?" in plan, plan
        assert "TEMP B-TREE" not in plan, plan
    else:
        assert "Rows Removed" not in plan, plan
        assert "rows=500" in plan, plan


def row(number: int, *, batch_id: int, state: str) -> dict[str, object]:
    return {
        "token": f"{number:032x}",
        "batch_id": batch_id,
        "position": number,
        "task_type": "sleep",
        "priority": "normal",
        "lane": "loop",
        "data": "null",
        "state": state,
        "run": 1,
        "attempt": 1,
        "losses": 0,
        "created_at": 0,
        "pushed_at": 0,
    }


@dataclass
class World:
    """A store, the tickets in Redis, and fillers that may die at any step. The test decides what happens next."""

    store: Store
    redis: list[str] = field(default_factory=list)
    sent: list[list[str]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    late: list[Portion] = field(default_factory=list)  # of fillers that stand still

    def submit(self, chance: random.Random) -> None:
        count = chance.choice([1, 1, 3, SMALL + 30])
        if count == 1 and chance.random() < 0.5:
            token, added = single(self.store)
            tokens = [token]
        else:
            new = batch_of(count)
            added = add_to(self.store, new, hold=[LIST] if len(self.redis) + count > 60 else [])
            tokens = [task.token for task in new.accepted]
        self.sent.append(tokens)
        if not added.held:
            self.redis += tokens

    def take(self, chance: random.Random) -> None:
        count = chance.randint(1, 40)
        taken, self.redis = self.redis[:count], self.redis[count:]
        claimed = {task.token for task in claim_runs(self.store, [(token, 1) for token in taken], 1, NOW)}
        self.started += [token for token in dict.fromkeys(taken) if token in claimed]

    def fill(self, chance: random.Random) -> None:
        portion = self.store.windows.next(LIST, chance.randint(1, 60))
        self.finish(portion, chance.choice(["never", "never", "before push", "in push", "before note", "is late"]))

    def finish(self, portion: Portion, dies: str) -> None:
        """Push and note a portion, unless the filler dies before, or is so late that others fill meanwhile."""
        tokens = handed_out(portion)
        if dies == "is late":
            self.late.append(portion)
        elif dies != "before push":
            self.redis += tokens[: len(tokens) // 2 if dies == "in push" else None]
        if dies == "never":
            self.store.windows.note(portion, 6, 6, NOW)

    def catch_up(self, chance: random.Random) -> None:
        if self.late:
            self.finish(self.late.pop(chance.randrange(len(self.late))), chance.choice(["never", "before note"]))


@pytest.mark.parametrize("seed", range(3))
def test_in_any_order_of_events_each_task_starts_once_and_each_batch_in_its_order(store: Store, seed: int) -> None:
    chance, world = random.Random(seed), World(store)
    for _ in range(60):
        chance.choice([world.submit, world.take, world.fill, world.catch_up])(chance)
    while store.windows.lists_in_line() or world.redis:
        world.fill(chance)
        world.take(chance)
    assert sorted(world.started) == sorted(token for tokens in world.sent for token in tokens)
    for tokens in world.sent:
        assert [token for token in world.started if token in tokens] == tokens
    assert should_be_in_redis(store) == []
