"""Feeds: what `GET /events` sends, and where a client is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from queue_tool.model.webhook import End

LISTENED_FOR = 90
"""Seconds for which ends are written to a feed after a process with clients renewed it."""

KEPT_FOR = 90
"""Seconds for which the ends of a feed are kept."""

MOST_DIGITS = 19


class Position(NamedTuple):
    """A row of a feed, in the order of the commits. Whoever is there has got this row and all before it."""

    sequence: int  # the number of its transaction on PostgreSQL; 0 on SQLite
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a client is in a feed. Its text is the `id` of each event, and clients send it back to go on there."""

    feed: int
    position: Position
    ends: int | None = None  # how many ends of this row the client has got; None: all

    def __str__(self) -> str:
        """Return the text."""
        whole = f"{self.feed}-{self.position.sequence}-{self.position.row}"
        return whole if self.ends is None else f"{whole}-{self.ends}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the place with this text; None if no place has it."""
        parts = text.split("-")
        if len(parts) not in (3, 4) or not all(map(_is_number, parts)):
            return None
        feed, sequence, row, *ends = map(int, parts)
        return cls(feed=feed, position=Position(sequence, row), ends=ends[0] if ends else None)

    @property
    def after(self) -> Position:
        """Return the position after which the client must get rows: if it has got a part of a row, it is among them."""
        return self.position if self.ends is None else Position(self.position.sequence, self.position.row - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """The ends of one batch, or of tasks without a batch, in one transaction."""

    position: Position
    batch: str | None
    ends: Sequence[End]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
