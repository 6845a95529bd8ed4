"""Running the WSGI application, and the response that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from queue_tool.web.http import transport
from queue_tool.web.serving.bridge.live import Live

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

WITHOUT_BODY = (100, 204, 304)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A response whose body is complete, or whose parts are made one by one."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None  # None: a stream
    parts: Iterator[bytes]
    close: Callable[[], None]
    live: Live | None = None  # the same stream, if its parts come at any time

    def next_part(self) -> bytes | None:
        """Return the next part of the stream; None at its end."""
        return next(self.parts, None)


def run(application: WSGIApplication, environ: dict[str, Any]) -> Ready:
    """Run the application and return its response. Only a response without a Content-Length is a stream."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: object = None, /) -> Callable[..., object]:
        started[:] = [int(status.partition(" ")[0]), headers]
        return _no_write

    result = application(environ, start_response)
    status, headers = started
    close = getattr(result, "close", _nothing)
    body = None
    if environ["REQUEST_METHOD"] == "HEAD" or status in WITHOUT_BODY or _has_length(headers):
        try:
            body = b"".join(result)
        finally:
            close()
    return Ready(
        status=status,
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        body=body,
        parts=iter(result) if body is None else iter(()),
        close=close,
        live=environ.get(transport.LIVE) if body is None else None,
    )


def _has_length(headers: list[tuple[str, str]]) -> bool:
    return any(name.lower() == "content-length" for name, _ in headers)


def _nothing() -> None:
    """Close nothing."""


def _no_write(_data: bytes) -> None:
    raise NotImplementedError("The application must return its body.")
