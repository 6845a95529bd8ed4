"""Failures of the same kind: failed tasks of one type whose errors differ only in numbers and ids. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from queue_tool.model.states import Code

LONGEST = 200
"""Characters of an error that tell one kind from another."""

VARIES = "…"
"""What stands for a number or an id."""

_VARYING = re.compile(r"0x[0-9a-f]+|\b(?=[0-9a-f-]*\d)[0-9a-f-]{8,}\b|\d+", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed task."""

    token: str
    task_type: str
    code: Code
    error: str  # its beginning
    ended_at: datetime


@dataclass(slots=True, kw_only=True)
class Failures:
    """The failures of one kind."""

    id: str  # the same whenever this kind is found again
    task_type: str
    code: Code
    pattern: str
    last: datetime
    first: datetime
    tokens: list[str] = field(default_factory=list)  # the newest first


def pattern_of(error: str) -> str:
    """Return the first line of an error, without the numbers and ids in it."""
    return _VARYING.sub(VARIES, error.partition("\n")[0])[:LONGEST]


def grouped(failures: Iterable[Failure]) -> Sequence[Failures]:
    """Return the kinds of some failures, those with the most tasks first.

    Args:
        failures: the newest first.
    """
    found: dict[tuple[str, Code, str], Failures] = {}
    for failure in failures:
        kind = failure.task_type, failure.code, pattern_of(failure.error)
        group = found.get(kind)
        if group is None:
            group = found[kind] = Failures(
                id=hashlib.sha256("\0".join(kind).encode()).hexdigest()[:32],
                task_type=failure.task_type,
                code=failure.code,
                pattern=kind[2],
                last=failure.ended_at,
                first=failure.ended_at,
            )
        group.first, group.last = min(group.first, failure.ended_at), max(group.last, failure.ended_at)
        group.tokens.append(failure.token)
    return sorted(found.values(), key=lambda group: len(group.tokens), reverse=True)
