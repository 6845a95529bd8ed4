"""A batch is stored right, whichever options its tasks share and in whichever they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from queue_tool.execution.builtin import builtin_types
from queue_tool.model.batch import NewBatch, new_batch
from queue_tool.model.new_task import NewTask
from queue_tool.model.task_request import Requests
from queue_tool.services.submit import make_tokens
from queue_tool.store import Store
from queue_tool.store.engine.bulk import STEP
from queue_tool.store.engine.database import Database
from tests.adding import add_to
from tests.past_the_store import rows

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

TYPES = {kind.name: kind for kind in builtin_types(60)}

COLUMNS = "token, task_type, priority, state, due_at, max_attempts, timeout, name, custom_id, parameters"

OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "task_type": ("echo", "sleep"),
    "priority": (None, "high"),
    "delay": (None, 60),
    "max_attempts": (None, 3),
    "timeout": (None, 1.5),
    "name": ("a", 'b "quoted" \\ é'),
    "custom_id": (None, "c"),
    "parameters": (None, {"a": [1, "x"]}),
    "tags": ([], ["red", 'g"r é']),
}


GOOD = {"item": "a", "valor": 0}

LARGE = 2 * STEP + 4
"""Tasks of a large batch: two statements with a parameter for each value, and one with the rest."""


def batches() -> list[list[dict[str, Any]]]:
    """Return the requests of batches: for each option one in which only it differs, and one in which all differ."""
    plain = {"task_type": "echo", "data": GOOD}
    one_differs = [[plain | {name: value} for value in values] for name, values in OPTIONS.items()]
    all_differ = [{"data": GOOD} | {name: values[place] for name, values in OPTIONS.items()} for place in (0, 1, 0, 1)]
    return [[plain, plain], *one_differs, all_differ]


def expected(task: NewTask) -> tuple[Any, ...]:
    """Return the row that a task must have."""
    options = task.options
    due = options.timing.due_at
    return (
        task.token,
        task.task_type.name,
        task.priority.value,
        "queued" if due is None else "scheduled",
        None if due is None else int(due.timestamp()) * 1_000_000,
        options.max_attempts,
        options.timeout,
        options.name,
        options.custom_id,
        options.parameters,
    )


def require_stored(url: str, tasks: Sequence[NewTask]) -> None:
    """Check the rows of all tasks, in their order, and their tags."""
    assert rows(url, f"SELECT {COLUMNS} FROM tasks ORDER BY id") == [expected(task) for task in tasks]
    tags = rows(url, "SELECT token, tag FROM tags JOIN tasks ON tasks.id = tags.task_id")
    assert sorted(tags) == sorted((task.token, tag) for task in tasks for tag in task.options.tags)


def test_each_task_has_its_own_options_and_tags(migrated_url: str) -> None:
    judge = Requests(types=TYPES, now=NOW)
    with closing(Store(Database(migrated_url))) as store:
        added = [new_batch(values, judge, make_tokens(len(values) + 1, NOW), NOW) for values in batches()]
        for batch in added:
            add_to(store, batch)
    tasks = [task for batch in added for task in batch.accepted]
    assert len(tasks) == sum(map(len, batches()))
    require_stored(migrated_url, tasks)


def keyed(first: int) -> NewBatch:
    """Return a batch of many tasks whose unique keys have numbers from this one on. The tasks of some have one type."""
    several = batches()[-1] if first < LARGE else [{"task_type": "echo", "data": GOOD, "tags": ["red"]}] * 4
    values = [several[number % 4] | {"unique_key": f"key {first + number:05}"} for number in range(LARGE)]
    return new_batch(values, Requests(types=TYPES, now=NOW), make_tokens(LARGE + 1, NOW), NOW)


def test_the_tasks_of_large_batches_have_their_own_options_and_tags_and_new_unique_keys(migrated_url: str) -> None:
    with closing(Store(Database(migrated_url))) as store:
        first, overlapping, beyond = keyed(0), keyed(4 * 100), keyed(10_000)
        answers = [add_to(store, batch) for batch in (first, overlapping, beyond)]
    assert [answer.instead is None for answer in answers] == [True, False, True]
    kept = answers[1].instead or overlapping
    used = [task.token for task in first.accepted[4 * 100 :]]
    assert [refused.duplicate_of for refused in kept.refused] == used
    assert len(kept.accepted) == LARGE - len(used)
    require_stored(migrated_url, [*first.accepted, *kept.accepted, *beyond.accepted])
