"""A connection of pika that survives headers which pika cannot read.

pika raises an error while it reads a frame with a time beyond the year 9999, or with tables in tables in tables. That
would end the connection. RabbitMQ would deliver the message again, to the next connection, for ever.
"""

from __future__ import annotations

import struct
from typing import Any

from pika import BasicProperties, frame, spec
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.exceptions import InvalidFrameError

_FIRST = struct.Struct(">BHI")
"""Type, channel and size of a frame."""

_CONTENT = struct.Struct(">HHQ")
"""The beginning of a frame with properties: class, weight, and the size of the body."""


class WithoutHeaders(BasicProperties):
    """The properties of an AMQP message whose headers cannot be read."""


class Connection(AsyncioConnection):
    """A connection."""

    def _read_frame(self) -> Any:
        try:
            return super()._read_frame()  # type: ignore[misc] # the stubs lack it
        except InvalidFrameError:  # no AMQP at all
            raise
        except Exception:  # noqa: BLE001 - whatever a value in the headers makes of pika's decoder
            return without_headers(self._frame_buffer)  # type: ignore[attr-defined] # the stubs lack it


def without_headers(data: bytes) -> tuple[int, frame.Header]:
    """Return the size of the first frame, and the frame without the headers of its message.

    Raises:
        InvalidFrameError: the frame has no headers.
    """
    kind, channel, size = _FIRST.unpack_from(data)
    content = data[_FIRST.size : _FIRST.size + size]
    if kind != spec.FRAME_HEADER:
        raise InvalidFrameError(f"a frame of type {kind} cannot be read")
    body_size = _CONTENT.unpack_from(content)[2]
    properties = WithoutHeaders().decode(_cut(content[_CONTENT.size :]))
    return _FIRST.size + size + spec.FRAME_END_SIZE, frame.Header(channel, body_size, properties)


def _cut(encoded: bytes) -> bytes:
    """Return encoded properties without the headers. Before them are at most two texts."""
    flags, begin = int.from_bytes(encoded[:2]), 2
    for flag in (BasicProperties.FLAG_CONTENT_TYPE, BasicProperties.FLAG_CONTENT_ENCODING):
        if flags & flag:
            begin += 1 + encoded[begin]
    if not flags & BasicProperties.FLAG_HEADERS:
        raise InvalidFrameError("properties without headers cannot be read")
    end = begin + 4 + int.from_bytes(encoded[begin : begin + 4])
    return (flags & ~BasicProperties.FLAG_HEADERS).to_bytes(2) + encoded[2:begin] + encoded[end:]
