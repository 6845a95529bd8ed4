"""A whole system in one process: the services of the real one, on a SQLite database, without Redis and workers.

A task runs when it is sent, in the thread of the sender. What is due later runs when the test moves the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self, Unpack

from queue_tool import environment
from queue_tool.model import events
from queue_tool.model.batch import Refused
from queue_tool.model.filter import Filter
from queue_tool.model.many import require_many
from queue_tool.model.sending import SendOptions, refusal, requests_of, sending_of
from queue_tool.model.settings import INLINE, Settings
from queue_tool.model.task_request import Requests
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.times import require_time_zone
from queue_tool.runtime import open_runtime
from queue_tool.store import migrations
from queue_tool.store.engine.database import Database
from queue_tool.store.next_due import next_due
from queue_tool.testing.moving_clock import MovingClock
from queue_tool.testing.sent import SentBatch, SentTask, tasks_of

SWEEP_EVERY = timedelta(hours=12)
"""How often the time is stopped for all that a sweeper does, if something comes due meanwhile."""


class InlineSystem:
    """A system for tests, whose time stands still until the test moves it. Use it in a `with` statement.

    `runtime` is what `queue_tool.open()` returns to a program, for code that takes it as a parameter.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        """Open the system. Its task types are those that the test has imported, and those of QUEUE_TOOL_TASKS.

        Args:
            directory: the data directory. A database there is used, otherwise one is made.
            settings: settings by their names. The others come from the environment and `.env`, but for the database
                and Redis.

        Raises:
            BadSetting: a setting cannot be used.
            BadTaskType: a task type cannot be used.
        """
        own = {"DATA_DIR": str(directory), "DATABASE_URL": "", "REDIS_URL": INLINE}
        chosen = environment.load_settings(
            dict(settings or {}) | {f"QUEUE_TOOL_{name}": text for name, text in own.items()}
        )
        self._clock = MovingClock()
        self._begun = 0  # runs
        telemetry = Telemetry()
        telemetry.listen({events.TaskStarted: self._count})
        self.runtime = open_runtime(
            chosen, telemetry, "sweeper", migrate=True, clock=self._clock.as_clock(), sweeps=True
        )
        self.runtime.store.database.is_durable = False  # nobody needs a test's data after a power failure
        self._sweep = self.runtime.sweep()
        self._swept = self.now  # when it did all that a sweeper does

    def __enter__(self) -> Self:
        """Return the system itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.runtime.__exit__()

    # -- sending -------------------------------------------------------------------------------------------

    def submit(self, data: object, *, task_type: str, **options: Unpack[SendOptions]) -> SentTask:
        """Send a task, and run it if it need not wait.

        Args:
            data: the data of the task: JSON.
            task_type: its type.
            options: those of `POST /tasks`; `run_at` and `expires_at` may be a datetime, and `delay` a timedelta.

        Raises:
            BadTask: the task was refused. Its text names the reasons.
            NotSent: the data is not JSON.
        """
        (request,), _ = requests_of(sending_of(task_type, [data], options, key=None, many=False))
        element = self.runtime.submit.single(request, self._requests())
        if isinstance(element, Refused) and element.duplicate_of is None:
            raise refusal(task_type, element.errors)
        self._do_what_is_due()
        return self.task(element.duplicate_of or "" if isinstance(element, Refused) else element.token)

    def submit_many(self, data: Iterable[object], *, task_type: str, **options: Unpack[SendOptions]) -> SentBatch:
        """Send a batch of tasks of one type, and run those that need not wait. Each element is accepted or refused.

        Args:
            data: the data of each task: JSON.
            task_type: their type.
            options: those of `POST /tasks`, for each of the tasks; `on_finished` is that of the batch.

        Raises:
            NotSent: the data is not JSON.
            BadContinuation: `on_finished` is not valid.
            ValueError: there is no data.
        """
        elements = list(require_many(data, "data"))
        requests, on_finished = requests_of(sending_of(task_type, elements, options, key=None, many=True))
        submission = self.runtime.submit(requests, self._requests(), on_finished=on_finished)
        if submission.batch is None:
            raise ValueError("a batch needs at least one element")
        self._do_what_is_due()
        refused = {each.index: each.errors for each in submission.elements if isinstance(each, Refused)}
        return SentBatch(id=submission.batch, refused=refused, runtime=self.runtime)

    def _requests(self) -> Requests:
        return Requests(types=self.runtime.types, now=self.now)

    # -- looking -------------------------------------------------------------------------------------------

    def task(self, token: str) -> SentTask:
        """Return the task with this token."""
        return SentTask(token=token, runtime=self.runtime)

    def tasks(self, task_type: str | None = None) -> list[SentTask]:
        """Return all tasks, or those of one type, the oldest first. Whoever has sent them: functions, schedules too."""
        return tasks_of(self.runtime, Filter(task_type=task_type))

    # -- time ----------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """Return the time of the system, in UTC."""
        return self._clock.now

    def advance(self, time: timedelta | None = None, /, **parts: float) -> None:
        """Move the time forward, and do on the way what comes due, each thing at its time.

        Delayed tasks and retries run, tasks expire, and schedules send.

        Args:
            time: how far; or its parts, as for `timedelta`: `advance(hours=1, minutes=30)`.
            parts: see `time`.

        Raises:
            ValueError: the time is negative.
        """
        self.advance_to(self.now + (timedelta(**parts) if time is None else time))

    def advance_to(self, time: datetime) -> None:
        """Move the time forward to this one, as `advance` does.

        Raises:
            NaiveTime: the time has no time zone.
            ValueError: it is in the past.
        """
        time = require_time_zone(time)
        while (due := self._next_due()) is not None and due < time:
            self._clock.move_to(due)
            self._do_what_is_due()
        self._clock.move_to(time)
        self._sweep_all()

    def _next_due(self) -> datetime | None:
        return next_due(self.runtime.store.database, self.now)

    def _do_what_is_due(self) -> None:
        """Do what the time brings. All the rest that a sweeper does need not be done at each of a year's ticks."""
        if self.now - self._swept >= SWEEP_EVERY:
            self._sweep_all()
        else:
            self._until_none_begins(self._sweep.due)

    def _sweep_all(self) -> None:
        """Do all that a sweeper does."""
        if self.runtime.declared is not None:
            self.runtime.declared.refresh()  # a schedule that nobody has declared for a day would be paused
        self._until_none_begins(self._sweep)
        self._swept = self.now

    def _until_none_begins(self, work: Callable[[], object]) -> None:
        """Repeat this work until it has begun no task."""
        before = None
        while before != self._begun:
            before = self._begun
            work()

    def _count(self, _: events.TaskStarted) -> None:
        self._begun += 1


def make_database(directory: Path) -> Path:
    """Make a database with empty tables in a directory, and return its path."""
    with closing(Database(Settings(data_dir=directory).database)) as database:
        migrations.upgrade(database)
        return database.path
