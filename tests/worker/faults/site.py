"""A test site: a store, a Valkey and worker processes that may die, and checks of the state that they leave."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from queue_tool.host import begun, processes
from queue_tool.host.clock import CLOCK
from queue_tool.model.new_task import Accepted
from queue_tool.model.states import State
from queue_tool.model.task import Status
from queue_tool.model.ticket import read_ticket_id, ticket_id
from queue_tool.runtime import Runtime
from queue_tool.services.sweep.sweep import Sweep
from tests.past_the_store import Reader, locked, note, opened
from tests.support import LIMIT, POLL, clean_environment, eventually
from tests.warm import Program, interpreter

ROOT = Path(__file__).parents[3]

WORKER = ("-m", "queue_tool", "worker")

HARD = "tests.worker.faults.hard"

TASKS = f"{HARD},tests.worker.faults.alone,tests.worker.faults.awaits,tests.worker.faults.follows"
"""The modules of all task types that can be sent; a worker loads only HARD unless a test passes TASKS."""

SWEEP = 0.05
"""Seconds between the first two sweeps of `await_end`: each of them is a dozen queries."""


@dataclass
class Site:
    """A store, a Valkey, and the worker processes of a test."""

    directory: Path
    runtime: Runtime
    redis: Redis
    redis_url: str
    workers: list[Program] = field(default_factory=list)
    sweep: Sweep = field(init=False)
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        """Make the sweep, and add triggers that record claims and ends from now on.

        They record every claim, and every change that ends a task or changes an ended one. The task's row alone does
        not show these.
        """
        self.sweep, self.reader = self.runtime.sweep(), Reader(self.url)
        note(
            self.url, "claims", "token", "run", "owner", of="tasks", on="UPDATE OF state", when="NEW.state = 'running'"
        )
        over = "IN ('finished', 'failed', 'canceled')"
        when = f"NEW.state {over} OR OLD.state {over}"
        note(self.url, "ends", "token", "run", "finished_at", of="tasks", on="UPDATE", when=when)
        when = "NEW.open < 1 OR NEW.finished_at IS NOT NULL"
        kept = ("public_id", "open", "finished_at")
        note(self.url, "batch_ends", *kept, of="batches", on="UPDATE OF open, finished_at", when=when)

    # -- actions -------------------------------------------------------------------------------------------

    def send(self, task_type: str, data: Sequence[object]) -> list[str]:
        """Send a batch; return its tokens."""
        submission = self.runtime.submit(list(data), self.runtime.of_type(task_type))
        return [element.token for element in submission.elements if isinstance(element, Accepted)]

    def sleepers(self, count: int, valor: float = 0) -> list[str]:
        """Send a batch of tasks that sleep for `valor` seconds; return its tokens."""
        return self.send("sleep", [{"item": "a", "valor": valor}] * count)

    def start(self, *command: str, **settings: str) -> Program:
        """Start a worker, or the given command, in the site's directory."""
        return self._started(command or WORKER, settings, cold=False)

    def start_cold(self, **settings: str) -> Program:
        """Start a worker that is not a fork, because a fork's RSS includes memory of its parent."""
        return self._started(WORKER, settings, cold=True)

    def _started(self, command: Sequence[str], settings: dict[str, str], *, cold: bool) -> Program:
        known = {"DATA_DIR": str(self.runtime.settings.data_dir), "REDIS_URL": self.redis_url, "TASKS": HARD}
        if not self.runtime.store.database.is_file:
            known["DATABASE_URL"] = self.url
        with (self.directory / "workers.log").open("ab") as log:
            worker = interpreter().start(
                command,
                cwd=self.directory,
                env=clean_environment(**known | settings) | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
                own_session=True,
                cold=cold,
            )
        self.workers.append(worker)
        return worker

    def stop(self, worker: Program) -> None:
        """Send SIGTERM to a worker, and require exit code 0."""
        worker.terminate()
        assert worker.wait(LIMIT) == 0, self.log

    def kill_all(self) -> None:
        """Kill every remaining worker, and every process in its process group. Close the connection of the queries."""
        self.reader.close()
        for worker in self.workers:
            try:
                os.killpg(worker.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for worker in self.workers:
            worker.wait()

    def give_up_all_but(self, worker: Program) -> None:
        """Sweep once as if all other workers were dead."""
        Sweep(
            store=self.runtime.store,
            broker=self.runtime.broker,
            telemetry=self.runtime.telemetry,
            clock=CLOCK,
            lives_here=lambda process: process.pid == worker.pid,
            filling=self.runtime.filling,
        )()

    def locked(self) -> AbstractContextManager[None]:
        """Lock the database as a long write transaction does."""
        return locked(self.url)

    # -- queries -------------------------------------------------------------------------------------------

    @property
    def log(self) -> str:
        """Return the last 5000 characters of the workers' log."""
        return self.whole_log[-5000:]

    @property
    def whole_log(self) -> str:
        """Return the whole log of the workers."""
        return (self.directory / "workers.log").read_text("utf-8", "replace")

    @property
    def url(self) -> str:
        """Return the URL of the database."""
        return self.runtime.store.database.url

    def database(self) -> AbstractContextManager[Any]:
        """Open the database directly, without the store."""
        return opened(self.url)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query on the database."""
        return self.reader.rows(query)

    def task(self, token: str) -> Status:
        """Return the status of a task."""
        return self.runtime.ask.task(token)

    def tokens(self, state: State) -> set[str]:
        """Return the tokens of the tasks in a state."""
        return {token for (token,) in self.rows(f"SELECT token FROM tasks WHERE state = '{state}'")}

    def count(self, state: State) -> int:
        """Return how many tasks are in a state."""
        return len(self.tokens(state))

    def open(self) -> set[str]:
        """Return the tokens of the tasks that have not ended."""
        ended = ", ".join(f"'{state}'" for state in State if state.ended)
        return {token for (token,) in self.rows(f"SELECT token FROM tasks WHERE state NOT IN ({ended})")}

    def begun_files(self) -> list[Path]:
        """Return the files of what workers have begun."""
        return list((self.runtime.settings.data_dir / begun.FOLDER).glob("*"))

    def begun(self) -> set[str]:
        """Return the tokens of the tasks whose functions all registered workers had called when they noted it last."""
        files = begun.BegunFiles(self.runtime.settings.data_dir)
        found = (worker.process for worker in self.runtime.store.workers.all())
        noted = [files.read(each.machine, each.pid, each.pid_started) or () for each in found]
        return {read_ticket_id(ticket)[0] for tickets in noted for ticket in tickets}

    def started(self) -> set[str]:
        """Return the ids of the tickets in RQ's started registries."""
        entries: list[Any] = [entry for key in self.keys("rq:wip:*") for entry in self.redis.zrange(key, 0, -1)]
        return {entry.decode().rpartition(":")[0] for entry in entries}

    def waiting(self) -> list[str]:
        """Return the ids of the tickets in the lists."""
        found: list[Any] = [job for key in self.keys("rq:queue:*") for job in self.redis.lrange(key, 0, -1)]
        return [job.decode() for job in found]

    def tickets(self, state: State) -> list[str]:
        """Return the ticket ids of the tasks in a state, sorted."""
        rows = self.rows(f"SELECT token, run FROM tasks WHERE state = '{state}'")
        return sorted(ticket_id(token, run) for token, run in rows)

    def jobs(self) -> set[str]:
        """Return the ids of all tickets in Redis."""
        return {key.rpartition(":")[2] for key in self.keys("rq:job:*")}

    def keys(self, pattern: str = "*") -> set[str]:
        """Return the keys of Redis that match a pattern."""
        found: Any = self.redis.keys(pattern)
        return {key.decode() for key in found}

    def await_(self, look: Callable[[], object], within: float = LIMIT, every: float = POLL) -> None:
        """Wait until `look` returns a true value; on a timeout, the error has the workers' log."""
        try:
            eventually(look, within, every)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from error

    def await_end(self, within: float = LIMIT) -> None:
        """Sweep until every task has ended."""
        self.await_end_of((), within)

    def await_end_of(self, tokens: Sequence[str], within: float = LIMIT) -> None:
        """Sweep until these tasks have ended, or all tasks if `tokens` is empty."""

        def look() -> bool:
            self.sweep()
            left = self.open() & set(tokens) if tokens else self.open()
            tasks = self.rows("SELECT token, task_type, state, run, owner FROM tasks") if left else []
            assert not left, [task for task in tasks if task[0] in left]
            return True

        self.await_(look, within, every=SWEEP)

    # -- requirements --------------------------------------------------------------------------------------

    def require_each_task_ended_once(self) -> None:
        """Require that one write ended each task, each run was claimed at most once, and each batch has ended.

        No write may change a task or a batch after its end.
        """
        ended = self.rows("SELECT token, run, finished_at FROM ends ORDER BY token")
        assert ended == self.rows("SELECT token, run, finished_at FROM tasks ORDER BY token")
        assert all(finished_at for _, _, finished_at in ended)
        assert self.rows("SELECT token, run FROM claims GROUP BY token, run HAVING count(*) > 1") == []
        batches = self.rows("SELECT public_id, 0, finished_at FROM batches ORDER BY public_id")
        assert batches == self.rows("SELECT public_id, open, finished_at FROM batch_ends ORDER BY public_id")
        for batch, _, _ in batches:
            status = self.runtime.ask.batch(batch)
            assert sum(status.counts.values()) == status.accepted
            assert status.progress == 1

    def require_clean_redis(self) -> None:
        """Require that Redis holds nothing of any task, and workers only if they ended normally."""
        left = self.keys() - {"rq:queues", "rq:queue_tool:marker"}
        assert {key for key in left if not (key.startswith("rq:worker:") and self.redis.hexists(key, "death"))} == set()


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    return processes.started(pid) is not None


def mebibytes(pid: int) -> float:
    """Return the memory that a process uses (RSS), in MiB."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024
