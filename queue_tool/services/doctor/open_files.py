"""The check of the limit of open files, which is also the limit of connections."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import dataclass

from queue_tool.services.doctor.finding import Finding, ok, warning

LEAST = 1024
"""Files that a process should be able to open. Linux allows so many to a user's programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFilesCheck:
    """Looks at the limit of this shell, which processes inherit that are started here."""

    concurrency: int  # tasks on the event loop of a worker
    least: int = LEAST
    name: str = "open files"

    def __call__(self) -> Iterator[Finding]:
        """Return how many files a process may open."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit == resource.RLIM_INFINITY:
            yield ok(self, "A process started here may open any number of files")
        elif limit < self.least:
            yield warning(
                self, f"A process started here may open only {limit} files", "raise it (`ulimit -n`, LimitNOFILE)"
            )
        else:
            enough = "" if limit > self.concurrency else f", fewer than a worker has tasks at once ({self.concurrency})"
            yield ok(self, f"A process started here may open {limit} files{enough}")
