"""Lists: which tasks a filter matches, in pages, newest first, and each filter uses an index."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from queue_tool.errors import BadCursor
from queue_tool.model.batch import Label
from queue_tool.model.details import Summary
from queue_tool.model.filter import Filter
from queue_tool.model.outcome import Outcome
from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, Move, State
from queue_tool.model.task_request import Requests
from queue_tool.runtime import Runtime
from queue_tool.services.listing import MOST_COUNTED, Page
from queue_tool.store import Process, Store
from tests.depth import fill, page_work, plan_of, work_for
from tests.runs import claim_runs, settle_runs
from tests.support import now

START = now() - timedelta(hours=1)
DATA = {"item": "a", "valor": 0}
BATCH = "0" * 32


def requests(runtime: Runtime, at: datetime, *tasks: dict[str, Any]) -> str:
    """Submit a batch of tasks with this time as the current time; return the batch's id."""
    submit = replace(runtime.submit, clock=replace(runtime.clock, now=lambda: at))
    values = [{"task_type": "sleep", "data": DATA} | task for task in tasks]
    batch = submit(values, Requests(types=runtime.types, now=at)).batch
    assert batch is not None
    return batch


@pytest.fixture
def batches(runtime: Runtime) -> list[str]:
    """Batches with tasks of every kind, which two workers have partly run."""
    owners = [
        runtime.store.workers.register(
            Process(kind="worker", host=host, machine="m", pid=1, pid_started="1", name=f"w{host}"), now()
        )
        for host in ("a", "b")
    ]
    made = []
    for minute in range(6):
        at = START + timedelta(minutes=minute)
        made.append(
            requests(
                runtime,
                at,
                {"tags": ["red", f"m{minute}"], "name": f"job-{minute}", "priority": "high"},
                {"tags": ["red"], "custom_id": f"order-{minute}", "priority": "low"},
                {"custom_id": f"job-{minute}", "name": f"job-{minute}"},
                {"delay": 3600 * 24},
                {"name": "Ärger_100%"},
                {},
            )
        )
        tokens = [element.token for element in runtime.store.batches.elements(made[-1]) if hasattr(element, "token")]
        owner = owners[minute % 2]
        claim_runs(runtime.store, [(token, 1) for token in tokens[:3]], owner, now())
        ends = [(Move.FINISH, None), (Move.FAIL, Code.ERROR), (Move.FAIL, Code.TIMEOUT)]
        outcomes = [
            Outcome(token=token, run=1, move=move, code=code)
            for token, (move, code) in zip(tokens[: minute % 4], ends, strict=False)
        ]
        settle_runs(runtime.store, outcomes, owner, now())
        if minute == 4:
            runtime.cancel(tokens[4:5])
    return made


def everything(runtime: Runtime, wanted: Filter, limit: int = 1000) -> list[Summary]:
    """Return the tasks of all pages of a list."""
    found: list[Summary] = []
    cursor: str | None = None
    while True:
        page: Page[Summary] = runtime.list(wanted, limit, cursor)
        assert page.is_exact
        found += page.items
        cursor = page.next
        if cursor is None:
            assert page.total == len(found)
            return found
        assert len(page.items) == limit


def matches(wanted: Filter, task: Summary) -> bool:
    """Return whether a filter matches a task, computed without a database."""
    begins = [text.startswith(wanted.prefix or "") for text in (task.name, task.custom_id, task.token) if text]
    return all(
        [
            not wanted.states or task.state in wanted.states,
            wanted.batch in (None, task.batch),
            wanted.task_type in (None, task.task_type),
            wanted.tag is None or wanted.tag in task.tags,
            wanted.priority in (None, task.priority),
            wanted.code in (None, task.code),
            wanted.worker in (None, task.worker),
            wanted.host in (None, task.host),
            wanted.prefix is None or any(begins),
            task.token.startswith(wanted.token_prefix or ""),
            wanted.created_after is None or task.created_at > wanted.created_after,
            wanted.created_before is None or task.created_at < wanted.created_before,
        ]
    )


