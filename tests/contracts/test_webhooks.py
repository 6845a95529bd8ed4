"""Webhooks on each database: what they must hear of, in which order, and who may send it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from queue_tool.errors import DeliveryNotFound, WebhookNotFound
from queue_tool.execution.builtin import sleep_type
from queue_tool.model import json_text
from queue_tool.model.batch import UNNAMED, Label, NewBatch, SealedBy, judge_of, new_batch
from queue_tool.model.delivery import Leased, Try
from queue_tool.model.new_task import PLAIN, Options
from queue_tool.model.outcome import Outcome as Ended
from queue_tool.model.states import MOST_LOSSES, Code, Move
from queue_tool.model.task import Timing
from queue_tool.model.webhook import MOST_ENDS, MOST_ROWS, Event, TryResult, Webhook, events_of
from queue_tool.services.submit import make_tokens
from queue_tool.store import AddBatch, Addition, AddTask, Process, Store
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.transactions import own_number
from queue_tool.store.outbox import write_ends
from queue_tool.store.tables import listening, tasks
from queue_tool.store.webhook_tables import deliveries, outbox, webhooks
from tests.adding import add_to
from tests.runs import claim_runs, settle_runs

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
GOOD, BAD = {"item": "a", "valor": 0}, {"item": "b"}
SLEEP = sleep_type(60)
PROCESS = Process(kind="test", host="here", machine="here", pid=1, pid_started="1", name="")
URL = "https://hooks.example/in"


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    with closing(Store(Database(migrated_url))) as made:
        yield made


def batch_of(values: Sequence[object], options: Options = PLAIN, label: Label = UNNAMED) -> NewBatch:
    return new_batch(values, judge_of(SLEEP, options), make_tokens(len(values) + 1, NOW), NOW, label=label)


def added(store: Store, count: int, options: Options = PLAIN, label: Label = UNNAMED) -> NewBatch:
    new = batch_of([GOOD] * count, options, label)
    add_to(store, new)
    return new


def tokens_of(new: NewBatch) -> list[str]:
    return [task.token for task in new.accepted]


def worker(store: Store) -> int:
    return store.workers.register(PROCESS, NOW, None)


def ended(store: Store, tokens: Sequence[str], move: Move = Move.FINISH, owner: int | None = None) -> None:
    """Run tasks in one transaction for the claim, and one for the settle."""
    by = worker(store) if owner is None else owner
    claim_runs(store, [(token, 1) for token in tokens], by, NOW)
    code = Code.ERROR if move is Move.FAIL else None
    outcomes = [Ended(token=token, run=1, move=move, result="1", code=code, error=code) for token in tokens]
    settle_runs(store, outcomes, by, NOW)


def registered(store: Store, *words: str, **filters: Any) -> str:
    webhook = Webhook(id=make_tokens(1, NOW)[0], url=URL, events=events_of(words or ["all"]), created_at=NOW, **filters)
    store.webhooks.add(webhook, "whsec_abc")
    return webhook.id


def rows(store: Store) -> list[Any]:
    with store.database.read() as connection:
        return list(connection.execute(select(outbox).order_by(outbox.c.id)))


def heard(store: Store, webhook: str) -> list[tuple[str, str]]:
    """Return event and subject of each end that a webhook must hear of, in their order."""
    row = store.deliveries.row_of(webhook)
    found: list[Any] = [json_text.loads(each.ends) for each in rows(store) if each.webhook_id == row]
    return [(end[0], end[1]) for ends in found for end in ends]


def leased(store: Store, webhook: str, owner: int) -> Leased | None:
    row = store.deliveries.row_of(webhook)
    assert row is not None
    return store.deliveries.lease(row, owner, make_tokens(1, NOW)[0], datetime.now(UTC))


def subjects(message: Leased | None) -> list[str]:
    assert message is not None
    return [end.subject for end in message.ends]


def tried(message: Leased, outcome: TryResult) -> Try:
    return Try(
        message=message.id,
        type="ends",
        count=len(message.ends),
        at=datetime.now(UTC),
        number=message.tries + 1,
        outcome=outcome,
        seconds=0.1,
        status=None,
        answer="",
        problem="nobody answers",
    )


def deliver(store: Store, message: Leased | None) -> None:
    assert message is not None
    store.deliveries.delivered(message, tried(message, TryResult.DELIVERED), 0)


def fail(store: Store, message: Leased | None, pause: float | None = 0, outcome: TryResult = TryResult.RETRIED) -> None:
    assert message is not None
    store.deliveries.failed(message, tried(message, outcome), pause)


# -- what is written when tasks and batches end --------------------------------------------------------------


def test_every_way_to_end_tells_the_webhooks_that_listen(store: Store) -> None:
    everything, failures = registered(store), registered(store, "task.failed")
    told: list[tuple[str, str]] = []

    def tell(event: Event, subject: str) -> None:
        told.append((event.value, subject))

    first = added(store, 3)
    one, two, three = tokens_of(first)
    ended(store, [one, two])
    tell(Event.TASK_FINISHED, one)
    tell(Event.TASK_FINISHED, two)
    store.control.cancel([three], "ana", "", NOW)
    tell(Event.TASK_CANCELED, three)
    tell(Event.BATCH_FINISHED, first.id)

    (failing,) = tokens_of(second := added(store, 1))
    ended(store, [failing], Move.FAIL)
    tell(Event.TASK_FAILED, failing)
    tell(Event.BATCH_FINISHED, second.id)

    (late,) = tokens_of(third := added(store, 1, Options(timing=Timing(expires_at=NOW))))
    store.upkeep.expire(NOW + DAY, 10)
    tell(Event.TASK_FAILED, late)
    tell(Event.BATCH_FINISHED, third.id)

    (killer,) = tokens_of(fourth := added(store, 1))
    with store.database.write() as connection:
        connection.execute(update(tasks).where(tasks.c.token == killer).values(losses=MOST_LOSSES - 1))
    owner = worker(store)
    claim_runs(store, [(killer, 1)], owner, NOW)
    store.runs.take_back([owner], NOW)
    tell(Event.TASK_FAILED, killer)
    tell(Event.BATCH_FINISHED, fourth.id)

    add_to(store, refused := batch_of([BAD]))
    tell(Event.BATCH_FINISHED, refused.id)
    opened = make_tokens(1, NOW)[0]
    store.open_batches.add(opened, UNNAMED, None, NOW)
    store.open_batches.seal(opened, SealedBy.REQUEST, NOW)
    tell(Event.BATCH_FINISHED, opened)

    assert heard(store, everything) == told
    assert heard(store, failures) == [end for end in told if end[0] == Event.TASK_FAILED]


def test_one_row_lists_what_one_transaction_ends_of_one_batch(store: Store) -> None:
    webhook = registered(store)
    big, small = added(store, MOST_ENDS + 1), added(store, 2)
    ended(store, [*tokens_of(big), *tokens_of(small)])
    assert [(row.batch, row.count) for row in rows(store)] == [(big.id, MOST_ENDS), (big.id, 2), (small.id, 3)]
    assert Counter(event for event, _ in heard(store, webhook)) == {"task.finished": 1003, "batch.finished": 2}


def test_filters_leave_out_other_ends(store: Store) -> None:
    marked = added(store, 1, Options(tags=("a", "b")))
    other = added(store, 1, Options(tags=("c",)))
    by_tag, by_batch = registered(store, tag="b"), registered(store, batch=other.id)
    by_type, by_other_type = registered(store, task_type="sleep"), registered(store, task_type="echo")
    only_batches = registered(store, "batch.finished")
    ended(store, tokens_of(marked) + tokens_of(other))
    assert [subject for _, subject in heard(store, by_tag)] == tokens_of(marked)
    assert [subject for _, subject in heard(store, by_batch)] == [*tokens_of(other), other.id]
    assert [subject for _, subject in heard(store, by_type)] == tokens_of(marked) + tokens_of(other)
    assert heard(store, by_other_type) == []
    assert [subject for _, subject in heard(store, only_batches)] == [marked.id, other.id]


def test_nothing_is_written_if_nobody_listens_any_more_or_not_yet(store: Store) -> None:
    ended(store, tokens_of(added(store, 1)))
    assert not store.listens()
    webhook = registered(store)
    store.webhooks.remove(webhook)
    ended(store, tokens_of(added(store, 1)))
    other = registered(store)
    row = store.deliveries.row_of(other)
    assert row is not None
    store.webhooks.disable(row, "the receiver answered 410", NOW)
    ended(store, tokens_of(added(store, 1)))
    assert rows(store) == []
    store.webhooks.enable(other)
    (token,) = tokens_of(added(store, 1))
    ended(store, [token])
    assert heard(store, other)[0] == (Event.TASK_FINISHED, token)


def test_a_task_and_a_batch_may_have_a_webhook_of_their_own(store: Store) -> None:
    (mine,) = tokens_of(added(store, 1, Options(webhook=URL)))
    labeled = added(store, 1, label=Label(webhook=f"{URL}/2"))
    single = new_batch([GOOD], judge_of(SLEEP, Options(webhook=URL)), make_tokens(2, NOW), NOW).accepted[0]
    plain: list[Addition] = [
        AddBatch(new=batch_of([GOOD])),
        AddTask(new=single, now=NOW),
        AddTask(new=_plain(), now=NOW),
    ]
    store.additions.add(plain)
    opened = make_tokens(1, NOW)[0]
    store.open_batches.add(opened, Label(webhook=f"{URL}/3"), None, NOW)
    ended(store, [mine, *tokens_of(labeled), *(task.token for request in plain for task in request.tasks)])
    store.open_batches.seal(opened, SealedBy.REQUEST, NOW)
    listed: list[tuple[str, Any]] = [(row.url, json_text.loads(row.ends)) for row in rows(store)]
    found = {(url, end[1]) for url, ends in listed for end in ends}
    assert found == {(URL, mine), (URL, single.token), (f"{URL}/2", labeled.id), (f"{URL}/3", opened)}

    ids = iter(make_tokens(9, NOW))
    store.outbox_upkeep.assign(lambda: next(ids), NOW)
    own, _ = store.webhooks.page(10, None)
    assert {webhook.url: webhook.waiting for webhook in own} == {URL: 2, f"{URL}/2": 1, f"{URL}/3": 1}
    assert all(webhook.own for webhook in own)
    assert len({store.webhooks.own_secret(each) for each in ("first", "second")}) == 1
    with pytest.raises(WebhookNotFound):
        store.webhooks.rotate(own[0].id, "other", NOW, DAY)


def _plain() -> Any:
    return new_batch([GOOD], judge_of(SLEEP), make_tokens(2, NOW), NOW).accepted[0]


# -- who sends what, and when --------------------------------------------------------------------------------


def test_a_message_keeps_its_ends_and_its_id_until_it_is_delivered(store: Store) -> None:
    webhook, owner = registered(store, "task.finished"), worker(store)
    first, second = tokens_of(added(store, 1)), tokens_of(added(store, 1))
    ended(store, first)
    before = leased(store, webhook, owner)
    assert subjects(before) == first
    ended(store, second)
    assert leased(store, webhook, worker(store)) is None, "one process at a time sends to a webhook"
    fail(store, before)
    again = leased(store, webhook, owner)
    assert before is not None
    assert again is not None
    assert (again.id, subjects(again), again.tries) == (before.id, first, 1)
    deliver(store, again)
    after = leased(store, webhook, owner)
    assert subjects(after) == second
    deliver(store, after)
    assert leased(store, webhook, owner) is None
    assert not store.deliveries.wait()


def test_the_lease_of_a_process_that_is_gone_is_over(store: Store) -> None:
    webhook, killed, owner = registered(store), worker(store), worker(store)
    ended(store, tokens_of(added(store, 1)))
    lost = leased(store, webhook, killed)
    assert lost is not None
    store.workers.mark_gone([killed], NOW)
    (due,) = store.deliveries.due(datetime.now(UTC), 10)
    taken = leased(store, webhook, owner)
    assert taken is not None
    assert (taken.id, taken.to.row) == (lost.id, due.row)
    fail(store, lost, 1000)  # the process lives after all, and changes nothing that belongs to another one
    fail(store, taken, 1000)
    assert store.deliveries.due(datetime.now(UTC), 10) == []
    deliver(store, lost)
    assert not store.deliveries.wait(), "what was delivered is not sent again, whoever did it"


def test_a_message_is_bounded_and_a_pause_holds(store: Store) -> None:
    webhook, owner = registered(store, "task.finished"), worker(store)
    many = added(store, MOST_ROWS + 1)
    for token in tokens_of(many):
        ended(store, [token], owner=owner)
    full = leased(store, webhook, owner)
    assert full is not None
    assert (len(full.ends), full.is_full) == (MOST_ROWS, True)
    store.deliveries.delivered(full, tried(full, TryResult.DELIVERED), 1000)
    assert leased(store, webhook, owner) is None
    store.webhooks.enable(webhook)
    last = leased(store, webhook, owner)
    assert last is not None
    assert (subjects(last), last.is_full) == (tokens_of(many)[-1:], False)


def test_what_was_given_up_and_what_was_delivered_can_be_delivered_again(store: Store) -> None:
    webhook, owner = registered(store, "task.finished"), worker(store)
    row = store.deliveries.row_of(webhook)
    assert row is not None
    first, second = tokens_of(added(store, 1)), tokens_of(added(store, 1))
    ended(store, first)
    deliver(store, done := leased(store, webhook, owner))
    ended(store, second)
    fail(store, leased(store, webhook, owner), None, TryResult.PARKED)
    assert not store.deliveries.wait()
    assert done is not None
    assert store.deliveries.redeliver(row, done.id, None) == 1
    again = leased(store, webhook, owner)
    assert again is not None
    assert (again.id, subjects(again)) == (done.id, first)
    deliver(store, again)
    with pytest.raises(DeliveryNotFound):
        store.deliveries.redeliver(row, "unknown", None)
    assert store.deliveries.redeliver(row, None, NOW + DAY) == 0
    assert store.deliveries.redeliver(row, None, NOW - DAY) == 2
    assert [subjects(leased(store, webhook, owner))] == [first]
    page, following = store.deliveries.page(row, 2, None)
    assert [each.outcome for each in page] == [TryResult.DELIVERED, TryResult.PARKED]
    assert [each.outcome for each in store.deliveries.page(row, 2, following)[0]] == [TryResult.DELIVERED]


def test_a_receiver_that_wants_no_more_is_disabled(store: Store) -> None:
    webhook, owner = registered(store), worker(store)
    ended(store, tokens_of(added(store, 1)))
    fail(store, leased(store, webhook, owner), None, TryResult.DISABLED)
    found = store.webhooks.get(webhook)
    assert (found.disabled_at is not None, found.waiting) == (True, 0)
    ended(store, tokens_of(added(store, 1)))
    assert len(rows(store)) == 1


def test_old_rows_go_and_what_waits_stays(store: Store) -> None:
    webhook, owner = registered(store), worker(store)
    (mine,) = tokens_of(added(store, 1, Options(webhook=URL)))
    ended(store, [mine])
    ids = iter(make_tokens(9, NOW))
    store.outbox_upkeep.assign(lambda: next(ids), NOW)
    own = next(each.id for each in store.webhooks.page(9, None)[0] if each.own)
    deliver(store, leased(store, webhook, owner))
    assert store.outbox_upkeep.forget(NOW + 2 * DAY, 3 * DAY, 7 * DAY, 100) == 0
    assert store.outbox_upkeep.forget(NOW + 4 * DAY, 3 * DAY, 7 * DAY, 100) == 1
    assert [row.state for row in rows(store)] == ["waiting"]
    deliver(store, leased(store, own, owner))
    while store.outbox_upkeep.forget(NOW + 8 * DAY, 3 * DAY, 7 * DAY, 1):
        pass
    with store.database.read() as connection:
        left = [connection.execute(select(table)).all() for table in (outbox, deliveries)]
        urls = connection.execute(select(webhooks.c.own)).scalars().all()
    assert (left, urls) == ([[], []], [0])


def test_a_transaction_that_commits_late_is_not_overtaken(store: Store, storage: str) -> None:
    if storage == "sqlite":  # there only one transaction writes at a time
        with store.database.read() as connection:
            assert connection.execute(select(own_number())).scalar() == 0
        return
    webhook, owner = registered(store, "task.finished"), worker(store)
    early, late = tokens_of(added(store, 1)), tokens_of(added(store, 1))
    by = worker(store)
    claim_runs(store, [(early[0], 1)], by, NOW)
    with store.database.write() as connection:
        version = connection.execute(select(listening.c.version)).scalar_one()
        connection.execute(update(tasks).where(tasks.c.token == early[0]).values(state="finished"))
        write_ends(connection, version, early, (), 1)
        ended(store, late)
        assert leased(store, webhook, owner) is None, "the earlier transaction has not ended"
    assert subjects(leased(store, webhook, owner)) == early + late
