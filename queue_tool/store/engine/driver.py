"""A connection of PostgreSQL's driver that does not wait for ever.

The server's own `statement_timeout` does not help against a server that is stopped, and the timeouts of TCP do not help
while the kernel of a stopped server still acknowledges. So the client must stop waiting too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from psycopg import Connection, OperationalError, errors
from psycopg.abc import PQGen

Result = TypeVar("Result")


class BoundedConnection(Connection[Any]):
    """A connection that is closed if the server does not answer to a statement in time."""

    patience: float = float("inf")
    """Seconds to wait for the answer to one statement."""

    on_answer: Callable[[], object] = staticmethod(lambda: None)
    """Called after each answer."""

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
                self.on_answer()
