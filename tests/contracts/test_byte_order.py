"""Texts are compared byte by byte on each kind of database; the server of these tests sorts as people do."""

from __future__ import annotations

import pytest
from sqlalchemy import Text, inspect

from queue_tool.model.filter import Filter
from queue_tool.model.new_task import Options
from queue_tool.model.states import State
from queue_tool.runtime import Runtime
from queue_tool.store.tables import metadata
from tests.conftest import RuntimeFactory

LAST = "\U0010ffff"
NAMES = [
    *("order-7", "Order-7", "ORDER-7", "order_7", "order", "orders", "order-", "or-der-7", "order-7" + LAST, "ordés"),
    *("team-b", "Team-a", "teams", "Team", "TEAM", "Team" + LAST, "Team" + LAST + "x", "Tean", "ação", "acao", "Ação"),
    *("\ud7ff", "\ue000", "\ud7ff" + LAST, LAST, LAST + LAST, LAST + "a", "%", "_", "\\", " ", "  ", "-", "a-", "a b"),
]
PREFIXES = sorted({name[:length] for name in NAMES for length in range(1, len(name) + 1)})


@pytest.fixture
def named(runtime: Runtime) -> Runtime:
    """A runtime with two tasks of each name: one is called so, the other one has it as its custom id."""
    for name in NAMES:
        runtime.submit([None], runtime.of_type("echo", Options(name=name)))
        runtime.submit([None], runtime.of_type("echo", Options(custom_id=name, tags=tuple(NAMES[:5]))))
    return runtime


def names(runtime: Runtime, wanted: Filter) -> list[str]:
    return sorted(str(task.name or task.custom_id) for task in runtime.list(wanted, 1000).items)


def test_a_prefix_finds_what_begins_with_it_and_nothing_else(named: Runtime) -> None:
    for prefix in PREFIXES:
        expected = sorted(2 * [name for name in NAMES if name.startswith(prefix)])
        assert names(named, Filter(prefix=prefix)) == expected, prefix
    task = named.list(Filter(prefix="order-7"), 1).items[0]
    assert task.tags == tuple(sorted(NAMES[:5]))
    assert named.cancel.matching(Filter(prefix="Team")).changed == 2 * sum(name.startswith("Team") for name in NAMES)
    left = {task.name or task.custom_id for task in named.list(Filter(states=frozenset({State.QUEUED})), 1000).items}
    assert left == {name for name in NAMES if not name.startswith("Team")}


@pytest.mark.parametrize("storage", ["postgres"])
def test_the_server_sorts_as_people_do_and_every_text_column_does_not(make_runtime: RuntimeFactory) -> None:
    with make_runtime().store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT 'team-b' < 'Team-c' AND 'a b' < 'ac'").scalar() is True
        for table in metadata.sorted_tables:
            for column in inspect(connection).get_columns(table.name):
                if isinstance(column["type"], Text):
                    assert column["type"].collation == "C", (table.name, column["name"])
