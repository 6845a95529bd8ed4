"""The marker: a key by which Redis says whose tickets it carries, and that it has not been wiped.

Two databases on one Redis would take each other's tickets for ones that are over, and drop them. So the first database
that comes leaves its name there, and a process of any other one goes no further.
"""

from __future__ import annotations

import uuid
from typing import Any

from redis import Redis

from queue_tool.broker.keys import MARKER
from queue_tool.errors import BrokerOfAnother


def read(redis: Redis, database: str) -> str:
    """Return the marker's text; one that is missing is made, and Redis is this database's from then on.

    Raises:
        BrokerOfAnother: it names another database.
        RedisError: Redis does not answer.
    """
    found: Any = redis.get(MARKER)
    if found is None:  # only then is it written: a full Redis would refuse even what changes nothing
        redis.set(MARKER, _new(database), nx=True)
        found = redis.get(MARKER)
    text: str = found.decode()
    if text.partition("/")[0] != database:
        raise BrokerOfAnother(
            "This Redis carries the tickets of another database: give each a Redis, or an RQ_KEY_PREFIX, of its own; "
            f"if the other one is gone for good, remove the key {MARKER}."
        )
    return text


def take_over(redis: Redis, database: str) -> None:
    """Let Redis be this database's, whosever it was.

    Raises:
        RedisError: Redis does not answer.
    """
    found: Any = redis.get(MARKER)
    if found is None or found.decode().partition("/")[0] != database:
        redis.set(MARKER, _new(database))


def _new(database: str) -> str:
    return f"{database}/{uuid.uuid4().hex}"
