"""One exchange over a connection: a POST, and as much of its answer as may be read."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import h11

from queue_tool.delivery.connection import Connection
from queue_tool.model.receivers import Receiver

LONGEST_ANSWER = 64 * 1024
"""Bytes of an answer that are read, with its header."""


@dataclass(slots=True)
class Heard:
    """What has come of an answer so far."""

    status: int | None = None
    retry_after: float | None = None  # seconds, as the header `Retry-After` says
    is_over: bool = False  # the other end has closed the connection
    body: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        """Return the body as text that every database can keep."""
        return self.body.decode("utf-8", errors="replace").replace("\x00", "\ufffd")


def exchange(connection: Connection, receiver: Receiver, headers: Mapping[str, str], body: bytes, heard: Heard) -> None:
    """Send a POST and read the answer, up to `LONGEST_ANSWER` bytes.

    Args:
        connection: an open connection to the receiver.
        receiver: whose host, path and query the request has.
        headers: the headers besides `Host`, `Connection` and `Content-Length`.
        body: the body.
        heard: what came of the answer. It is true whatever this function raises.

    Raises:
        h11.LocalProtocolError: a header cannot be sent.
        h11.RemoteProtocolError: the answer is not HTTP/1.1, or the connection was closed in the middle of it.
        OSError: the connection is broken.
        TimeoutError: the deadline has passed.
    """
    protocol = h11.Connection(h11.CLIENT)
    request = h11.Request(
        method="POST",
        target=receiver.target,
        headers=[
            ("Host", receiver.place),
            ("Connection", "close"),
            ("Content-Length", str(len(body))),
            *headers.items(),
        ],
    )
    pieces = [protocol.send(event) or b"" for event in (request, h11.Data(data=body), h11.EndOfMessage())]
    with contextlib.suppress(ConnectionError):  # a receiver may answer before it has read all: what did it say?
        connection.write(b"".join(pieces))
    _read(connection, protocol, heard)


def _read(connection: Connection, protocol: h11.Connection, heard: Heard) -> None:
    left = LONGEST_ANSWER
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            if left == 0:
                return
            data = connection.read(left)
            left -= len(data)
            heard.is_over = not data
            protocol.receive_data(data)
        elif isinstance(event, h11.Response):
            heard.status, heard.retry_after = event.status_code, retry_after(dict(event.headers))
        elif isinstance(event, h11.Data):
            heard.body += event.data
        elif not isinstance(event, h11.InformationalResponse):
            return


def retry_after(headers: Mapping[bytes, bytes]) -> float | None:
    """Return the seconds in `Retry-After` (RFC 9110, 10.2.3); None: there is no such header, or it makes no sense.

    Args:
        headers: the header of an answer, with names in lower case. A time counts from its own `Date`, so that it does
            not matter whose clock is wrong.
    """
    text = headers.get(b"retry-after", b"").decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        began = parsedate_to_datetime(headers.get(b"date", b"").decode("latin-1"))
        return max(0.0, (parsedate_to_datetime(text) - began).total_seconds())
    except (ValueError, TypeError):  # one of the two is no time, or only one has a zone
        return None
