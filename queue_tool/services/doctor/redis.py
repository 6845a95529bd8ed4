"""The checks of Redis: whether it can be used, whose tickets it carries, and whether its memory lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from queue_tool.broker.marker import OF_ANOTHER
from queue_tool.broker.report import RedisReport
from queue_tool.model.settings import without_secrets
from queue_tool.services.doctor.finding import Finding, ok, warning, wrong

NO_EVICTION = "noeviction"

NEARLY_FULL = 0.9
"""The share of its memory from which on Redis is nearly full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisCheck:
    """Tries what the system needs from Redis, as each start does."""

    url: str
    attempt: Callable[[], None]  # raises BrokerAway if something is missing
    report: RedisReport
    name: str = "Redis"

    def __call__(self) -> Iterator[Finding]:
        """Return which server it is.

        Raises:
            BrokerAway: Redis refuses something.
        """
        self.attempt()
        kept = f", which keeps its data {self.report.keeps}" if self.report.keeps else ""
        yield ok(self, f"{self.report.server or 'A server of unknown version'}{kept}: {without_secrets(self.url)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerCheck:
    """Compares the marker in Redis with the identity of the database."""

    report: RedisReport
    identity: str
    name: str = "tickets"

    def __call__(self) -> Iterator[Finding]:
        """Return whose tickets Redis carries."""
        if self.report.owner is None:
            yield ok(self, "Redis carries no tickets yet, and belongs to the first database that uses it")
        elif self.report.owner == self.identity:
            yield ok(self, "Redis carries the tickets of this database")
        else:
            yield wrong(self, OF_ANOTHER.rstrip("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCheck:
    """Looks at the memory of Redis, and at what happens when it is full."""

    report: RedisReport
    name: str = "memory of Redis"

    def __call__(self) -> Iterator[Finding]:
        """Return how much is used."""
        policy, used, limit = self.report.policy, self.report.used, self.report.limit
        if policy is None or used is None:
            yield ok(self, "The user of Redis has no right to INFO, so its memory is not known")
            return
        bound = f"of {limit // 2**20:,} MiB" if limit else "without a limit"
        found = f"{used // 2**20:,} MiB are used {bound}, with maxmemory-policy {policy}"
        if policy != NO_EVICTION:
            remedy = f"set maxmemory-policy {NO_EVICTION}, because tickets that Redis evicts are pushed again, but late"
            is_wrong = policy.startswith("allkeys") and limit
            yield wrong(self, found, remedy) if is_wrong else warning(self, found, remedy)
        elif limit and used > NEARLY_FULL * limit:
            yield warning(self, found, "raise maxmemory")
        else:
            yield ok(self, found)
