"""A commit whose connection breaks: the requests are answered as what became of them, if that can be found out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from queue_tool.errors import CommitUnknown, StoreAway
from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import IdempotencyKey, NewTask, judge_of, new_batch
from queue_tool.model.options import Options
from queue_tool.services.submit import make_tokens
from queue_tool.store import AddBatch, Addition, AddTask, Store
from queue_tool.store.engine.database import Database
from queue_tool.store.line import SMALL
from tests.cutter import Cut, Cutter, cutter
from tests.postgres import Cluster

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SLEEP = sleep_type(60)
GOOD = {"item": "a", "valor": 0}


@pytest.fixture(scope="module")
def database_name(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    name = cluster.new_database(migrated_template)
    yield name
    cluster.drop(name)


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[tuple[Cutter, Path]]:
    with TemporaryDirectory() as folder, cutter(Path(folder), cluster.folder) as made:
        yield made, Path(folder)


def group(kind: str) -> list[Addition]:
    """Return requests of one transaction."""
    size = SMALL + 1 if kind == "large" else 2
    batch = new_batch([GOOD] * size, judge_of(SLEEP), make_tokens(size + 1, NOW), NOW)
    judged = judge_of(SLEEP, Options(unique_key=f"{kind}{batch.id}"))(GOOD, 0, make_tokens(1, NOW)[0])
    assert isinstance(judged, NewTask)
    task = AddTask(new=judged, now=NOW, key=IdempotencyKey(scope="s", key=judged.token, digest="d"))
    again = AddTask(new=judged, now=NOW)  # its unique key is in use
    return [task, again, AddBatch(new=batch)] if kind == "mixed" else [AddBatch(new=batch)]


def ids(requests: list[Addition]) -> tuple[set[str], set[str]]:
    batches = {request.new.id for request in requests if isinstance(request, AddBatch)}
    return batches, {task.token for request in requests for task in request.tasks}


@pytest.mark.parametrize("kind", ["small", "large", "mixed"])
@pytest.mark.parametrize("how", list(Cut))
def test_a_commit_whose_connection_breaks_is_answered_as_what_became_of_it(
    cluster: Cluster, database_name: str, proxy: tuple[Cutter, Path], how: Cut, kind: str
) -> None:
    cuts, folder = proxy
    requests = group(kind)
    batches, tokens = ids(requests)
    url = f"postgresql://postgres@/{database_name}?host={folder}"
    with closing(Store(Database(url))) as store, closing(Store(Database(cluster.url(database_name)))) as direct:
        cuts.cut_next(how)
        if how is Cut.LOST:
            with pytest.raises(StoreAway) as lost:
                store.additions.add(requests)
            assert not isinstance(lost.value, CommitUnknown)
        elif how is Cut.DARK:
            with pytest.raises(CommitUnknown):
                store.additions.add(requests)
        else:
            answers = store.additions.add(requests)
            assert [bool(added.duplicate) for added in answers] == [number == 1 for number, _ in enumerate(requests)]
        assert not cuts.is_waiting
        found = [batch for batch in direct.batches.get_all(list(batches)) if batch]
        assert len(found) == (0 if how is Cut.LOST else len(batches))
        assert set(direct.tasks.states(list(tokens))) == (set() if how is Cut.LOST else tokens)
