"""Requests that are kept together have the same effect as requests that are kept one after the other."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from queue_tool.broker import InlineBroker
from queue_tool.errors import StoreAway, TooManyWaiting
from queue_tool.execution.builtin import sleep_type
from queue_tool.host.clock import CLOCK
from queue_tool.model.batch import IdempotencyKey, Label, Refused, judge_of, new_batch
from queue_tool.model.new_task import PLAIN, NewTask, Options
from queue_tool.services.submit import make_tokens
from queue_tool.services.submitter import Push, Submitter
from queue_tool.store import AddBatch, Added, Addition, AddTask, Store
from queue_tool.store.engine.database import Database
from queue_tool.store.line import SMALL
from queue_tool.store.tables import batches, tasks
from tests.support import LIMIT, eventually

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SLEEP = sleep_type(60)
GOOD = {"item": "a", "valor": 0}
BAD = {"item": "b"}
REQUESTS = 60
FORBIDDEN = "\0"  # PostgreSQL stores no text with this character, and SQLite does


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    with closing(Store(Database(migrated_url))) as opened:
        yield opened


def batch(*values: object, options: Options = PLAIN, key: IdempotencyKey | None = None, world: str = "") -> AddBatch:
    kind = replace(SLEEP, name=f"sleep{world}")
    tokens = make_tokens(len(values) + 1, NOW)
    return AddBatch(new=new_batch(values, judge_of(kind, options), tokens, NOW, key, label=Label(name="n")))


def one(options: Options = PLAIN, key: IdempotencyKey | None = None, world: str = "") -> AddTask:
    kind = replace(SLEEP, name=f"sleep{world}")
    judged = judge_of(kind, options)(GOOD, 0, make_tokens(1, NOW)[0])
    assert isinstance(judged, NewTask)
    return AddTask(new=judged, now=NOW, key=key)


def any_request(chance: random.Random, world: str = "") -> Addition:
    """Return a small or a large request, perhaps with an idempotency key, unique keys and refused elements."""
    unique = chance.choice([None, None, "u", "v"])
    tags = chance.choice([(), ("t",)])
    options = Options(unique_key=unique, tags=tags, name=chance.choice([None, "x"]))
    text = chance.choice([None, None, None, "k", "l"])
    key = text and IdempotencyKey(scope=f"s{world}", key=text, digest=chance.choice(["d", "e"]))
    if chance.random() < 0.4:
        return one(options, key or None, world)
    size = chance.choice([1, 1, 1, 2, 3, SMALL + 1])
    values = [GOOD if chance.random() < 0.9 else BAD for _ in range(size)]
    return batch(*values, options=options, key=key or None, world=world)


def shape(requests: Sequence[Addition], answers: Sequence[Added]) -> list[object]:
    """Return the answers with each id replaced by the number of its request."""
    places = {id_: number for number, request in enumerate(requests) for id_ in ids(request)}
    found: list[object] = []
    for added in answers:
        before = added.before and (added.before.digest, places[added.before.token or added.before.batch or ""])
        refused = [added.duplicate] if added.duplicate else list(added.instead.refused) if added.instead else []
        found.append((before, [(each.index, places.get(each.duplicate_of or "")) for each in refused], added.held))
    return found


def ids(request: Addition) -> list[str]:
    if isinstance(request, AddTask):
        return [request.new.token]
    return [request.new.id, *(task.token for task in request.new.accepted)]


def rows(store: Store, world: str) -> list[tuple[object, ...]]:
    """Return the tasks of a world in their order, each with its batch."""
    query = (
        select(
            tasks.c.position, tasks.c.name, tasks.c.unique_key, tasks.c.pushed_at, batches.c.accepted, batches.c.open
        )
        .outerjoin_from(tasks, batches, batches.c.id == tasks.c.batch_id)
        .where(tasks.c.task_type == f"sleep{world}")
        .order_by(tasks.c.id)
    )
    with store.database.read() as connection:
        return [tuple(row) for row in connection.execute(query)]


@pytest.mark.parametrize("seed", range(4))
def test_one_transaction_for_many_requests_gives_what_one_for_each_gives(store: Store, seed: int) -> None:
    together = [any_request(random.Random(seed * 1000 + number), "-together") for number in range(REQUESTS)]
    alone = [any_request(random.Random(seed * 1000 + number), "-alone") for number in range(REQUESTS)]
    found = store.additions.add(together)
    expected = [store.additions.add([request])[0] for request in alone]
    assert shape(together, found) == shape(alone, expected)
    assert rows(store, "-together") == rows(store, "-alone")
    assert len(rows(store, "-alone")) > REQUESTS / 3


def test_only_the_requests_that_find_no_room_are_refused(store: Store) -> None:
    requests: list[Addition] = [batch(GOOD, GOOD), batch(*[GOOD] * 3), one(), batch(GOOD), one()]
    found = store.additions.add(requests, max_waiting=4)
    assert [type(added.error) for added in found] == [
        type(None),
        TooManyWaiting,
        type(None),
        type(None),
        TooManyWaiting,
    ]
    assert len(rows(store, "")) == 4


@dataclass
class Web:
    """A web process, as far as it keeps tasks: a database object and a submitter of its own."""

    store: Store
    submitter: Submitter

    def keep(self, request: Addition) -> Added | Exception:
        try:
            added = self.submitter.keep(request)
        except Exception as error:  # noqa: BLE001 - the test compares it
            return error
        kept = added.instead or (request.new if isinstance(request, AddBatch) else None)
        if added == Added(instead=added.instead, held=added.held) and kept is not None:
            self.submitter.push([Push(tickets=kept.tickets, batch=kept.id)])
        return added


@pytest.fixture
def webs(migrated_url: str) -> Iterator[list[Web]]:
    with closing(Store(Database(migrated_url))) as first, closing(Store(Database(migrated_url))) as second:
        yield [Web(each, Submitter(each, InlineBroker(lambda _: None), CLOCK, 0)) for each in (first, second)]


def test_whatever_two_processes_keep_at_once_each_key_has_one_owner_and_nothing_is_lost(
    webs: list[Web], threads: ThreadPoolExecutor
) -> None:
    chance = random.Random(7)
    requests = [any_request(chance) for _ in range(REQUESTS)]
    requests += [one(Options(name=FORBIDDEN)), batch(GOOD, options=Options(name=FORBIDDEN))]
    chance.shuffle(requests)
    futures = [threads.submit(chance.choice(webs).keep, request) for request in requests]
    answers = [future.result(LIMIT) for future in futures]
    store = webs[0].store
    for request, answer in zip(requests, answers, strict=True):
        assert isinstance(answer, Added) or (has_forbidden(request) and not store.database.is_file)
    with store.database.read() as connection:
        stored = connection.execute(select(tasks)).all()
        counts = connection.execute(select(batches)).all()
    pairs = [(request, answer) for request, answer in zip(requests, answers, strict=True) if isinstance(answer, Added)]
    kept = [task.token for request, answer in pairs for task in kept_tasks(request, answer)]
    assert sorted(row.token for row in stored) == sorted(kept)
    owners = {row.unique_key: row.token for row in stored if row.unique_key}
    assert Counter(row.unique_key for row in stored if row.unique_key) == Counter(owners.keys())
    assert {each.duplicate_of for _, answer in pairs for each in refusals(answer)} <= {*owners.values()}
    by_batch = Counter(row.batch_id for row in stored if row.batch_id is not None)
    assert {row.id: row.accepted for row in counts if row.accepted} == by_batch
    assert all(row.open == row.accepted and row.pushed_at is not None for row in counts)
    used = Counter(
        request.key.key
        for request, answer in pairs
        if request.key and answer.before is None and not refused_key(answer)
    )
    assert used == {"k": 1, "l": 1}


def has_forbidden(request: Addition) -> bool:
    return any(task.options.name == FORBIDDEN for task in request.tasks)


def refused_key(answer: Added) -> bool:
    """Return whether a single task was refused, so that its idempotency key stays free."""
    return answer.duplicate is not None


def kept_tasks(request: Addition, answer: Added) -> Sequence[NewTask]:
    if answer.before or answer.duplicate:
        return ()
    return answer.instead.accepted if answer.instead else request.tasks


def refusals(answer: Added) -> list[Refused]:
    found = [answer.duplicate] if answer.duplicate else list(answer.instead.refused) if answer.instead else []
    return [each for each in found if each.duplicate_of]


def test_what_gathers_behind_a_slow_writer_is_one_transaction(webs: list[Web], threads: ThreadPoolExecutor) -> None:
    web, other = webs
    requests = [batch(GOOD) for _ in range(20)]
    with busy(other.store):  # so that the first request waits
        futures = [threads.submit(web.keep, request) for request in requests[:1]]
        eventually(lambda: web.submitter.is_busy)
        futures += [threads.submit(web.keep, request) for request in requests[1:]]
        eventually(lambda: web.submitter.waiting == len(requests) - 1)
    assert [future.result(LIMIT) for future in futures] == [Added()] * len(requests)
    with web.store.database.read() as connection:
        found = connection.execute(select(batches.c.public_id).order_by(batches.c.id)).scalars().all()
    assert {*found} == {request.new.id for request in requests}


def test_while_the_database_is_away_every_request_of_the_group_is_told(
    webs: list[Web], threads: ThreadPoolExecutor
) -> None:
    web, other = Web(*_impatient(webs[0])), webs[1]
    with busy(other.store):
        futures = [threads.submit(web.keep, batch(GOOD)) for _ in range(5)]
        found = [future.result(LIMIT) for future in futures]
    assert [type(error) for error in found] == [StoreAway] * 5
    assert web.keep(batch(GOOD)) == Added()
    web.store.close()


@contextmanager
def busy(store: Store) -> Iterator[None]:
    """Let nobody else add batches."""
    with store.database.write() as connection:
        if not store.database.is_file:
            connection.exec_driver_sql("LOCK TABLE batches")
        yield


def _impatient(web: Web) -> tuple[Store, Submitter]:
    store = Store(Database(web.store.database.url, timeout=0.3))
    return store, Submitter(store, InlineBroker(lambda _: None), CLOCK, 0)


def test_a_push_is_recorded_in_a_transaction_of_its_own_only_if_no_request_follows_in_time(store: Store) -> None:
    looks, seconds = threading.Semaphore(0), [0.0]

    def monotonic() -> float:
        if threading.current_thread().name == "recorder":
            looks.release()
        return seconds[0]

    def unpushed() -> list[str]:
        with store.database.read() as connection:
            return [*connection.execute(select(batches.c.public_id).where(batches.c.pushed_at.is_(None))).scalars()]

    clock = replace(CLOCK, monotonic=monotonic)
    submitter = Submitter(store, InlineBroker(lambda _: None), clock, 0, patience=0.01)
    sent = [batch(GOOD), batch(GOOD)]
    for request in sent:
        submitter.keep(request)
        submitter.push([Push(tickets=request.new.tickets, batch=request.new.id)])
    for _ in range(3):
        assert looks.acquire(timeout=LIMIT)
    assert unpushed() == [sent[1].new.id]  # the transaction of the second request has recorded the first one
    seconds[0] = 1.0
    eventually(lambda: not unpushed())
