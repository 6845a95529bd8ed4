"""Streams: long responses that are made while they are sent, a bounded number at a time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from queue_tool.errors import TooManyStreams

EXTENSION = "queue_tool.streams"

AT_ONCE = 16
"""Streams of one process at the same time."""

OF_ONE_KEY = 4
"""Streams of one API key at the same time."""


class Streams:
    """The slots for streams in this process."""

    def __init__(self) -> None:
        """Start with all slots free."""
        self._lock = threading.Lock()
        self._keys = Counter[str]()

    def start(self, write: Callable[[], Iterator[bytes]], key_id: str) -> Iterator[bytes]:
        """Start a stream that holds a slot until it ends or is closed.

        Args:
            write: starts the stream and returns its pieces.
            key_id: the API key of the client; empty if it needs none.

        Raises:
            TooManyStreams: all slots are taken, or this key has its share of them.
        """
        with self._lock:
            if self._keys.total() >= AT_ONCE or (key_id and self._keys[key_id] >= OF_ONE_KEY):
                raise TooManyStreams(retry_after=5)
            self._keys[key_id] += 1
        return _Stream(write(), partial(self._free, key_id))

    def _free(self, key_id: str) -> None:
        with self._lock:
            self._keys[key_id] -= 1
            self._keys += Counter()  # forgets the keys that have none


class _Stream(Iterator[bytes]):
    """An iterator that frees its slot when it is closed. A generator that never started could not do that."""

    def __init__(self, pieces: Iterator[bytes], free_slot: Callable[[], None]) -> None:
        self._pieces = pieces
        self._free_slot = free_slot
        self._is_closed = False

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._free_slot()
