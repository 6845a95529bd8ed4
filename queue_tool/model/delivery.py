"""Deliveries: a message to a webhook on its way, and what came of each try to send it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.webhook import End, TryResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """Where a message goes, and what it needs. It holds secrets."""

    row: int
    url: str
    headers: Mapping[str, str]
    secrets: Sequence[str]  # the first one is the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A webhook for which something waits."""

    row: int
    fails: bool  # whether its last try failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A message that this process may send now."""

    id: str
    to: Addressed
    ends: Sequence[End]
    at: Sequence[datetime]  # when each of them ended
    tries: int  # how many tries have failed before
    is_full: bool  # whether more may wait than it could take
    lease: tuple[int, int]  # owner and end of the lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What came of one try."""

    message: str
    type: str
    count: int  # ends in the message
    at: datetime
    number: int  # the first try is 1
    outcome: TryResult
    seconds: float
    status: int | None
    answer: str
    problem: str | None
