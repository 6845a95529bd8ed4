"""The id of each request: in the response's `X-Request-Id`, in problem documents, and in each line of the log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from random import getrandbits
from typing import TYPE_CHECKING

from queue_tool.host.current_request import handling

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADER = "X-Request-Id"
HEADER_BYTES = HEADER.lower().encode()  # as ASGI has it

ENVIRON_KEY = "queue_tool.request_id"
"""In the WSGI environment: the id, once it is chosen. Both passes of one request have the same id."""

_new_ids = map("{:016x}".format, map(getrandbits, repeat(64)))
"""Any thread may take the next one, and a forked process gets other ones. They are no secrets."""

_ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def choose(wanted: str | None) -> str:
    """Return the id of a request.

    Args:
        wanted: the client's own `X-Request-Id`; it is used if it has 1 to 64 letters, digits, dots, `_` and `-` only.
    """
    if wanted is not None and _ALLOWED.fullmatch(wanted):
        return wanted
    return next(_new_ids)


def of(environ: WSGIEnvironment) -> str:
    """Return the id of the request with this environment, which keeps it."""
    request_id: str | None = environ.get(ENVIRON_KEY)
    if request_id is None:
        request_id = environ[ENVIRON_KEY] = choose(environ.get("HTTP_X_REQUEST_ID"))
    return request_id


class RequestIds:
    """WSGI middleware that adds the request's id to each response and to each line that is logged meanwhile."""

    def __init__(self, application: WSGIApplication) -> None:
        """Wrap an application."""
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on."""
        request_id = of(environ)

        def start(status: str, headers: list[tuple[str, str]], *error: object) -> Callable[[bytes], object]:
            return start_response(status, [*headers, (HEADER, request_id)], *error)  # type: ignore[arg-type] # as given

        with handling(request_id):
            return _Parts(self._application(environ, start), request_id)


class _Parts(Iterator[bytes]):
    """The parts of a body. The server makes them later, and lines that are logged meanwhile have the id too."""

    def __init__(self, parts: Iterable[bytes], request_id: str) -> None:
        self._parts = parts
        self._rest = iter(parts)
        self._id = request_id

    def __next__(self) -> bytes:
        with handling(self._id):
            return next(self._rest)

    def close(self) -> None:
        with handling(self._id):
            getattr(self._parts, "close", _nothing)()


def _nothing() -> None:
    """Close nothing."""
