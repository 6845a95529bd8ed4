"""Calls as requests of the HTTP library, which both drivers share, and its failures as errors of ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import httpcore2

from queue_tool.client.address import Address
from queue_tool.client.calls import JSON, Answer, Call
from queue_tool.errors import AnswerLost, NotSent, ServiceAway

Value = TypeVar("Value")

TIMEOUT = 60.0
"""Seconds to wait for each part of an answer, by default."""

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, at most."""

CONNECTIONS = 20
"""Connections that one client has at the same time, at most."""

IDLE = 4.0
"""Seconds after which an idle connection is closed: servers close theirs after five or more."""

AGENT = "queue-tool-client"

_NEVER_SENT = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class Wire:
    """Makes requests of calls."""

    address: Address
    timeout: float  # seconds

    def request(self, call: Call[Any]) -> httpcore2.Request:
        """Return the request of a call."""
        parts = urlsplit(self.address.url)
        body = b"" if call.body is None else call.body
        headers = {"Host": parts.netloc, "Accept": JSON, "User-Agent": AGENT, **self.address.headers, **call.headers}
        if call.method != "GET":
            headers["Content-Length"] = str(len(body))
        timeouts = {
            "connect": min(self.timeout, CONNECT_TIMEOUT),
            "read": self.timeout + call.wait,
            "write": self.timeout,
            "pool": self.timeout,
        }
        return httpcore2.Request(
            call.method,
            self.address.url + call.target,
            headers=[(name.encode(), _bytes(name, text)) for name, text in headers.items()],
            content=body,
            extensions={"timeout": timeouts},
        )

    def answer(self, response: httpcore2.Response, body: bytes) -> Answer:
        """Return what came back."""
        headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in response.headers}
        return Answer(status=response.status, headers=headers, body=body)


def _bytes(name: str, text: object) -> bytes:
    if not isinstance(text, str) or not text.isascii() or not text.isprintable():
        raise NotSent(f"The header {name} must be a text of printable ASCII characters.")
    return text.encode("ascii")


class Owned(Generic[Value]):
    """A value that belongs to a process or an event loop: another one makes its own.

    A process and its fork would read each other's answers from one connection, and a connection of an event loop that
    has ended cannot be used.
    """

    def __init__(self, make: Callable[[], Value], owner: Callable[[], object] = os.getpid) -> None:
        """Remember how the value is made, and what says who asks for it."""
        self._make = make
        self._owner_of_now = owner
        self._owned: tuple[object, Value] | None = None

    def __call__(self) -> Value:
        """Return the value of this owner."""
        owner = self._owner_of_now()
        if self._owned is None or self._owned[0] != owner:
            self._owned = (owner, self._make())
        return self._owned[1]


@contextmanager
def failures(address: Address) -> Iterator[None]:
    """Raise failures of the connection as errors of ours.

    Raises:
        NotSent: no connection became free; nothing was sent.
        ServiceAway: no connection was made; nothing was sent.
        AnswerLost: the connection broke; the request may have been done.
    """
    try:
        yield
    except httpcore2.PoolTimeout:
        raise NotSent(
            f"All {CONNECTIONS} connections of this client are in use, and none became free in time. "
            "Read to the end, or close, what you iterate over."
        ) from None
    except _NEVER_SENT as error:
        raise ServiceAway(f"The service at {address.url} does not answer: {_reason(error)}.") from None
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise AnswerLost(
            f"The connection to {address.url} broke before the answer came ({_reason(error)}). "
            "It is not known whether the request changed anything."
        ) from None


def _reason(error: Exception) -> str:
    """Return the reason of a failure in a few words."""
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "strerror", None) or cause or type(error).__name__).rstrip(".")
