"""The limits of the bridge: how long, how slow and how many."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients may demand of one process."""

    threads: int
    """Threads that run the application. They start on demand."""

    max_body: int
    """Bytes. The server stops reading a larger body."""

    bodies: int = 512
    """Bodies that are read at the same time."""

    big: int = 4 * 2**20
    """Bytes. The server asks the application before it reads more than this of one body."""

    window: float = 10.0
    """Seconds. In each window, a body must bring its least number of bytes, or its end."""

    least: int = 10_000
    """Bytes that each window must bring."""

    least_of_big: int = 640_000
    """Bytes that each window must bring once the body is big."""

    piece: int = 64 * 1024
    """Bytes of a response that are sent at once."""

    write: float = 20.0
    """Seconds within which the client must take a piece."""

    @property
    def memory(self) -> int:
        """Return the bytes that all unfinished bodies may hold together: four of the largest."""
        return 4 * max(self.max_body, self.big)
