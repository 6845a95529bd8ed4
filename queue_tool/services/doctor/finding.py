"""A finding: what one check has found, how bad it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Level(StrEnum):
    """How bad a finding is, from good to bad."""

    OK = "ok"
    WARNING = "warning"  # the system works, but may not do so for long, or not as it should
    WRONG = "wrong"  # the system, or a part of it, does not work

    @property
    def severity(self) -> int:
        """Return 0 for `OK`, 1 for `WARNING` and 2 for `WRONG`. It is the exit code of `queue-tool doctor`."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check has found."""

    check: str
    level: Level
    found: str  # a sentence without its end
    remedy: str | None = None  # what to do, as the rest of this sentence; None: nothing


class Check(Protocol):
    """Looks at one thing."""

    @property
    def name(self) -> str:
        """Return what it is called in its findings."""

    def __call__(self) -> Iterator[Finding]:
        """Return what was found: at least one finding, or none if there is nothing to look at.

        Raises:
            QueueToolError: it cannot be looked at. The sentence says why, and it counts as wrong.
        """


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level of the findings; `OK` if there is none."""
    return max((finding.level for finding in findings), key=lambda level: level.severity, default=Level.OK)


def ok(check: Check, found: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(check=check.name, level=Level.OK, found=found)


def warning(check: Check, found: str, remedy: str) -> Finding:
    """Return a finding that is no failure yet."""
    return Finding(check=check.name, level=Level.WARNING, found=found, remedy=remedy)


def wrong(check: Check, found: str, remedy: str | None = None) -> Finding:
    """Return the finding that something does not work."""
    return Finding(check=check.name, level=Level.WRONG, found=found, remedy=remedy)
