"""Messages in the store: in their order, each one to one client, and back again when a lease has run out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text

from queue_tool.model.message import EndLease, Pop, Popped, Push
from queue_tool.services.submit import make_tokens
from queue_tool.store import Store
from queue_tool.store import message_queues as reading
from queue_tool.store.engine.database import Database
from tests.support import now

NOW = now()
CLIENTS = 8
MANY = 400


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    made = Store(Database(migrated_url))
    yield made
    made.close()


def push(store: Store, *bodies: str, queue: str = "a", most: int = 10**6) -> list[bool]:
    return store.messages.carry_out([], [Push(queue=queue, body=body) for body in bodies], [], NOW, most)[1]


def pop(store: Store, queue: str = "a", *, count: int = 1, lease: int | None = None, later: float = 0) -> list[Popped]:
    receipts = make_tokens(count, NOW)
    pops = [Pop(queue=queue, lease=lease, receipt=receipt) for receipt in receipts]
    found = store.messages.carry_out([], [], pops, NOW + timedelta(seconds=later), 10**6)[2]
    return [popped for popped in found if popped is not None]


def bodies(popped: list[Popped]) -> list[str]:
    return [each.body for each in popped]


def end_lease(store: Store, receipt: str | None, *, remove: bool) -> bool:
    assert receipt is not None
    return store.messages.carry_out([EndLease(receipt=receipt, remove=remove)], [], [], NOW, 1)[0] == [True]


def counts(store: Store, queue: str = "a", later: float = 0) -> tuple[int, int]:
    found = store.message_queues.counts(queue, NOW + timedelta(seconds=later))
    (of_all,) = [
        each for each in store.message_queues.all_counts(NOW + timedelta(seconds=later)) if each.queue == queue
    ] or [found]
    assert of_all == found
    return found.waiting, found.leased


def test_messages_leave_each_queue_in_their_order(store: Store) -> None:
    push(store, "1", "2", "3")
    push(store, "10", queue="b")
    push(store, "4", "5")
    assert bodies(pop(store, count=2)) == ["1", "2"]
    assert bodies(pop(store, "b", count=3)) == ["10"]
    assert bodies(pop(store, count=9)) == ["3", "4", "5"]
    assert pop(store) == pop(store, "unknown") == []
    assert counts(store) == (0, 0)


def test_one_transaction_serves_clients_of_several_queues(store: Store) -> None:
    orders = [Pop(queue="b"), Pop(queue="a"), Pop(queue="b", lease=5, receipt=make_tokens(1, NOW)[0]), Pop(queue="a")]
    pushes = [Push(queue=queue, body=body) for queue, body in (("a", "1"), ("b", "2"), ("b", "3"))]
    _, added, popped = store.messages.carry_out([], pushes, orders, NOW, 10)
    assert added == [True] * 3
    assert [each and (each.body, each.leased_until is not None) for each in popped] == [
        ("2", False),
        ("1", False),
        ("3", True),
        None,
    ]


@pytest.mark.parametrize("lease", [None, 60])
def test_many_clients_at_once_never_get_the_same_message(migrated_url: str, lease: int | None) -> None:
    first = Store(Database(migrated_url))
    push(first, *map(str, range(MANY)))
    got: list[list[str]] = [[] for _ in range(CLIENTS)]
    failures: list[BaseException] = []
    together = threading.Barrier(CLIENTS)

    def take(mine: list[str]) -> None:
        store = Store(Database(migrated_url))
        try:
            together.wait(20)
            while some := pop(store, count=3, lease=lease):
                mine += bodies(some)
                for each in some if lease else ():
                    assert end_lease(store, each.receipt, remove=True)
        except BaseException as error:  # noqa: BLE001 - the test reports every kind of error
            failures.append(error)
        store.close()

    threads = [threading.Thread(target=take, args=[mine]) for mine in got]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Counter(body for mine in got for body in mine) == Counter(map(str, range(MANY)))
    for mine in got:  # each client sees them in their order
        assert mine == sorted(mine, key=int)
    assert counts(first) == (0, 0)
    first.close()


def test_a_message_with_a_lease_comes_back_to_its_place_when_the_lease_has_run_out(store: Store) -> None:
    push(store, "1", "2", "3")
    (first,) = pop(store, lease=10)
    assert (first.body, first.deliveries, first.leased_until) == ("1", 1, NOW + timedelta(seconds=10))
    assert counts(store) == (2, 1)
    assert bodies(pop(store, later=9)) == ["2"]
    assert counts(store, later=10) == (2, 0)
    assert store.message_queues.next_end("a") == NOW + timedelta(seconds=10)
    (again,) = pop(store, lease=10, later=10)
    assert (again.body, again.deliveries) == ("1", 2)
    assert not end_lease(store, first.receipt, remove=True), "another client has it now"
    assert end_lease(store, again.receipt, remove=True)
    assert not end_lease(store, again.receipt, remove=True)
    assert bodies(pop(store, count=5, later=99)) == ["3"]
    assert store.message_queues.next_end("a") is None


def test_a_late_client_can_end_the_lease_of_a_message_that_nobody_took_since(store: Store) -> None:
    push(store, "1", "2")
    first, second = pop(store, count=2, lease=1)
    push(store, "3")
    assert bodies(pop(store, "other", later=5)) == []
    assert counts(store, later=5) == (3, 0)
    assert end_lease(store, first.receipt, remove=True)
    assert end_lease(store, second.receipt, remove=False)
    assert not end_lease(store, second.receipt, remove=True), "it was given back"
    assert [(each.body, each.deliveries) for each in pop(store, count=5, later=5)] == [("2", 2), ("3", 1)]


def test_there_is_room_for_so_many_messages_and_no_more(store: Store) -> None:
    assert push(store, "1", "2", most=3) == [True, True]
    assert push(store, "3", "4", "5", queue="b", most=3) == [True, False, False]
    pop(store, lease=5)
    assert push(store, "6", most=3) == [False], "a leased message takes room too"
    pop(store)
    assert push(store, "7", "8", most=3) == [True, False]
    assert store.message_queues.counts("a", NOW).waiting == 1


def test_a_page_reads_what_waits_in_its_order_and_changes_nothing(store: Store) -> None:
    push(store, *map(str, range(1, 8)))
    push(store, "x", queue="b")
    pop(store, lease=10)
    assert bodies(pop(store)) == ["2"]
    for later, expected in ((0, "34567"), (10, "134567")):
        found: list[str] = []
        after = 0
        while True:
            page = store.message_queues.page("a", after, 2, NOW + timedelta(seconds=later))
            found += page.bodies
            assert len(page.bodies) <= 2
            if page.last is None:
                break
            after = page.last
        assert "".join(found) == expected
    assert counts(store, later=10) == (6, 0)


def test_long_messages_end_a_page_early(store: Store) -> None:
    long = f'"{"x" * (reading.LONGEST_PAGE // 3)}"'
    push(store, *[long] * 5)
    first = store.message_queues.page("a", 0, 1000, NOW)
    assert len(first.bodies) == 2
    assert first.last is not None
    assert len(store.message_queues.page("a", first.last, 1000, NOW).bodies) == 2


def test_a_purge_removes_what_was_there_in_small_steps(store: Store) -> None:
    push(store, *map(str, range(7)))
    push(store, "x", queue="b")
    leased = pop(store, count=2, lease=60)
    last = store.messages.last_row()
    push(store, "later")
    removed = []
    while some := store.messages.purge("a", last, 3):
        removed.append(some)
    assert removed == [3, 3, 1]
    assert not end_lease(store, leased[0].receipt, remove=True)
    assert bodies(pop(store, count=5)) == ["later"]
    assert counts(store, "b") == (1, 0)


@pytest.mark.parametrize("storage", ["sqlite"])
def test_every_statement_finds_its_rows_in_an_index(store: Store, tmp_path: Path) -> None:
    statements: list[tuple[str, object]] = []
    push(store, *map(str, range(5)))
    database = store.database
    with database.write() as connection, database.read() as reader:
        for engine in {connection.engine, reader.engine}:
            event.listen(engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
    (leased,) = pop(store, lease=5)
    pop(store, later=6)
    end_lease(store, leased.receipt, remove=True)
    store.message_queues.all_counts(NOW)
    store.message_queues.page("a", 0, 10, NOW)
    store.messages.purge("a", 100, 10)
    seen = {(sql, str(parameters)): parameters for sql, parameters in statements if "messages" in sql}
    assert len(seen) > 8
    with database.read() as connection:
        for (sql, _), parameters in seen.items():
            if sql.startswith("INSERT"):
                continue
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)  # type: ignore[arg-type] # as sent
            plan = [step.detail for step in steps]
            assert not [step for step in plan if step.startswith("SCAN messages") and "INDEX" not in step], (sql, plan)
        assert connection.execute(text("SELECT count(*) FROM messages")).scalar_one() == 0
