"""At once: many small requests in one compound statement, if nothing that is already there concerns them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    TableValuedAlias,
    Text,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from queue_tool.model import json_text
from queue_tool.store import line
from queue_tool.store.adding import NewTasks, batch_row, mixed_rows
from queue_tool.store.engine.compound import Compound, insert_missing
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.rows import field, is_among, parsed_each
from queue_tool.store.pushed_tickets import PushedTickets
from queue_tool.store.tables import batches, tasks, windows
from queue_tool.store.task_rows import BATCH_FIELD, mixed_columns


def add_at_once(connection: Connection, requests: Sequence[NewTasks], pushed: PushedTickets, last_row: int) -> bool:
    """Add the batches and tasks of many small requests, in the given order, and record pushed batches.

    Args:
        connection: the connection of a transaction that writes, to a database that has compound statements.
        requests: the tasks of each request. No task has tags, continuations, or a webhook of its own.
        pushed: the batches to record. Its other tickets are not recorded here.
        last_row: the highest id of a task with which there is room for the new tasks.

    Returns:
        Whether the requests were added. If there is no room, or a list has a line that its tasks here do not join,
        none was.
    """
    new = [batch_row(each.batch, held=each.held, sender=each.sender) for each in requests if each.batch is not None]
    rows = [(*row, place) for place, row in enumerate(row for each in requests for row in mixed_rows(each))]
    values = {
        "tasks": _text(rows),
        "batches": _text([row[name] for name in _BATCH] for row in new),
        "lists": _text({task.list for each in requests for task in each.tasks if not each.held}),
        "joining": _text(
            (name, *line.KINDS[name])
            for name in sorted({task.list for each in requests for task in each.tasks if each.held})
        ),
        "pushed": _text(pushed.batches),
        "now": micros(pushed.at),
        "last_row": last_row,
    }
    return _ADD.run(connection, values) == len(rows)


def _text(values: Iterable[object]) -> str:
    return json_text.dumps(list(values)).decode()


def _given(name: str) -> ColumnElement[str]:
    return bindparam(name, type_=Text)


def _rows(name: str) -> TableValuedAlias:
    """Return a table like `entry` of the rows in a parameter."""
    return parsed_each(_given(name)).table_valued("value", name=f"given_{name}")


_last_row = select(func.coalesce(func.max(tasks.c.id), literal_column("0"))).scalar_subquery()

_allowed = (
    select(literal_column("1").label("yes"))
    .where(~exists().where(is_among(windows.c.list, _given("lists"))))
    .where(_last_row <= bindparam("last_row", type_=BigInteger))
    .cte("allowed")
)
"""One row if there is room, and no line that new tasks should join and do not; else none."""

_locked = (
    select(batches.c.id)
    .where(is_among(batches.c.public_id, _given("pushed")))
    .order_by(batches.c.id)
    .with_for_update()
    .cte("locked")
)

_marked = update(batches).where(batches.c.id == _locked.c.id).values(pushed_at=bindparam("now")).cte("marked")

_BATCH = (
    "public_id",
    "accepted",
    "rejected",
    "open",
    "scheduled",
    "created_at",
    "pushed_at",
    "push_failed_at",
    "name",
)
"""The columns of the batch of a small request. The others stay empty."""

_joining = _rows("joining")

_others = windows.alias("others")

_joined = (
    insert_missing(windows)
    .from_select(
        ["batch_id", "list", "priority", "lane", "after", "turn"],
        select(
            literal_column(str(line.OTHERS)),
            field(0, of=_joining),
            field(1, of=_joining),
            field(2, of=_joining),
            literal_column("0"),
            select(func.coalesce(func.max(_others.c.turn), 0) + 1)
            .where(_others.c.list == field(0, of=_joining))
            .scalar_subquery(),
        ).where(exists(select(_allowed.c.yes))),
    )
    .cte("joined")
)
"""As `line.join_others` does it."""

_new_batches = _rows("batches")

_added = (
    insert(batches)
    .from_select(
        list(_BATCH),
        select(*(field(place, batches.c[name].type, _new_batches) for place, name in enumerate(_BATCH))).where(
            exists(select(_allowed.c.yes))
        ),
    )
    .returning(batches.c.id, batches.c.public_id)
    .cte("added")
)

_new_tasks = _rows("tasks")

_COLUMNS = mixed_columns(_new_tasks) | {"batch_id": _added.c.id}

_ADD = Compound(
    insert(tasks)
    .from_select(
        list(_COLUMNS),
        select(*_COLUMNS.values())
        .select_from(_new_tasks.outerjoin(_added, _added.c.public_id == field(BATCH_FIELD, of=_new_tasks)))
        .where(exists(select(_allowed.c.yes)))
        .order_by(field(BATCH_FIELD + 1, Integer(), _new_tasks)),
    )
    .add_cte(_marked, _joined)
)
"""The ids of tasks are given in the order of this SELECT."""
