"""The window of a list: how many of its tickets are in Redis while others wait in line in the database."""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 2000
"""The window of a list that was never filled: its workers may be fast or slow."""

PER_WORKER = 5000
"""The largest window for each worker process. Workers that run empty tasks take so many in about half a second, and a
fill takes a tenth of a second, so they are as fast with it as without a window."""

SMALLEST = 64
"""The smallest window, if the lane has at least half as many slots."""

WORK = 2.0
"""Seconds of work that a window holds. A batch that joins the line waits about as long for its first turn."""

TURN = 500
"""The least number of tickets in one turn of a batch, if the window has room. Smaller turns would make all batches end
late, and the transactions more expensive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFill:
    """The last fill of a list."""

    size: int  # the window
    length: int  # tickets in the list after the fill
    ago: float  # seconds


def largest(workers: int, max_pushed: int) -> int:
    """Return the largest window that a list may have.

    Args:
        workers: worker processes that live.
        max_pushed: the maximum number of tickets that one list may hold in Redis.
    """
    return max(1, min(PER_WORKER * max(1, workers), max_pushed))


def window(last: LastFill | None, length: int, most: int, slots: int | None = None) -> int:
    """Return the window of a list: what its workers take in `WORK` seconds, as measured since the last fill.

    Args:
        last: the last fill; None: the list was never filled.
        length: tickets in the list.
        most: the largest window that the list may have.
        slots: slots of the lane in one worker; None: unknown.
    """
    if last is None:
        return min(FIRST, most)
    if length == 0:  # the workers were faster than the window
        return min(most, 2 * last.size)
    taken = max(0, last.length - length)
    floor = min(SMALLEST, last.size if slots is None else 2 * slots)
    return min(most, max(floor, round(WORK * taken / max(last.ago, 0.001))))


def is_low(length: int, size: int) -> bool:
    """Return whether a list must be filled: at most half of its window is left."""
    return 2 * length <= size
