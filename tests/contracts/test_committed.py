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
from queue_tool.model.batch import UNNAMED, IdempotencyKey, judge_of, new_batch
from queue_tool.model.new_task import NewTask, Options
from queue_tool.services.submit import make_tokens
from queue_tool.store import AddBatch, AddElements, Addition, AddTask, Store
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


def elements(store: Store, *values: object) -> AddElements:
    """Return the request for the first elements of a new open batch."""
    batch, *fresh = make_tokens(len(values) + 1, NOW)
    assert store.open_batches.add(batch, UNNAMED, "sleep", NOW) is None
    return AddElements(new=new_batch(values, judge_of(SLEEP), [batch, *fresh], NOW), start=0, digest="d")


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


def failure_of(store: Store, request: Addition) -> type[StoreAway] | None:
    try:
        store.additions.add([request])
    except StoreAway as error:
        return type(error)
    return None


@pytest.mark.parametrize(("how", "error"), [(Cut.LOST, StoreAway), (Cut.DONE, None)])
def test_elements_whose_commit_breaks_are_known_by_their_tasks(
    cluster: Cluster, database_name: str, proxy: tuple[Cutter, Path], how: Cut, error: type[StoreAway] | None
) -> None:
    """Not by their place in the batch, which another client may have filled meanwhile."""
    cuts, folder = proxy
    url = f"postgresql://postgres@/{database_name}?host={folder}"
    with closing(Store(Database(url))) as store, closing(Store(Database(cluster.url(database_name)))) as direct:
        mixed, refused = elements(direct, GOOD, None), elements(direct, None)
        for request, raised in ((mixed, error), (refused, CommitUnknown)):
            cuts.cut_next(how)
            assert failure_of(store, request) is raised
            assert not cuts.is_waiting
            assert direct.open_batches.get(request.new.id).total == (
                0 if how is Cut.LOST else len(request.new.elements)
            )
            (again,) = store.additions.add([request])  # the client repeats it, whatever it was told
            assert (again.part is None) == (again.repeated is not None) == (how is Cut.DONE)
