"""What Redis's failures mean, in the words of the error tree and in one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from queue_tool.errors import BrokerAway, BrokerFull


def sentence_of(error: RedisError) -> str:
    """Return what a failure means: Redis is full, it refuses for a reason that it gives, or it does not answer."""
    if isinstance(error, OutOfMemoryError):
        return BrokerFull.default_sentence()
    if isinstance(error, ResponseError):
        return f"Redis refuses: {error}."
    return f"Redis does not answer: {type(error).__name__}."


@contextmanager
def failures_named() -> Iterator[None]:
    """Run a block that talks to Redis.

    Raises:
        BrokerFull: Redis has no room.
        BrokerAway: it does not answer, or refuses.
    """
    try:
        yield
    except OutOfMemoryError as error:
        raise BrokerFull from error
    except RedisError as error:
        raise BrokerAway(sentence_of(error)) from error
