"""Feeds on each database: what is written while somebody listens, what is read, and what is removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import NewBatch, judge_of, new_batch
from queue_tool.model.feed import KEPT_FOR, Place, Position
from queue_tool.model.new_task import PLAIN
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Code, Move
from queue_tool.model.webhook import MOST_ENDS, End
from queue_tool.services.submit import make_tokens
from queue_tool.store import Process, Store
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.transactions import own_number
from queue_tool.store.feeds import MANY, write_feeds
from queue_tool.store.webhook_tables import feed_ends
from tests.adding import add_to
from tests.runs import claim_runs, settle_runs
from tests.support import eventually

NOW = datetime.now(UTC)
PROCESS = Process(kind="test", host="here", machine="here", pid=1, pid_started="1", name="")


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    with closing(Store(Database(migrated_url))) as made:
        yield made


def added(store: Store, count: int) -> NewBatch:
    values = [{"item": "a", "valor": 0}] * count
    new = new_batch(values, judge_of(sleep_type(60), PLAIN), make_tokens(count + 1, NOW), NOW)
    add_to(store, new)
    return new


def ended(store: Store, tokens: Sequence[str], move: Move = Move.FINISH) -> None:
    """Run tasks in one transaction for the claim, and one for the settle."""
    owner = store.workers.register(PROCESS, NOW, None)
    claim_runs(store, [(token, 1) for token in tokens], owner, NOW)
    code = Code.ERROR if move is Move.FAIL else None
    outcomes = [Outcome(token=token, run=1, move=move, result="1", code=code, error=code) for token in tokens]
    settle_runs(store, outcomes, owner, NOW)


def opened(store: Store, batch: str | None = None) -> tuple[int, Position]:
    """Return a feed and its present end."""
    feed = store.feeds.open(batch, NOW)
    position = store.feeds.begin(feed, store.feeds.next_number())
    assert position is not None
    return feed, position


def read(store: Store, feed: int, after: Position) -> list[tuple[str, str]]:
    """Return event and subject of each end after a position."""
    rows = store.feeds.read(feed, after, 1000)
    assert rows is not None
    return [(end.event, end.subject) for row in rows for end in row.ends]


def test_ends_are_written_only_while_somebody_listens_each_to_its_feeds(store: Store) -> None:
    first, other = added(store, 3), added(store, 1)
    tokens = [task.token for task in first.accepted]
    ended(store, tokens[:1])
    assert not store.listens()
    everything, of_all = opened(store)
    mine, of_mine = opened(store, first.id)
    assert opened(store, first.id)[0] == mine != everything
    assert [read(store, everything, of_all), read(store, mine, of_mine)] == [[], []]
    ended(store, tokens[1:2], Move.FAIL)
    ended(store, [other.accepted[0].token])
    ended(store, tokens[2:])
    of_first = [("task.failed", tokens[1]), ("task.finished", tokens[2]), ("batch.finished", first.id)]
    of_other = [("task.finished", other.accepted[0].token), ("batch.finished", other.id)]
    assert read(store, mine, of_mine) == of_first
    assert read(store, everything, of_all) == [of_first[0], *of_other, *of_first[1:]]
    rows = store.feeds.read(everything, of_all, 1)
    assert rows is not None
    assert [(row.batch, len(row.ends), row.ends[0].code) for row in rows] == [(first.id, 1, "error")]
    assert read(store, everything, rows[0].position) == [*of_other, *of_first[1:]]
    assert read(store, everything, opened(store)[1]) == []


def test_a_client_starts_when_every_transaction_that_may_not_know_of_it_has_ended(store: Store) -> None:
    with store.database.write() as connection:
        connection.execute(own_number().select())  # it has begun, and has read who listens
        if store.database.is_file:
            return  # there is only one transaction at a time, and it reads who listens when it has begun
        number = store.feeds.next_number()
        assert store.feeds.begin(1, number) is None
    assert store.feeds.begin(1, number) is not None


def test_what_commits_later_is_read_later_although_its_row_was_written_first(store: Store) -> None:
    if store.database.is_file:
        return
    feed, start = opened(store)
    end = End("task.finished", "0" * 32, 1)
    with store.database.write() as slow:
        write_feeds(slow, {"": feed}, [(None, end)], micros(NOW))
        with store.database.write() as fast:
            write_feeds(fast, {"": feed}, [(None, end._replace(subject="1" * 32))], micros(NOW))
        assert read(store, feed, start) == []
    assert [subject[0] for _, subject in read(store, feed, start)] == ["0", "1"]


def test_many_ends_are_several_rows_and_a_read_returns_a_few_of_them(store: Store) -> None:
    feed, start = opened(store)
    ends = [(None, End("task.finished", f"{number:032x}", 1)) for number in range(MANY + 2 * MOST_ENDS)]
    with store.database.write() as connection:
        write_feeds(connection, {"": feed}, ends, micros(NOW))
    rows = store.feeds.read(feed, start, 1000)
    assert rows is not None
    assert sum(len(row.ends) for row in rows) == MANY
    assert read(store, feed, rows[-1].position) == [(end.event, end.subject) for _, end in ends[MANY:]]


def is_forgotten(store: Store, feed: int, start: Position) -> bool:
    """Remove what is old; return whether it is gone. A transaction in another database of the server may delay that."""
    store.feeds.forget(NOW)
    return not store.feeds.keeps(Place(feed=feed, position=start))


def test_old_ends_are_removed_and_whoever_missed_some_is_told(store: Store) -> None:
    new = added(store, 2)
    feed, start = opened(store)
    ended(store, [new.accepted[0].token])
    rows = store.feeds.read(feed, start, 10)
    assert rows is not None
    seen = rows[0].position
    with store.database.write() as connection:  # an end that was written long ago
        connection.execute(update(feed_ends).values(at=feed_ends.c.at - 2 * KEPT_FOR * 10**6))
    eventually(lambda: is_forgotten(store, feed, start))
    ended(store, [new.accepted[1].token])
    assert store.feeds.read(feed, start, 10) is None
    assert not store.feeds.keeps(Place(feed=feed, position=seen, ends=1))  # the rest of the row is gone
    assert store.feeds.keeps(Place(feed=feed, position=seen))
    assert [event for event, _ in read(store, feed, seen)] == ["task.finished", "batch.finished"]


def test_a_feed_that_nobody_renews_is_removed_and_no_end_is_written_any_more(store: Store) -> None:
    new = added(store, 2)
    (feed, start), (other, _) = opened(store), opened(store, new.id)
    ended(store, [new.accepted[0].token])
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE feeds SET until = 0")
    assert store.feeds.renew([other, 10**6], NOW) == {other}
    store.feeds.forget(NOW)
    assert not store.feeds.keeps(Place(feed=feed, position=start))
    assert read(store, other, start) == [("task.finished", new.accepted[0].token)]
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE feeds SET until = 0")
    store.feeds.forget(NOW)
    ended(store, [new.accepted[1].token])
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM feed_ends").scalar() == 0
    again, start = opened(store)
    assert again > other  # a number is never used again
    assert read(store, again, start) == []
