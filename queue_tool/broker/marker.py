"""The marker: a key in Redis that names the database whose tickets it carries. If Redis is wiped, the marker changes.

If two databases used one Redis, the workers of each would drop the tickets of the other, because they find no task for
them. So the first database writes its identity there, and the processes of any other database stop with an error.
"""

from __future__ import annotations

import uuid
from typing import Any

from redis import Redis

from queue_tool.broker.keys import MARKER
from queue_tool.errors import BrokerOfAnother

OF_ANOTHER = (
    "This Redis carries the tickets of another database. Use a separate Redis, or a separate RQ_KEY_PREFIX, "
    f"for each database. If the other database no longer exists, delete the key {MARKER}."
)


def read(redis: Redis, database: str, found: bytes | None = None) -> str:
    """Return the marker's text. If there is no marker, write one: Redis belongs to this database from then on.

    Args:
        redis: the client.
        database: the identity of the database.
        found: the marker, if it was read just now.

    Raises:
        BrokerOfAnother: the marker names another database.
        RedisError: Redis does not answer.
    """
    found = found or _found(redis)
    if found is None:  # write only if it is missing: a full Redis refuses even a write that changes nothing
        redis.set(MARKER, _new(database), nx=True)
        found = _found(redis)
    if found is None or _owner(found) != database.encode():
        raise BrokerOfAnother(OF_ANOTHER)
    return found.decode("utf-8", "backslashreplace")


def owner(redis: Redis) -> str | None:
    """Return the identity of the database that the marker names. None if there is no marker.

    Raises:
        RedisError: Redis does not answer.
    """
    found = _found(redis)
    return None if found is None else _owner(found).decode("utf-8", "backslashreplace")


def take_over(redis: Redis, database: str) -> None:
    """Make this database the owner of Redis, even if the marker names another database.

    Raises:
        RedisError: Redis does not answer.
    """
    found = _found(redis)
    if found is None or _owner(found) != database.encode():
        redis.set(MARKER, _new(database))


def _found(redis: Redis) -> bytes | None:
    """Return the marker's bytes, which another program may have written."""
    found: Any = redis.get(MARKER)
    return None if found is None else bytes(found)


def _owner(marker: bytes) -> bytes:
    """Return the identity of the database that a marker names."""
    return marker.partition(b"/")[0]


def _new(database: str) -> str:
    return f"{database}/{uuid.uuid4().hex}"
