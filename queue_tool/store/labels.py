"""Which batches have a name and metadata, newest first. Every part of a label has an index."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select, true

from queue_tool.model.batch import Label
from queue_tool.store.tables import batches, labels

Part = tuple[ColumnElement[int], ColumnElement[bool]]
"""One part of a label: the column with the ids of batches, and the condition of the rows that have this part."""

_MOST_COMPARED = 10_000
"""Parts with more batches than this count as equally frequent."""


def labeled(connection: Connection, label: Label) -> tuple[ColumnElement[int], Select[int]]:
    """Return the query for the ids of the batches with this label, newest first, and its column.

    The query reads the batches of the rarest part, and looks up the other parts for each of them.

    Args:
        connection: the connection, which counts the batches of each part.
        label: the name and the metadata that a batch must have. Both are optional, and all metadata must match.
    """
    parts = list(_parts(label)) or [(batches.c.id, true())]
    if len(parts) > 1:
        parts.sort(key=lambda part: counted(connection, _of_part(part), _MOST_COMPARED))
    key = parts[0][0]
    found = _of_part(parts[0])
    for other, condition in parts[1:]:
        found = found.where(exists().where(other == key, condition))
    return key, found.order_by(key.desc())


def counted(connection: Connection, found: Select[int], most: int) -> int:
    """Return how many rows a query finds, counting at most `most` rows."""
    number: int = connection.execute(select(func.count()).select_from(found.limit(most).subquery())).scalar_one()
    return number


def _of_part(part: Part) -> Select[int]:
    return select(part[0]).where(part[1])


def _parts(label: Label) -> Iterator[Part]:
    if label.name is not None:
        yield batches.c.id, and_(batches.c.name.is_not(None), batches.c.name == label.name)
    for key, value in label.metadata.items():
        mine = labels.alias()
        yield mine.c.batch_id, and_(mine.c.key == key, mine.c.value == value)
