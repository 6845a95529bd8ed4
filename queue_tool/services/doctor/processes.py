"""The check of the processes: whether any runs tasks, and whether each can do its work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.version import VERSION
from queue_tool.services.doctor.finding import Finding, ok, warning, wrong
from queue_tool.services.measures.gauges import Gauges, WorkerState, state_of
from queue_tool.store import WorkerDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessesCheck:
    """Looks at the processes that have registered in the database."""

    gauges: Gauges
    now: datetime
    name: str = "processes"

    def __call__(self) -> Iterator[Finding]:
        """Return a finding for each process that cannot do its work, and how many there are.

        Raises:
            StoreAway: the database cannot be reached.
        """
        workers = self.gauges.workers(self.now)
        if not workers:
            yield warning(self, "No process runs tasks", "start the system with `queue-tool up`")
            return
        kinds = Counter(worker.process.kind for worker in workers)
        counted = ", ".join(f"{kind} ({number})" for kind, number in sorted(kinds.items()))
        hosts = ", ".join(sorted({worker.process.host for worker in workers}))
        yield ok(self, f"Registered: {counted}, on {hosts}")
        for worker in workers:
            yield from self._of(worker)

    def _of(self, worker: WorkerDetails) -> Iterator[Finding]:
        process = worker.process
        who = f"The {process.kind} with the process id {process.pid} on {process.host}"
        state = state_of(worker)
        if state is WorkerState.TROUBLED:
            yield wrong(self, f"{who} cannot do its work: {worker.trouble}", "its log has more")
        if state is WorkerState.SILENT:
            yield warning(
                self, f"{who} has sent no heartbeat for {worker.silence:.0f} s", "see whether it runs, and read its log"
            )
        if process.version != VERSION:
            remedy = "start it again, so that all have the same version"
            yield warning(self, f"{who} has version {process.version or 'unknown'}, and this command {VERSION}", remedy)
