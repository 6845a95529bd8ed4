"""The library for RabbitMQ, which is an extra."""

from __future__ import annotations

from importlib.util import find_spec

from queue_tool.errors import AmqpLibraryMissing


def require_library() -> None:
    """Raise an error if the library is missing.

    Raises:
        AmqpLibraryMissing: it is not installed.
    """
    if find_spec("pika") is None:
        raise AmqpLibraryMissing
