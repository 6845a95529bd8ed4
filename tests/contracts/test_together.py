"""Concurrent workers on the same batches: no errors, no task done twice, and every count is right."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, update

from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import judge_of, new_batch
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Code, Move, State
from queue_tool.services.submit import make_tokens
from queue_tool.store import Store
from queue_tool.store.engine.database import Database
from queue_tool.store.tables import batches, tasks
from tests.adding import add_to
from tests.runs import claim_runs, settle_runs
from tests.support import LIMIT

SLEEP = sleep_type(60)
WORKERS = 8
ROUNDS = 6


def counted(store: Store, batch: str) -> dict[State, int]:
    """Count the tasks of a batch by their states."""
    of_batch = select(batches.c.id).where(batches.c.public_id == batch).scalar_subquery()
    query = select(tasks.c.state, func.count()).where(tasks.c.batch_id == of_batch).group_by(tasks.c.state)
    with store.database.read() as connection:
        return dict.fromkeys(State, 0) | {State(state): number for state, number in connection.execute(query)}


def test_a_claim_waits_for_a_transaction_that_marks_the_task_as_pushed_and_then_gets_it(migrated_url: str) -> None:
    now = datetime.now(UTC)
    store, other = Store(Database(migrated_url)), Database(migrated_url)
    batch = new_batch([{"item": "a", "valor": 0}] * 3, judge_of(SLEEP), make_tokens(4, now), now)
    add_to(store, batch)
    wanted = [(task.token, 1) for task in batch.accepted]
    begun = threading.Event()

    def claim() -> list[str]:
        begun.set()
        return [task.token for task in claim_runs(store, wanted, 1, now)]

    with ThreadPoolExecutor(1) as thread:
        with other.write(durable=False) as connection:
            connection.execute(update(tasks).where(tasks.c.token == wanted[1][0]).values(pushed_at=1))
            claimed = thread.submit(claim)
            begun.wait()
            with pytest.raises(TimeoutError):
                claimed.result(0.2)
        assert sorted(claimed.result(LIMIT)) == sorted(token for token, _ in wanted)
    store.close()
    other.close()


def test_eight_threads_claim_settle_and_cancel_in_the_same_batches(migrated_url: str) -> None:
    now = datetime.now(UTC)
    store = Store(Database(migrated_url))
    tokens: list[str] = []
    for _ in range(5):
        batch = new_batch([{"item": "a", "valor": 0}] * 200, judge_of(SLEEP), make_tokens(201, now), now)
        add_to(store, batch)
        tokens += [task.token for task in batch.accepted]
    ended: Counter[str] = Counter()
    failures: list[BaseException] = []

    def work(owner: int) -> None:
        mine, pick = Store(Database(migrated_url)), random.Random(owner)
        try:
            for _ in range(ROUNDS):
                wanted = [(token, 1) for token in pick.sample(tokens, 200)]
                claimed = claim_runs(mine, wanted, owner, now)
                pick.shuffle(claimed)
                canceled = mine.control.cancel(pick.sample(tokens, 100), "", "", now)
                ended.update(ticket.token for ticket in canceled.tickets)
                outcomes = [
                    Outcome(
                        token=task.token, run=1, move=move, result="1", code=Code.ERROR if move is Move.FAIL else None
                    )
                    for task in claimed
                    for move in [pick.choice([Move.FINISH, Move.FAIL])]
                ]
                ended.update(settle_runs(mine, outcomes, owner, now).tokens)
        except BaseException as error:  # noqa: BLE001 - the test reports every kind of error
            failures.append(error)
        mine.close()

    threads = [threading.Thread(target=work, args=[owner]) for owner in range(1, WORKERS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(ended.values()) == {1}
    states = Counter(store.tasks.states(tokens).values())
    assert sum(states[state] for state in State if state.ended) == len(ended)
    assert states[State.RUNNING] == 0
    for batch_id in {status.batch for token in tokens[::200] if (status := store.tasks.status(token))}:
        batch_now = store.batches.get(batch_id or "")
        assert batch_now.counts == counted(store, batch_now.id)
        assert sum(batch_now.counts.values()) == batch_now.accepted
        assert (batch_now.finished_at is None) == (batch_now.counts[State.QUEUED] > 0)
    store.close()
