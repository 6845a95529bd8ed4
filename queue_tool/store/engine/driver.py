"""A connection of PostgreSQL's driver that does not wait for ever.

The server's own `statement_timeout` does not help against a server that is stopped, and the timeouts of TCP do not help
while the kernel of a stopped server still acknowledges. So the client must stop waiting too.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any, TypeVar

from psycopg import Connection, OperationalError, errors
from psycopg.abc import PQGen

Result = TypeVar("Result")

FRESH = 1.0
"""Seconds after an answer for which a connection counts as open if nothing has arrived since."""


class BoundedConnection(Connection[Any]):
    """A connection that is closed if the server does not answer to a statement in time."""

    patience: float = float("inf")
    """Seconds to wait for the answer to one statement."""

    on_answer: Callable[[], object] = staticmethod(lambda: None)
    """Called after each answer."""

    answered_at: float = float("-inf")
    """When the server answered last. Monotonic."""

    is_shared: bool = False
    """Whether a pooler shares the server's sessions among clients. Then nothing is prepared."""

    def share(self) -> None:
        """Note that a pooler shares the server's sessions."""
        self.is_shared, self.prepare_threshold = True, None

    def wait(self, gen: PQGen[Result], *args: Any, **options: Any) -> Result:
        """Wait for the end of a statement.

        Raises:
            OperationalError: the server has not answered in time. The connection is closed, because the answer may
                still come.
        """
        try:
            return super().wait(self._bounded(gen), *args, **options)
        except (errors.DuplicatePreparedStatement, errors.InvalidSqlStatementName):
            self.share()  # another client of the pooler has prepared a statement of this name, or this one elsewhere
            raise

    def _bounded(self, steps: PQGen[Result]) -> PQGen[Result]:
        """Take the driver's steps of a statement. The driver resumes a step ten times a second without news."""
        until = time.monotonic() + self.patience
        try:
            wanted = next(steps)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > until:
                    self.close()
                    raise OperationalError(f"the server has not answered within {self.patience:g} seconds")
                wanted = steps.send(ready)
        except StopIteration as end:
            result: Result = end.value
            return result
        finally:
            if not self.closed:
                self.answered_at = time.monotonic()
                self.on_answer()

    def require_open(self) -> None:
        """Check that the server has not ended the session.

        To ask the server takes a round trip. That is left out if it has answered just now and said nothing since: who
        ends a session says so.

        Raises:
            Error: the session has ended.
        """
        if time.monotonic() - self.answered_at < FRESH and not self._has_news():
            return
        autocommit, self.autocommit = self.autocommit, True
        self.execute("SELECT 1")
        self.autocommit = autocommit

    def _has_news(self) -> bool:
        """Return whether something has arrived that nobody has read, or the end of the connection."""
        arrived = select.poll()
        arrived.register(self.fileno(), select.POLLIN)
        return bool(arrived.poll(0))
