"""A closing whose commit breaks, and two that race: what follows exists exactly once, or nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from queue_tool.errors import StoreAway
from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import NewBatch, judge_of, new_batch
from queue_tool.model.continuation import When
from queue_tool.model.new_task import Continuation, NewTask, Options
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Move
from queue_tool.services.submit import make_tokens
from queue_tool.store import Process, Store
from queue_tool.store.engine.database import Database
from tests.adding import add_to
from tests.cutter import Cut, cutter
from tests.postgres import Cluster
from tests.runs import claim_runs, settle_runs

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SLEEP = sleep_type(60)
GOOD = {"item": "a", "valor": 0}
FOLLOWERS = (Continuation(when=When.ALWAYS, task=NewTask(index=0, token="", data=GOOD, task_type=SLEEP)),)


def batch_of(count: int) -> NewBatch:
    judge = judge_of(SLEEP, Options(on_finished=FOLLOWERS))
    return new_batch([GOOD] * count, judge, make_tokens(count + 1, NOW), NOW, on_finished=FOLLOWERS)


def running(store: Store, count: int) -> tuple[NewBatch, int]:
    """Add a batch of running tasks; return it with their owner."""
    batch = batch_of(count)
    add_to(store, batch)
    process = Process(kind="worker", host="h", machine="m", pid=1, pid_started="1")
    owner = store.workers.register(process, NOW)
    assert len(claim_runs(store, [(task.token, 1) for task in batch.accepted], owner, NOW)) == count
    return batch, owner


def finish(store: Store, batch: NewBatch, owner: int, number: int) -> int:
    """Settle one task; return how many batches that finished."""
    outcome = Outcome(token=batch.accepted[number].token, run=1, move=Move.FINISH, result="1")
    return len(settle_runs(store, [outcome], owner, NOW).finished)


def followers_of(store: Store, batch: NewBatch) -> tuple[int, list[int]]:
    """Return how many tasks follow a batch, and each of its tasks."""
    of_tasks = [store.listing.details(task.token) for task in batch.accepted]
    return (
        len(store.batches.get(batch.id).on_finished[0].tokens),
        [len(details.on_finished[0].tokens) for details in of_tasks if details is not None],
    )


@pytest.fixture(scope="module")
def database_name(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    name = cluster.new_database(migrated_template)
    yield name
    cluster.drop(name)


@pytest.mark.parametrize("how", [Cut.LOST, Cut.DONE, Cut.LATE])
def test_a_settle_that_is_repeated_after_a_broken_commit_is_followed_once(
    cluster: Cluster, database_name: str, how: Cut
) -> None:
    with (
        TemporaryDirectory() as folder,
        cutter(Path(folder), cluster.folder) as cuts,
        closing(Store(Database(f"postgresql://postgres@/{database_name}?host={folder}"))) as store,
        closing(Store(Database(cluster.url(database_name)))) as direct,
    ):
        batch, owner = running(direct, 1)
        cuts.cut_next(how)
        with pytest.raises(StoreAway):
            finish(store, batch, owner, 0)
        if how is not Cut.LATE:
            assert followers_of(direct, batch) == ((0, [0]) if how is Cut.LOST else (1, [1]))
        finish(store, batch, owner, 0)
        assert followers_of(direct, batch) == (1, [1])


def test_transactions_that_end_the_last_tasks_at_the_same_time_are_followed_once(
    cluster: Cluster, database_name: str
) -> None:
    count = 8
    with closing(Store(Database(cluster.url(database_name)))) as store, ThreadPoolExecutor(count) as pool:
        batch, owner = running(store, count)
        finished = list(pool.map(lambda number: finish(store, batch, owner, number), range(count)))
        assert sum(finished) == 1
        assert followers_of(store, batch) == (1, [1] * count)
