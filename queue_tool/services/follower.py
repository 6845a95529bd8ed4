"""A follower: one client of `GET /events`, and what it has not been sent yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from queue_tool.model.feed import Place, Position

PULSE_EVERY = 15.0
"""Seconds of silence after which a client gets a pulse, so that no proxy takes the connection for dead."""

ROOM = 256 * 1024
"""Bytes that may wait for a client before it gets no more. It is then behind, and reads on from the database."""


class Follower(Iterator[bytes]):
    """A client that follows a feed.

    The watcher's thread gives it pieces. An event loop takes them when it is called, or a thread iterates over them.
    """

    def __init__(self, *, batch: str | None, key: str, until: float, pulse: bytes, leave: Callable[[], None]) -> None:
        """Start without anything to send.

        Args:
            batch: the batch whose ends the client wants; None: all ends.
            key: the id of its API key; empty if it needs none.
            until: when the stream ends, on the monotonic clock.
            pulse: what is sent when nothing else was sent for a while.
            leave: called once, when the client has left or the stream has ended.
        """
        self.batch = batch
        self.key = key
        self.until = until
        self.pulse = pulse
        self.pulse_every = PULSE_EVERY
        # these belong to the watcher
        self.feed: int | None = None  # None: it is not known yet
        self.number = 0  # transactions below this number must have ended before the client starts
        self.position: Position | None = None  # None: it has not started
        self.partly: Place | None = None  # the row of which the client has got a part already
        self.is_new = True  # the watcher has not read for it yet
        self.is_behind = False  # it had no room when the watcher read last
        self.progress = b""  # the progress of its batch that it was sent last
        self._leave: Callable[[], None] | None = leave
        self._pieces = deque[bytes]()
        self._waiting = 0  # bytes
        self._has_ended = False
        self._changed = threading.Condition()
        self._call: Callable[[], None] | None = None

    @property
    def has_room(self) -> bool:
        """Return whether the client may get more."""
        return self._waiting < ROOM

    @property
    def has_ended(self) -> bool:
        """Return whether it gets nothing more."""
        return self._has_ended

    def give(self, piece: bytes) -> None:
        """Send a piece to the client."""
        with self._changed:
            self._pieces.append(piece)
            self._waiting += len(piece)
        self._notify()

    def end(self) -> None:
        """End the stream, after what waits for the client."""
        self._has_ended = True
        self._notify()

    def take(self) -> bytes | None:
        """Return what waits for the client, perhaps nothing; None: the stream has ended. It does not wait."""
        with self._changed:
            if self._has_ended and not self._pieces:
                return None
            piece = b"".join(self._pieces)
            self._pieces.clear()
            self._waiting = 0
        return piece

    def on_news(self, call: Callable[[], None]) -> None:
        """Call a function, in any thread, whenever there may be something to take; at once, too."""
        self._call = call
        call()

    def __next__(self) -> bytes:
        """Return the next piece, or a pulse after a silence."""
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._has_ended, PULSE_EVERY)
        piece = self.take()
        if piece is None:
            self.close()
            raise StopIteration
        return piece or self.pulse

    def close(self) -> None:
        """Give the place of this client to another one."""
        self._has_ended = True
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
        if self._call is not None:
            self._call()
