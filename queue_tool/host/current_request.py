"""The id of the HTTP request that the current thread handles. The log writes it into each line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_id() -> str | None:
    """Return the id of the request that this thread handles; None if it handles none."""
    return _id.get()


@contextmanager
def handling(request_id: str) -> Iterator[None]:
    """Handle the request with this id during the block. The block must not await: other requests would get the id."""
    before = _id.set(request_id)
    try:
        yield
    finally:
        _id.reset(before)
