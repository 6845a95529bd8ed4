"""Open batches on each database: kept whole, once and in order, whatever happens between commit, push and note."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from queue_tool.errors import BatchSealed, QueueToolError, WrongStart
from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import UNNAMED, NewBatch, SealedBy, judge_of, new_batch
from queue_tool.model.new_task import Accepted
from queue_tool.model.states import State
from queue_tool.services.submit import make_tokens
from queue_tool.store import Added, AddElements, PushedTickets, Store
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.line import SMALL
from queue_tool.store.tables import batches, parts, tasks, windows
from tests.runs import claim_runs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
GOOD = {"item": "a", "valor": 0}
SLEEP = sleep_type(60)
LIST = "default"
SENDER = 7


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    with closing(Store(Database(migrated_url))) as made:
        yield made


def opened(store: Store) -> str:
    batch = make_tokens(1, NOW)[0]
    assert store.open_batches.add(batch, UNNAMED, "sleep", NOW) is None
    return batch


def elements(batch: str, start: int, values: Sequence[object]) -> NewBatch:
    return new_batch(values, judge_of(SLEEP), [batch, *make_tokens(len(values), NOW)], NOW, start=start)


def request(batch: str, start: int, count: int, *, hold: bool = False) -> AddElements:
    new = elements(batch, start, [GOOD] * count)
    return AddElements(new=new, start=start, digest=f"{count}", hold=[LIST] if hold else [])


def add(store: Store, wanted: AddElements) -> Added:
    (added,) = store.additions.add([wanted], sender=SENDER)
    if added.error is not None:
        raise added.error
    return added


def sent(wanted: AddElements) -> list[str]:
    return [task.token for task in wanted.tasks]


def fill(store: Store, room: int) -> list[str]:
    """Do what a filler does, except the push; return the tokens that it would push."""
    portion = store.windows.next(LIST, room)
    assert not portion.others
    assert store.windows.note(portion, room, room, NOW)
    return [token for _, found in portion.first_runs for token in found]


def unpushed(store: Store, *, alive: bool) -> list[tuple[int, bool]]:
    found = store.parts.unpushed(NOW, timedelta(seconds=20), lambda _: alive)
    return [(part.start, part.in_line) for part in found]


def rows(store: Store, statement: Any) -> list[Any]:
    with store.database.read() as connection:
        return list(connection.execute(statement).all())


def test_a_part_is_kept_once_and_the_batch_ends_only_after_its_seal(store: Store) -> None:
    batch = opened(store)
    mixed = AddElements(new=elements(batch, 0, [GOOD, None, GOOD]), start=0, digest="a")
    first = add(store, mixed)
    assert (first.part is not None, first.held) == (True, False)
    again = add(store, AddElements(new=elements(batch, 0, [GOOD] * 3), start=0, digest="a"))
    assert again.repeated is not None
    assert again.part is None
    found = store.open_batches.elements(batch, 0, again.repeated.count)
    assert [element.token if isinstance(element, Accepted) else None for element in found] == [
        mixed.new.accepted[0].token,
        None,
        mixed.new.accepted[1].token,
    ]
    for start, digest in ((0, "b"), (1, "a"), (4, "a")):
        with pytest.raises(WrongStart, match="3 elements"):
            add(store, AddElements(new=elements(batch, start, [GOOD]), start=start, digest=digest))
    refused = AddElements(new=elements(batch, 3, [None]), start=3, digest="c")
    assert add(store, refused).part is not None
    one, two, three = request(batch, 4, 2), request(batch, 6, 1), request(batch, 6, 1)  # in one transaction
    answers = store.additions.add([one, two, three])
    assert [answer.part is not None for answer in answers] == [True, True, False]
    assert answers[2].repeated is not None
    assert [element.index for element in store.open_batches.elements(batch, 3, 10)] == [3, 4, 5, 6]
    assert [element.index for element in store.open_batches.elements(batch, 6, 10)] == [6]

    tokens = [row.token for row in rows(store, select(tasks.c.token).order_by(tasks.c.id))]
    assert tokens == [*sent(mixed), *sent(one), *sent(two)]
    assert store.control.cancel(tokens, "me", "", NOW).finished == ()
    now = store.batches.get(batch)
    assert (now.total, now.open, now.counts[State.CANCELED], now.finished_at, now.progress) == (7, 0, 5, None, 1.0)
    assert (store.batches.ended([batch]), store.control.remove(tokens)) == (set(), 0)
    assert store.upkeep.forget(NOW + DAY, 0, 100).last
    assert store.batches.get(batch).total == 7
    assert store.open_batches.seal(batch, SealedBy.REQUEST, NOW).is_finished
    assert not store.open_batches.seal(batch, SealedBy.CANCEL, NOW).was_open
    sealed = store.batches.get(batch)
    assert (sealed.finished_at, sealed.sealed_by, sealed.is_open) == (NOW, SealedBy.REQUEST, False)
    with pytest.raises(BatchSealed):
        add(store, request(batch, 7, 1))
    assert store.control.remove(tokens) == 5
    assert store.upkeep.forget_batches(NOW + DAY) == 1
    assert rows(store, select(parts)) == []


def test_a_part_that_was_not_pushed_is_found_after_the_death_of_its_sender_and_the_audit_ignores_it(
    store: Store,
) -> None:
    batch = opened(store)
    first, second = request(batch, 0, 3), request(batch, 3, 2)
    done = add(store, first).part
    assert done is not None
    marks = PushedTickets(at=NOW, parts=[done.key])
    (answer,) = store.additions.add([second], pushed=marks, sender=SENDER)
    assert answer.part is not None
    assert unpushed(store, alive=True) == []
    assert unpushed(store, alive=False) == [(3, False)]
    assert store.tickets.pushes_done_until() == done.last
    store.parts.end_grace(answer.part.key)
    (part,) = store.parts.unpushed(NOW, DAY, lambda _: True)
    present, missing = sent(second)
    store.parts.hand_over(part, {present}, NOW)
    assert [ticket.token for ticket in store.tickets.unpushed(LIST, 10)] == [missing]
    assert unpushed(store, alive=False) == []
    assert store.tickets.pushes_done_until() == answer.part.last


def test_parts_wait_behind_each_other_in_the_order_of_the_batch_and_are_pushed_once(store: Store) -> None:
    batch = opened(store)
    large, small, last = request(batch, 0, SMALL + 1, hold=True), request(batch, SMALL + 1, 5), None
    assert add(store, large).held
    assert unpushed(store, alive=False) == []  # it is in line, so nobody must push it
    assert fill(store, 10) == sent(large)[:10]
    behind = add(store, small)
    assert (behind.held, behind.behind) == (True, {LIST})
    assert unpushed(store, alive=False) == [(SMALL + 1, True)]
    last = request(batch, SMALL + 6, 5)
    add(store, last)
    assert [*fill(store, 50), *fill(store, 500)] == [*sent(large)[10:], *sent(small), *sent(last)]
    assert rows(store, select(windows)) == []
    for part in store.parts.unpushed(NOW, DAY, lambda _: False):
        assert store.parts.lists(part) == [LIST]
        assert store.parts.out_of_line(part, LIST) == sent(small if part.start == SMALL + 1 else last)[-1]
        claim_runs(store, [(token, 1) for token in sent(small if part.start == SMALL + 1 else last)], 1, NOW)
        assert store.parts.out_of_line(part, LIST) is None  # nothing of it waits any more
        store.parts.finish(part.key, NOW)
    assert unpushed(store, alive=False) == []


def test_a_part_that_came_while_a_filler_emptied_the_line_joins_it_again(store: Store) -> None:
    batch = opened(store)
    first, second, third = request(batch, 0, SMALL + 1, hold=True), request(batch, SMALL + 1, 5), None
    add(store, first)
    portion = store.windows.next(LIST, 500)
    part = add(store, second).part
    assert part is not None
    assert part.in_line
    assert store.windows.note(portion, 500, 500, NOW)  # it has not seen the part, and takes the batch out of the line
    assert rows(store, select(windows)) == []
    assert store.parts.out_of_line(part, LIST) == sent(second)[-1]
    third = request(batch, SMALL + 6, 5, hold=True)  # comes before the check of the second one
    assert not add(store, third).behind
    assert store.parts.out_of_line(part, LIST) is None
    assert fill(store, 500) == [*sent(second), *sent(third)]

    fourth = request(batch, SMALL + 11, 5, hold=True)
    assert add(store, fourth).part is not None  # a new line begins: nothing to check
    portion = store.windows.next(LIST, 500)
    fifth = request(batch, SMALL + 16, 5)
    last = add(store, fifth).part
    assert last is not None
    assert store.windows.note(portion, 500, 500, NOW)
    for _ in range(2):
        store.parts.join_again(last, LIST)
    assert fill(store, 500) == sent(fifth)


def test_a_batch_that_gets_nothing_for_a_day_is_sealed(store: Store) -> None:
    idle, busy = opened(store), opened(store)
    with store.database.write() as connection:
        connection.execute(update(batches).values(filled_at=micros(NOW - 2 * DAY)))
    add(store, request(busy, 0, 1))
    assert store.open_batches.idle(NOW, DAY) == [idle]
    assert store.open_batches.seal(idle, SealedBy.SWEEPER, NOW, patience=DAY).is_finished
    assert not store.open_batches.seal(busy, SealedBy.SWEEPER, NOW, patience=DAY).was_open
    assert store.batches.get(idle).sealed_by is SealedBy.SWEEPER
    assert store.batches.get(busy).is_open


@dataclass(frozen=True, slots=True)
class Race:
    """Two things that happen to one batch at the same time, through two stores."""

    one: Callable[[Store, str], object]
    other: Callable[[Store, str], object]


def cancel_all(store: Store, batch: str) -> None:
    store.open_batches.seal(batch, SealedBy.CANCEL, NOW)
    tokens = [row.token for row in rows(store, select(tasks.c.token))]
    store.control.cancel(tokens, "me", "", NOW)


def attempt(change: Callable[[Store, str], object], store: Store, batch: str) -> object:
    try:
        return change(store, batch)
    except QueueToolError as error:
        return type(error)


@pytest.mark.parametrize("rival", ["same", "other", "seal", "cancel"])
def test_of_two_at_the_same_time_one_wins_and_the_counts_add_up(store: Store, migrated_url: str, rival: str) -> None:
    changes: dict[str, Callable[[Store, str], object]] = {
        "same": lambda each, batch: add(each, request(batch, 0, 3)),
        "other": lambda each, batch: add(each, request(batch, 0, 4)),
        "seal": lambda each, batch: each.open_batches.seal(batch, SealedBy.REQUEST, NOW),
        "cancel": cancel_all,
    }
    with closing(Store(Database(migrated_url))) as second, ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            batch = opened(store)
            mine = pool.submit(attempt, changes["same"], store, batch)
            theirs = pool.submit(attempt, changes[rival], second, batch)
            found = [mine.result(), theirs.result()]
            state = store.batches.get(batch)
            added = [each for each in found if isinstance(each, Added) and each.part is not None]
            assert state.total == sum(each.part.count for each in added if each.part is not None)
            if rival in ("same", "other"):
                (loser,) = [each for each in found if each not in added]
                assert isinstance(loser, Added) and loser.repeated if rival == "same" else loser is WrongStart
            else:
                assert added or found[0] is BatchSealed
                assert not state.is_open
            if rival == "cancel":
                assert (state.counts[State.CANCELED], state.finished_at) == (state.total, NOW)
            assert sum(state.counts.values()) == state.total
