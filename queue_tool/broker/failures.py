"""Failures of Redis, translated into our own errors, with one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from queue_tool.errors import BrokerAway, BrokerFull


def sentence_of(error: RedisError) -> str:
    """Return one sentence for a failure: Redis is full, Redis refuses a command, or Redis does not answer."""
    if isinstance(error, OutOfMemoryError):
        return BrokerFull.default_sentence()
    if isinstance(error, ResponseError):
        return f"Redis refuses: {error}."
    return f"Redis does not answer: {type(error).__name__}."


@contextmanager
def failures_named() -> Iterator[None]:
    """Run a block that talks to Redis, and translate its failures.

    Raises:
        BrokerFull: Redis has no room.
        BrokerAway: Redis does not answer, or refuses a command.
    """
    try:
        yield
    except OutOfMemoryError as error:
        raise BrokerFull from error
    except RedisError as error:
        raise BrokerAway(sentence_of(error)) from error
