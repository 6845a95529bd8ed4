"""What the store guarantees, on every kind of database."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, select

from queue_tool.errors import BatchNotFound, KeyNotFound, NaiveTime, StoreAway, TooManyWaiting
from queue_tool.execution.builtin import sleep_type
from queue_tool.model.access import ApiKey, Role
from queue_tool.model.batch import Element, IdempotencyKey, Label, NewBatch, judge_of, new_batch
from queue_tool.model.context import Context, take_note
from queue_tool.model.new_task import Accepted
from queue_tool.model.outcome import MOST_LINES, Outcome
from queue_tool.model.states import Code, Move, State
from queue_tool.model.ticket import Ticket
from queue_tool.services.owner import describe
from queue_tool.services.submit import make_tokens
from queue_tool.store import Added, Remembered, Store, migrations
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.sqlite import driver_of
from queue_tool.store.tables import events
from tests.adding import add_to, record_pushed
from tests.runs import claim_runs, settle_runs

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SLEEP = sleep_type(86400)
GOOD = {"item": "a", "valor": 0}
BAD = {"item": "b", "valor": "x"}
GRACE = timedelta(seconds=20)

on_sqlite = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    made = Database(migrated_url, timeout=0.3)
    yield made
    made.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def batch_of(*elements: object, key: IdempotencyKey | None = None, at: datetime = NOW) -> NewBatch:
    return new_batch(elements, judge_of(SLEEP), make_tokens(len(elements) + 1, at), at, key)


def added(store: Store, *elements: object) -> NewBatch:
    batch = batch_of(*elements)
    assert add_to(store, batch) == Added()
    return batch


def unpushed(store: Store) -> tuple[Ticket, ...]:
    return store.tickets.unpushed("default", 1000)


def finished(token: str, run: int = 1) -> Outcome:
    return Outcome(token=token, run=run, move=Move.FINISH, result="null")


# -- batches -----------------------------------------------------------------------------------------------


def _as_stored(element: Element) -> Element:
    if isinstance(element, Accepted):
        return Accepted(index=element.index, token=element.token, data=element.data)
    return element


def test_a_batch_is_stored_with_all_its_elements_in_order(store: Store) -> None:
    batch = added(store, GOOD, BAD, 7, GOOD)
    assert store.batches.elements(batch.id) == [_as_stored(element) for element in batch.elements]


def test_the_counts_of_a_batch_sum_to_its_total(store: Store) -> None:
    batch = added(store, GOOD, BAD, GOOD)
    found = store.batches.get(batch.id)
    assert (found.total, found.accepted, found.rejected) == (3, 2, 1)
    assert sum(found.counts.values()) + found.rejected == found.total
    assert found.counts[State.QUEUED] == 2


def test_a_batch_with_only_refused_elements_is_finished_at_once(store: Store) -> None:
    batch = added(store, BAD, None)
    found = store.batches.get(batch.id)
    assert (found.progress, found.finished_at, found.message) == (1, NOW, "Finalizado")
    assert store.batches.unpushed(NOW + timedelta(days=1), GRACE) == []


def test_an_unknown_batch_is_not_found(store: Store) -> None:
    with pytest.raises(BatchNotFound):
        store.batches.get("0" * 32)


def test_batches_are_found_and_counted_by_name_and_metadata(store: Store) -> None:
    choices: list[dict[str, str]] = [{}, {"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": "1"}]
    every = [Label(name=name, metadata=metadata) for name, metadata in product((None, "x", "X"), choices)]
    sent = [replace(batch_of(GOOD), label=label) for label in [*every, *every[::2]]]
    for batch in sent:
        add_to(store, batch)
    for wanted in [*every, Label(name="y"), Label(metadata={"a": "1", "b": "2"})]:
        expected = [
            batch.id
            for batch in reversed(sent)
            if wanted.name in (None, batch.label.name) and wanted.metadata.items() <= batch.label.metadata.items()
        ]
        page, row = store.batches.page(wanted, 4)
        found = [batch.id for batch in page]
        while row is not None:
            assert len(page) == 4
            page, row = store.batches.page(wanted, 4, row)
            found += [batch.id for batch in page]
        assert found == expected, wanted
        assert [store.batches.count(wanted, most) for most in (100, 2)] == [len(expected), min(2, len(expected))]


def test_a_batch_beyond_the_limit_of_waiting_tasks_leaves_nothing(store: Store) -> None:
    added(store, GOOD, GOOD)
    with pytest.raises(TooManyWaiting):
        add_to(store, batch_of(GOOD, GOOD), max_waiting=3)
    assert add_to(store, batch_of(GOOD), max_waiting=3) == Added()
    assert store.totals().accepted == 3


def test_the_count_of_waiting_tasks_includes_the_submits_and_claims_of_other_stores(database: Database) -> None:
    store, other = Store(database), Store(database)
    first = batch_of(GOOD)
    add_to(store, first, max_waiting=3)
    added(other, GOOD, GOOD)
    with pytest.raises(TooManyWaiting):
        add_to(store, batch_of(GOOD), max_waiting=3)
    claim_runs(other, [(first.accepted[0].token, 1)], owner=1, now=NOW)
    assert add_to(store, batch_of(GOOD), max_waiting=3) == Added()


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(NaiveTime):
        add_to(store, batch_of(GOOD, at=NOW.replace(tzinfo=None)))


def test_an_idempotency_key_is_used_once_per_day(store: Store) -> None:
    key = IdempotencyKey(scope="s", key="k", digest="d")
    first = batch_of(GOOD, key=key)
    assert add_to(store, first) == Added()
    again = batch_of(GOOD, key=key, at=NOW + timedelta(hours=23))
    assert add_to(store, again) == Added(before=Remembered(digest="d", batch=first.id, elements=1))
    assert store.totals().batches == 1
    late = batch_of(GOOD, key=key, at=NOW + timedelta(hours=25))
    assert add_to(store, late) == Added()
    assert store.idempotency.recall(key, NOW + timedelta(hours=26)) == Remembered(digest="d", batch=late.id, elements=1)


# -- the life of a run -------------------------------------------------------------------------------------


def test_a_task_is_claimed_once(store: Store) -> None:
    token = added(store, GOOD).accepted[0].token
    (claimed,) = claim_runs(store, [(token, 1)], owner=1, now=NOW)
    assert (claimed.token, claimed.run, claimed.attempt, claimed.started_at) == (token, 1, 1, NOW)
    assert claim_runs(store, [(token, 1)], owner=2, now=NOW) == []


def test_threads_that_claim_the_same_tasks_get_each_task_once(store: Store) -> None:
    tokens = [task.token for task in added(store, *[GOOD] * 200).accepted]
    got: list[str] = []

    def take(owner: int) -> None:
        for start in range(0, len(tokens), 10):
            runs = [(token, 1) for token in tokens[start : start + 10]]
            got.extend(task.token for task in claim_runs(store, runs, owner, NOW))

    threads = [threading.Thread(target=take, args=[owner]) for owner in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(tokens)


def test_a_claim_of_another_run_finds_nothing(store: Store) -> None:
    token = added(store, GOOD).accepted[0].token
    assert claim_runs(store, [(token, 2), ("f" * 32, 1)], owner=1, now=NOW) == []


def test_one_claim_takes_thousands_of_tasks(store: Store) -> None:
    batch = added(store, *[GOOD] * 2500)
    runs = [(task.token, 1) for task in batch.accepted]
    assert len(claim_runs(store, runs, owner=1, now=NOW)) == 2500
    settled = settle_runs(store, [finished(token) for token, _ in runs], owner=1, now=NOW)
    assert len(settled.tokens) == 2500
    assert settled.finished == (batch.id,)


def test_a_second_outcome_of_a_run_changes_nothing(store: Store) -> None:
    batch = added(store, GOOD)
    token = batch.accepted[0].token
    claim_runs(store, [(token, 1)], owner=1, now=NOW)
    assert settle_runs(store, [finished(token)], owner=1, now=NOW).finished == (batch.id,)
    worse = Outcome(token=token, run=1, move=Move.FAIL, code=Code.ERROR, error="late")
    late = settle_runs(store, [worse], owner=1, now=NOW + timedelta(hours=1))
    assert (late.tokens, late.finished) == (frozenset(), ())
    kept = store.tasks.status(token)
    assert kept is not None
    assert (kept.state, kept.code, kept.finished_at) == (State.FINISHED, None, NOW)


@pytest.mark.parametrize(("run", "owner"), [(1, 2), (2, 1)])
def test_only_the_same_run_and_owner_can_settle(store: Store, run: int, owner: int) -> None:
    token = added(store, GOOD).accepted[0].token
    claim_runs(store, [(token, 1)], owner=1, now=NOW)
    assert settle_runs(store, [finished(token, run)], owner=owner, now=NOW).tokens == frozenset()


def test_a_failure_is_stored_with_its_reason(store: Store) -> None:
    token = added(store, GOOD).accepted[0].token
    claim_runs(store, [(token, 1)], owner=1, now=NOW)
    end = NOW + timedelta(seconds=2.5)
    settle_runs(store, [Outcome(token=token, run=1, move=Move.FAIL, code=Code.TIMEOUT, error="slow")], 1, end)
    kept = store.tasks.status(token)
    assert kept is not None
    assert (kept.state, kept.code, kept.error, kept.duration) == (State.FAILED, Code.TIMEOUT, "slow", 2.5)


@pytest.mark.parametrize(("move", "resignations"), [(Move.PUT_BACK, 0), (Move.RESIGN, 1)])
def test_a_put_back_task_runs_again_as_the_same_attempt(store: Store, move: Move, resignations: int) -> None:
    batch = added(store, GOOD)
    token = batch.accepted[0].token
    claim_runs(store, [(token, 1)], owner=1, now=NOW)
    settle_runs(store, [Outcome(token=token, run=1, move=move)], owner=1, now=NOW)
    assert store.batches.get(batch.id).counts[State.QUEUED] == 1
    (ticket,) = unpushed(store)
    assert (ticket.id, ticket.list) == (f"{token}-2", "default")
    (again,) = claim_runs(store, [(token, 2)], owner=2, now=NOW)
    assert (again.run, again.attempt, again.resignations) == (2, 1, resignations)


def test_the_tasks_of_a_dead_worker_are_taken_back_and_its_late_outcome_is_ignored(store: Store) -> None:
    batch = added(store, GOOD, GOOD)
    lost, other = (task.token for task in batch.accepted)
    claim_runs(store, [(lost, 1)], owner=1, now=NOW)
    claim_runs(store, [(other, 1)], owner=2, now=NOW)
    assert [ticket.id for ticket in store.runs.take_back([1], NOW).tickets] == [f"{lost}-2"]
    assert settle_runs(store, [finished(lost)], owner=1, now=NOW).tokens == frozenset()
    assert store.batches.get(batch.id).counts == dict.fromkeys(State, 0) | {State.QUEUED: 1, State.RUNNING: 1}


def test_what_a_dead_worker_had_not_begun_is_put_back_without_a_loss(store: Store) -> None:
    begun, waited, unknown = (task.token for task in added(store, GOOD, GOOD, GOOD).accepted)
    claim_runs(store, [(begun, 1), (waited, 1)], owner=1, now=NOW)
    claim_runs(store, [(unknown, 1)], owner=2, now=NOW)
    taken = store.runs.take_back([1, 2], NOW, {1: {begun, f"{waited}-2"}})
    runs = [(token, 2) for token in (begun, waited, unknown)]
    assert sorted(ticket.id for ticket in taken.tickets) == sorted(f"{token}-{run}" for token, run in runs)
    claimed = {task.token: (task.attempt, task.losses) for task in claim_runs(store, runs, owner=3, now=NOW)}
    assert claimed == {begun: (1, 1), waited: (1, 0), unknown: (1, 1)}


@pytest.mark.parametrize("move", [Move.FINISH, Move.FAIL])
def test_a_start_that_came_after_the_claim_is_put_right_by_the_settle(store: Store, move: Move) -> None:
    at_once, late = (task.token for task in added(store, GOOD, GOOD).accepted)
    claim_runs(store, [(at_once, 1), (late, 1)], owner=1, now=NOW)
    called = NOW + timedelta(seconds=0.5)
    outcomes = [
        Outcome(token=token, run=1, move=move, result="null", code=Code.ERROR, error="", started_at=started_at)
        for token, started_at in ((at_once, None), (late, called))
    ]
    settle_runs(store, outcomes, owner=1, now=NOW + timedelta(seconds=1))
    kept = [store.tasks.status(token) for token in (at_once, late)]
    assert [task and task.started_at for task in kept] == [NOW, called]


def test_states_of_many_tokens_are_read_at_once(store: Store) -> None:
    tokens = [task.token for task in added(store, *[GOOD] * 1200).accepted]
    claim_runs(store, [(tokens[0], 1)], owner=1, now=NOW)
    states = store.tasks.states([*tokens, "e" * 32])
    assert len(states) == 1200
    assert (states[tokens[0]], states[tokens[1]]) == (State.RUNNING, State.QUEUED)


# -- tickets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 40])
def test_the_statuses_of_many_tokens_are_those_of_each(store: Store, count: int) -> None:
    tokens = [element.token for element in added(store, *[GOOD] * 40).accepted[:count]]
    claim_runs(store, [(token, 1) for token in tokens[::3]], owner=1, now=NOW)
    found = store.tasks.statuses([*tokens, *tokens[:1], "f" * 32])
    assert found == {token: store.tasks.status(token) for token in tokens}


def test_a_batch_waits_for_its_push_until_it_is_marked(store: Store) -> None:
    batch = added(store, GOOD, GOOD, GOOD)
    assert store.batches.unpushed(NOW, GRACE) == []
    assert store.tickets.waiting().tickets == ()  # the audit ignores tickets that are not pushed yet
    assert store.batches.unpushed(NOW + 2 * GRACE, GRACE) == [batch.id]
    first = store.tickets.waiting_in(batch.id, limit=2)
    rest = store.tickets.waiting_in(batch.id, after=first.last, limit=2)
    assert [ticket.token for ticket in (*first.tickets, *rest.tickets)] == [task.token for task in batch.accepted]
    record_pushed(store, batch.id, NOW)
    assert store.batches.unpushed(NOW + 2 * GRACE, GRACE) == []
    assert [ticket.token for ticket in store.tickets.waiting().tickets] == [task.token for task in batch.accepted]


def test_a_batch_with_a_failed_push_is_pushed_without_a_grace_period(store: Store) -> None:
    batch = added(store, GOOD)
    store.batches.mark_push_failed(batch.id, NOW)
    assert store.batches.unpushed(NOW, GRACE) == [batch.id]


def test_a_batch_from_the_future_is_pushed_without_a_grace_period(store: Store) -> None:
    batch = added(store, GOOD)
    assert store.batches.unpushed(NOW - timedelta(hours=1), GRACE) == [batch.id]


def test_a_task_that_was_taken_back_waits_for_its_push_until_it_is_marked(store: Store) -> None:
    token = added(store, GOOD).accepted[0].token
    claim_runs(store, [(token, 1)], owner=1, now=NOW)
    store.runs.take_back([1], NOW)
    tickets = unpushed(store)
    assert len(tickets) == 1
    assert store.tickets.waiting().tickets == ()
    record_pushed(store, tickets, NOW)
    assert unpushed(store) == ()
    assert store.tickets.waiting().tickets == tickets


def test_a_task_that_lost_four_processes_fails(store: Store) -> None:
    batch = added(store, GOOD, GOOD)
    token, other = (task.token for task in batch.accepted)
    claim_runs(store, [(other, 1)], owner=9, now=NOW)
    settle_runs(store, [finished(other)], owner=9, now=NOW)
    lists = []
    for run in (1, 2, 3):
        claim_runs(store, [(token, run)], owner=run, now=NOW)
        lists += [ticket.list for ticket in store.runs.take_back([run], NOW).tickets]
    assert lists == ["default", "default.isolated", "default.isolated"]
    claim_runs(store, [(token, 4)], owner=4, now=NOW)
    taken = store.runs.take_back([4], NOW)
    assert (taken.tickets, taken.given_up, taken.finished) == ((), (token,), (batch.id,))
    kept = store.tasks.status(token)
    assert kept is not None
    assert (kept.state, kept.code, kept.attempt, kept.finished_at) == (State.FAILED, Code.WORKER_LOST, 1, NOW)
    assert store.batches.get(batch.id).progress == 1


# -- workers and keys --------------------------------------------------------------------------------------


def test_a_worker_beats_until_it_is_gone(store: Store) -> None:
    worker = store.workers.register(describe("test"), NOW)
    assert store.workers.beat(worker)
    assert [(known.id, known.beat, known.process) for known in store.workers.all()] == [(worker, 1, describe("test"))]
    store.workers.mark_gone([worker], NOW)
    assert not store.workers.beat(worker)
    assert store.workers.register(describe("test"), NOW) > worker


def test_the_last_lines_of_each_run_are_kept_and_a_finished_task_has_the_progress_1(store: Store) -> None:
    first, second = (element.token for element in added(store, GOOD, GOOD).accepted)
    claim_runs(store, [(first, 1), (second, 1)], owner=1, now=NOW)
    reported = Context(token=first, attempt=1, deadline=None)
    other = Context(token=second, attempt=1, deadline=None)
    other.log("other")
    reported.progress(0.5, "half")
    for number in range(5 * MOST_LINES):
        reported.log(str(number))
        if number % 60 == 0 or number == 5 * MOST_LINES - 1:
            notes = [note for note in (take_note(reported), take_note(other)) if note is not None]
            store.runs.settle_and_claim((), (), 1, NOW, notes)
            kept = texts(store, first)
            assert kept[-MOST_LINES:] == [str(line) for line in range(number + 1)][-MOST_LINES:]
            assert len(kept) < 2 * MOST_LINES
    assert texts(store, second) == ["other"]
    settle_runs(store, [Outcome(token=first, run=1, move=Move.FINISH, result="null")], 1, NOW)
    failed = Outcome(token=second, run=1, move=Move.FAIL, code=Code.ERROR, error="no")
    settle_runs(store, [failed], 1, NOW)
    shown = [details for token in (first, second) if (details := store.listing.details(token)) is not None]
    assert [(task.progress, task.note) for task in shown] == [(1, "half"), (None, None)]


def texts(store: Store, token: str) -> list[str]:
    """Return all log lines of a task that the database has, the oldest first."""
    query = select(events.c.text).where(events.c.token == token).order_by(events.c.id)
    with store.database.read() as connection:
        return list(connection.execute(query).scalars())


def test_a_worker_that_runs_a_task_is_not_gone(store: Store) -> None:
    worker = store.workers.register(describe("test"), NOW)
    token = added(store, GOOD).accepted[0].token
    claim_runs(store, [(token, 1)], worker, NOW)
    store.workers.mark_gone([worker], NOW)
    assert [known.id for known in store.workers.all()] == [worker]
    assert store.workers.orphans() == []


def test_a_task_whose_owner_is_not_registered_is_an_orphan(store: Store) -> None:
    token = added(store, GOOD).accepted[0].token
    claim_runs(store, [(token, 1)], owner=77, now=NOW)
    assert store.workers.orphans() == [77]


def test_a_key_is_found_by_its_digest_until_it_is_revoked(store: Store) -> None:
    key = ApiKey(id="a" * 32, name="n", role=Role.SUBMIT, created_at=NOW)
    assert not store.keys.exist()
    store.keys.add(key, "digest")
    assert store.keys.exist()
    assert store.keys.find("digest") == key
    store.keys.revoke(key.id, NOW)
    assert store.keys.find("digest") is None
    assert store.keys.exist()  # a revoked key still counts, so access stays restricted
    assert [known.revoked_at for known in store.keys.all()] == [NOW]
    with pytest.raises(KeyNotFound):
        store.keys.revoke("b" * 32, NOW)


# -- a database that is busy or away -----------------------------------------------------------------------


@on_sqlite
def test_a_locked_database_raises_store_away_and_stores_nothing(store: Store, database: Database) -> None:
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreAway) as refusal:
        add_to(store, batch_of(GOOD))
    assert refusal.value.retry_after
    assert store.totals().batches == 0  # reads still work
    other.execute("ROLLBACK")
    other.close()
    added(store, GOOD)


def test_a_file_that_is_not_a_database_raises_store_away(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"no database at all, and long enough to be read as a header" * 20)
    broken = Database(f"sqlite:///{path}", timeout=0.1)
    with pytest.raises(StoreAway):
        migrations.upgrade(broken)
    broken.close()


@pytest.mark.parametrize("storage", ["postgres"], indirect=True)
def test_a_locked_table_raises_store_away_and_stores_nothing(store: Store, database: Database) -> None:
    batch = added(store, GOOD)
    other = Database(database.url)
    with other.write() as connection:
        connection.exec_driver_sql("LOCK TABLE tasks")
        with pytest.raises(StoreAway):
            add_to(store, batch_of(GOOD))
        with pytest.raises(StoreAway):
            claim_runs(store, [(batch.accepted[0].token, 1)], owner=1, now=NOW)
    other.close()
    assert store.totals().batches == 1


def test_a_connection_in_use_at_close_is_closed_when_it_is_returned(database: Database) -> None:
    with database.read() as connection:
        driver: Any = connection.connection.driver_connection
        database.close()
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    with pytest.raises((sqlite3.Error, psycopg.Error)):
        driver.execute("SELECT 1")


@on_sqlite
def test_waiting_for_the_write_lock_of_another_process_has_a_limit(store: Store, database: Database) -> None:
    other = Database(database.url, timeout=0.1)
    with database.write(), pytest.raises(StoreAway):
        add_to(Store(other), batch_of(GOOD))
    other.close()
    added(store, GOOD)


@on_sqlite
def test_no_statement_in_the_life_of_a_task_scans_a_whole_table(store: Store, database: Database) -> None:
    sent: list[tuple[str, Any]] = []

    def remember(_c: object, _cursor: object, statement: str, parameters: Any, _x: object, many: bool) -> None:
        sent.append((statement, parameters[0] if many else parameters))

    with database.write() as writer:  # the connection of all writes: some of them go directly to the driver
        driver_of(writer).set_trace_callback(lambda statement: sent.append((statement, ())))
    event.listen(Engine, "before_cursor_execute", remember)
    try:
        batch = added(store, *[GOOD] * 3)
        first, second, third = (task.token for task in batch.accepted)
        store.batches.unpushed(NOW, GRACE)
        record_pushed(store, batch.id, NOW)
        claim_runs(store, [(first, 1), (second, 1), (third, 1)], 1, NOW)
        settle_runs(store, [finished(first), Outcome(token=second, run=1, move=Move.PUT_BACK)], 1, NOW)
        store.runs.take_back([1], NOW)
        record_pushed(store, unpushed(store), NOW)
        store.tickets.waiting(after=1)
        store.tickets.waiting_in(batch.id)
        store.tasks.status(first)
        store.tasks.states([first, second])
        store.batches.get(batch.id)
        store.batches.elements(batch.id)
        store.workers.orphans()
        store.workers.mark_gone([1], NOW)
    finally:
        event.remove(Engine, "before_cursor_execute", remember)
    plans = {}
    with closing(sqlite3.connect(database.path)) as connection:
        for statement, parameters in sent:
            if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
                rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans[statement] = [row[3] for row in rows]
    assert len(plans) >= 15
    assert any("UPDATE batches SET pushed_at" in statement for statement in plans)
    whole = {
        statement: plan
        for statement, plan in plans.items()
        if any(re.match(r"SCAN (tasks|batches)(?! USING INDEX)", step) for step in plan)
    }
    assert whole == {}
