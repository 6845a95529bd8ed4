"""The isolated lane: its runs are done by the processes of a pool, and suspects of all lanes share processes."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.run import Run
from queue_tool.worker.handed import Limits
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.pool import MOST_HANDED, PoolExecutor
from queue_tool.worker.suspects import Company, SharedProcess, is_tainted, shares_process
from queue_tool.worker.thread_executor import InThread


class IsolatedExecutor(PoolExecutor):
    """Calls functions in processes. The thread of a slot may also lead the suspects that share a process."""

    def __init__(
        self,
        slots: int,
        name: str,
        inbox: Inbox,
        directory: WorkingDirectory,
        limits: Limits | None = None,
        *,
        start_server: bool,
    ) -> None:
        """Prepare, as the pool does."""
        super().__init__(slots, name, inbox, directory, limits, start_server=start_server)
        self._joining = threading.Lock()
        self._companies: dict[int, Company] = {}  # by the slot of the leader
        self._members: dict[str, tuple[Company, int]] = {}  # by ticket: the number of its channel

    def start(self, runs: Iterable[Run]) -> None:
        """Pass the runs to the threads. A suspect shares a process that runs already, if one has a place."""
        super().start(runs)
        if self._companies:
            self._fill_places()

    @property
    def companions(self) -> int:
        """Return how many active suspects take no slot, because they share a process with another one."""
        return sum(company.companions for company in list(self._companies.values()))

    @property
    def places(self) -> int:
        """Return how many suspects may join others now."""
        return sum(company.places for company in list(self._companies.values()))

    def shares(self, run: Run) -> bool:
        """Return whether a run is a suspect that may share a process."""
        return shares_process(run)

    def stop(self, ticket: str) -> None:
        """End the process that does a run, or prevent the start of the run. A shared process ends with the others."""
        super().stop(ticket)
        member = self._members.get(ticket)
        if member is not None:
            member[0].stop(ticket)

    def work(self, slot: int, ticket: str, run: Run, found: InThread) -> Ended:
        """Let the shared process do the run of a suspect, and wait until it has ended."""
        return self._work_together(slot, ticket, run, found.context(self._inbox.noted))

    def _do(self, slot: int, ticket: str, run: Run) -> None:
        if not shares_process(run):
            self.do_in_pool(slot, ticket, run)
            return
        with self._joining:
            if self._join(ticket, run):
                return
            self._companies[slot] = company = Company(slot)
            number = company.join(ticket)
            assert number is not None  # it is the first one
        self._lead(company, number, ticket, run)

    def _lead(self, company: Company, number: int, ticket: str, run: Run) -> None:
        """Start a shared process, do a run in it, and end it when all runs of it have ended."""
        try:
            company.process.set_result(self._shared_process())
        except Exception as error:  # noqa: BLE001 - it is the end of all runs that have joined
            company.close()
            company.process.set_exception(error)
        self._fill_places()
        self._do_together(company, number, ticket, run)
        company.wait()
        del self._companies[company.slot]
        if company.process.exception() is None:
            company.process.result().end()

    def _shared_process(self) -> SharedProcess:
        """Start a shared process. If the fork server has ended, the standard library starts another one."""
        with suppress(EOFError, ConnectionError):
            self._server.start()
            return SharedProcess(self._server, self._directory)
        self._server.start()
        return SharedProcess(self._server, self._directory)

    def _fill_places(self) -> None:
        """Let suspects that wait for a slot join others."""
        for ticket, run in list(self._waiting.items()):
            if shares_process(run):
                with self._joining:
                    if not self.places:
                        return
                    if self._waiting.pop(ticket, None) is not None and not self._join(ticket, run):
                        self._waiting[ticket] = run  # the process has just been closed
                        self._wake()

    def _join(self, ticket: str, run: Run) -> bool:
        """Let a suspect join others. Return False if there is no place."""
        for company in list(self._companies.values()):
            number = company.join(ticket)
            if number is not None:
                together = partial(self._do_together, company, number, ticket, run)
                threading.Thread(target=together, name=f"{self._name} suspect", daemon=True).start()
                return True
        return False

    def _do_together(self, company: Company, number: int, ticket: str, run: Run) -> None:
        self._members[ticket] = company, number
        try:
            super()._do(company.slot * MOST_HANDED + number, ticket, run)
        finally:
            del self._members[ticket]
            company.leave(ticket)

    def _work_together(self, slot: int, ticket: str, run: Run, context: Context) -> Ended:
        company, number = self._members[ticket]
        process = company.process.result()
        self.note_call(slot, ticket)
        ended = process.do(number, run, context)
        self.await_same_order(process, ended, context)
        if is_tainted(ended):
            company.close()
        return ended