def or_none(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(values)


MINUTES = [START + timedelta(minutes=minute) for minute in range(-1, 7)]

filters = st.builds(
    Filter,
    states=st.frozensets(st.sampled_from(State), max_size=3),
    task_type=or_none(["sleep", "other"]),
    tag=or_none(["red", "m3", "none"]),
    priority=or_none(list(Priority)),
    code=or_none([Code.ERROR, Code.TIMEOUT]),
    worker=or_none(["wa", "nobody"]),
    host=or_none(["a", "b"]),
    prefix=or_none(["job", "job-3", "order", "0", "Ärger_1", "%", "Ä"]),
    created_after=or_none(MINUTES),
    created_before=or_none(MINUTES),
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_list_has_exactly_the_tasks_that_match_with_the_newest_first(
    runtime: Runtime, batches: list[str], data: st.DataObject
) -> None:
    of_all = everything(runtime, Filter())
    starts = [task.token[:length] for task in of_all[::50] for length in (1, 9, 32)]  # 9: those of some minutes
    wanted = replace(
        data.draw(filters), batch=data.draw(or_none(batches)), token_prefix=data.draw(or_none(["", "f", *starts]))
    )
    expected = [task for task in of_all if matches(wanted, task)]
    found = everything(runtime, wanted, limit=data.draw(st.integers(1, 40)))
    assert {task.token for task in found} == {task.token for task in expected}
    assert len(found) == len(expected)
    assert all(later.created_at >= earlier.created_at for later, earlier in pairwise(found))
    if not wanted.limits_creation_time:
        assert found == expected


def test_a_list_shows_the_attributes_of_a_task(runtime: Runtime, batches: list[str]) -> None:
    (task,) = everything(runtime, Filter(tag="m3"))
    assert (task.name, task.tags, task.priority, task.batch) == ("job-3", ("m3", "red"), Priority.HIGH, batches[3])
    assert (task.state, task.worker, task.host) == (State.FINISHED, "wb", "b")
    delayed = everything(runtime, Filter(states=frozenset({State.SCHEDULED})))
    assert [task.due_at for task in delayed][-1] == START + timedelta(days=1)


def test_the_tasks_of_a_worker_are_found_after_the_worker_is_gone(runtime: Runtime, batches: list[str]) -> None:
    before = everything(runtime, Filter(host="b", states=frozenset({State.FINISHED})))
    runtime.store.runs.take_back([worker.id for worker in runtime.store.workers.all()], now())
    runtime.store.workers.mark_gone([worker.id for worker in runtime.store.workers.all()], now())
    assert runtime.store.workers.all() == []
    assert runtime.store.workers.forget(now() + timedelta(days=1)) == 0
    assert everything(runtime, Filter(host="b", states=frozenset({State.FINISHED}))) == before
    tokens = [task.token for task in everything(runtime, Filter())]
    runtime.cancel(tokens)
    assert runtime.store.control.remove(tokens) == len(tokens)
    assert runtime.store.workers.forget(now() + timedelta(days=1)) == 2


def test_a_total_above_the_counting_limit_is_not_exact(runtime: Runtime) -> None:
    runtime.submit([DATA] * (MOST_COUNTED + 1), runtime.of_type("sleep"))
    page = runtime.list(Filter(), 3)
    assert (page.total, page.is_exact, len(page.items)) == (MOST_COUNTED, False, 3)


@pytest.mark.parametrize("cursor", ["", "x", "é", "MTIz!", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "MA==" * 100])
def test_an_invalid_cursor_is_refused(runtime: Runtime, cursor: str) -> None:
    with pytest.raises(BadCursor):
        runtime.list(Filter(), 10, cursor)


def test_a_cursor_of_a_list_by_time_is_refused_for_another_list(runtime: Runtime, batches: list[str]) -> None:
    cursor = runtime.list(Filter(created_after=START), 2).next
    assert runtime.list(Filter(created_after=START), 2, cursor).items
    with pytest.raises(BadCursor):
        runtime.list(Filter(), 2, cursor)


# -- every filter uses an index ------------------------------------------------------------------------------


FILTERS = {
    "all": Filter(),
    "finished": Filter(states=frozenset({State.FINISHED})),
    "ended": Filter(states=frozenset(state for state in State if state.ended)),
    "scheduled": Filter(states=frozenset({State.SCHEDULED})),
    "failed": Filter(states=frozenset({State.FAILED})),
    "urgent": Filter(states=frozenset({State.QUEUED}), priority=Priority.HIGH),
    "high": Filter(priority=Priority.HIGH),
    "low": Filter(priority=Priority.LOW),
    "normal": Filter(priority=Priority.NORMAL),
    "batch": Filter(batch=BATCH),
    "type": Filter(task_type="echo"),
    "tag": Filter(tag="red"),
    "host": Filter(host="a"),
    "worker": Filter(worker="wb"),
    "time": Filter(created_after=START, created_before=now() + timedelta(hours=1)),
}


RUNNING, FINISHED = frozenset({State.RUNNING}), frozenset({State.FINISHED})

RARE = [
    Filter(code=Code.TIMEOUT),
    Filter(code=Code.TIMEOUT, task_type="sleep"),
    Filter(code=Code.TIMEOUT, batch=BATCH, tag="red"),
    Filter(code=Code.EXPIRED),
    Filter(batch=BATCH, states=RUNNING),
    Filter(host="a", states=RUNNING),
    Filter(tag="red", states=RUNNING),
    Filter(tag="rare", states=FINISHED),
    Filter(task_type="sleep", custom_id="order-77", created_after=START),
    Filter(batch=BATCH, task_type="another"),
]
"""Filters that few tasks match, though most tasks satisfy one of their conditions."""


def of_the_first_batch(runtime: Runtime, wanted: Filter) -> Filter:
    """Return the filter with the id of a real batch, if it has a batch."""
    return replace(wanted, batch=runtime.list(Filter(), 1).items[0].batch) if wanted.batch else wanted


def test_a_far_page_costs_about_as_much_as_the_first_and_rare_tasks_are_found_without_a_scan(runtime: Runtime) -> None:
    fill(runtime, 20_000)
    for name, wanted in FILTERS.items():
        first, far = (page_work(runtime, of_the_first_batch(runtime, wanted), page) for page in (1, 15))
        assert far < 2 * first, (name, first, far)
        assert first < 1500, (name, first)
    rare = [Filter(tag="rare"), Filter(prefix="job-19999"), Filter(prefix="order-1777"), Filter(worker="nobody")]
    for wanted in (*rare, *(of_the_first_batch(runtime, each) for each in RARE)):
        assert work_for(runtime, partial(of_page, wanted)) < 1500, wanted
    plan = plan_of(runtime, partial(of_page, Filter(prefix="order-1777")))
    failed = plan_of(runtime, partial(of_page, Filter(code=Code.TIMEOUT, task_type="sleep")))
    assert "ix_tasks_failed_code" in failed, failed
    for index in ("ix_tasks_name", "ix_tasks_custom_id", "uq_tasks_token|sqlite_autoindex_tasks_1"):
        assert re.search(index, plan), plan


# -- batches -------------------------------------------------------------------------------------------------

LABELS = {
    "all": Label(),
    "every name": Label(name="daily"),
    "rare name": Label(name="rare"),
    "every label": Label(metadata={"env": "prod"}),
    "rare label": Label(metadata={"team": "rare"}),
    "every name and label": Label(name="daily", metadata={"env": "prod"}),
    "rare and every label": Label(name="daily", metadata={"env": "prod", "team": "rare"}),
    "rare name and every label": Label(name="rare", metadata={"env": "prod"}),
}
"""Labels, by what is rare: all but the rare batches have the name `daily`, and all have the label `env=prod`."""

_BATCHES = [
    """INSERT INTO batches (id, public_id, accepted, rejected, open, created_at, pushed_at, name)
        WITH RECURSIVE numbers (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM numbers WHERE id < 20000)
        SELECT id, 'batch-' || id, 1, 0, 0, 0, 0, CASE mod(id, 5000) WHEN 1 THEN 'rare' ELSE 'daily' END
        FROM numbers""",
    "INSERT INTO labels (key, value, batch_id) SELECT 'env', 'prod', id FROM batches",
    "INSERT INTO labels (key, value, batch_id) SELECT 'team', 'rare', id FROM batches WHERE mod(id, 5000) = 2",
    "ANALYZE",
]


def test_batches_are_listed_and_counted_without_a_scan_of_all(runtime: Runtime) -> None:
    with runtime.store.database.write() as connection:
        for statement in _BATCHES:
            connection.exec_driver_sql(statement)
    for name, label in LABELS.items():
        page = runtime.list.batches(label, 3)
        assert (page.total, page.is_exact) == ((4, True) if "rare" in name else (MOST_COUNTED, False)), name
        assert len(page.items) == 3
        first, far = (work_for(runtime, partial(page_of_batches, label, before)) for before in (None, 10_000))
        assert first < (2500 if "and" in name else 400), (name, first)  # it compares how rare the parts are
        assert far < max(2 * first, 100), (name, first, far)
        count = work_for(runtime, partial(count_of_batches, label))
        assert count < (2500 if "rare" in name else 5000), (name, count)
    for name in ("rare name", "rare label"):
        plan = plan_of(runtime, partial(page_of_batches, LABELS[name], None))
        assert re.search("ix_batches_name" if name == "rare name" else "pk_labels|sqlite_autoindex_labels_1", plan), (
            plan
        )
        assert not re.search("SCAN (batches|labels)|Seq Scan", plan), plan


def page_of_batches(label: Label, before: int | None, store: Store) -> object:
    return store.batches.page(label, 50, before)


def count_of_batches(label: Label, store: Store) -> object:
    return store.batches.count(label, MOST_COUNTED + 1)


def of_page(wanted: Filter, store: Store) -> object:
    return store.listing.page(wanted, 50)
