"""What Redis says of itself, for operators. Nothing is written, not even the marker."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from queue_tool.broker import marker
from queue_tool.broker.failures import failures_named
from queue_tool.broker.rq import ANSWER_TIMEOUT, connect

NAMES = {"redis": "Redis", "valkey": "Valkey"}
"""How people write the name that a server gives itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisReport:
    """What Redis says of itself. A user without the right to use INFO gets None for most of it."""

    owner: str | None  # the identity of the database whose tickets it carries; None: it carries none yet
    server: str | None  # name and version
    policy: str | None  # what it does when its memory is full
    used: int | None  # bytes
    limit: int | None  # bytes; 0: none
    keeps: str | None  # how it keeps its data on the disk


def report(url: str) -> RedisReport:
    """Return what the Redis at this URL says of itself.

    Raises:
        BrokerAway: it does not answer.
    """
    with closing(connect(url, ANSWER_TIMEOUT)) as redis, failures_named():
        owner = marker.owner(redis)
        found = _info(redis)
    return RedisReport(
        owner=owner,
        server=_server(found),
        policy=found.get("maxmemory_policy"),
        used=found.get("used_memory"),
        limit=found.get("maxmemory"),
        keeps=_keeps(found),
    )


def _info(redis: Redis) -> dict[str, Any]:
    """Return the answer to INFO; nothing if the user has no right to it."""
    try:
        answer: Any = redis.info()
    except RedisError:  # the marker could be read, so the server answers
        return {}
    return dict(answer)


def _server(found: dict[str, Any]) -> str | None:
    name = str(found.get("server_name", "redis"))
    version = found.get(f"{name}_version") or found.get("redis_version")
    return None if version is None else f"{NAMES.get(name, name)} {version}"


def _keeps(found: dict[str, Any]) -> str | None:
    if not found:
        return None
    return "in an append-only file" if found.get("aof_enabled") else "in snapshots at most"
