"""The context of a run, passed to a task's function if the function takes a second parameter."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, Unpack

from queue_tool.errors import NotSent
from queue_tool.model.bounded_text import keepable
from queue_tool.model.continuation import parent_of_batch, parent_of_task
from queue_tool.model.many import require_many
from queue_tool.model.outcome import MOST_LINES, Note
from queue_tool.model.parent_results import ParentResults, WantedPage
from queue_tool.model.sending import Sending, SendOptions, sending_of

LONGEST_LINE = 2000
"""Characters kept of a log line or a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What a run has reported since its notes were last taken."""

    progress: float | None  # from 0 to 1; None: nothing new
    note: str  # the text for the progress
    lines: tuple[str, ...]
    logged: int = 0  # how many lines the run has logged in all


def ignore_news(_: Context) -> None:
    """Do nothing: the listener of a run whose notes are not read while it runs."""


def refuse_to_send(_: Context, __: Sending | WantedPage) -> NoReturn:
    """Refuse to send, and to read results: no worker has made the context.

    Raises:
        NotSent: always.
    """
    raise NotSent(
        "No worker made this context, so it cannot send tasks. In a test, give it a function instead: "
        'Context(..., send=lambda context, sending: "a token").'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One run of one task, as its function sees it.

    `canceled` is set when the result is no longer needed, because the deadline has passed or the task was canceled.
    A function that runs for a long time should check it regularly and return when it is set.
    """

    token: str
    attempt: int
    run: int = 1  # grows with every run of the task, so that a function can recognize what an earlier run left behind
    deadline: datetime | None  # when the run is recorded as timed out; None: no limit
    parameters: Mapping[str, Any] = field(
        default_factory=dict
    )  # additional input for the function, in addition to its data
    canceled: threading.Event = field(default_factory=threading.Event)
    on_news: Callable[[Context], None] = field(default=ignore_news, repr=False)  # called when there are notes to take
    parent_batch: str | None = None  # the id of the batch that this task continues; None if it continues no batch
    parent: str | None = None  # the token of the task that this task continues; None if it continues no task
    send: Callable[[Context, Sending | WantedPage], Any] = field(
        default=refuse_to_send, repr=False
    )  # what `submit` and `results` call
    _notes: list[tuple[float, str]] = field(default_factory=list, init=False, repr=False)
    _lines: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_LINES), init=False, repr=False)
    _logged: list[int] = field(default_factory=lambda: [0], init=False, repr=False)

    def progress(self, done: float, note: str = "") -> None:
        """Report how much is done.

        Args:
            done: the share that is done, from 0 to 1.
            note: a short text about it, for people.

        Raises:
            ValueError: `done` is not between 0 and 1.
        """
        if not 0 <= done <= 1:
            raise ValueError(f"progress must be a number from 0 to 1, not {done!r}")
        self._notes[:] = [(float(done), keepable(note, LONGEST_LINE))]
        self.on_news(self)

    def log(self, text: str) -> None:
        """Add a line to the task's log."""
        self._lines.append(keepable(text, LONGEST_LINE))
        self._logged[0] += 1
        self.on_news(self)

    def submit(self, data: object, *, task_type: str, key: str | None = None, **options: Unpack[SendOptions]) -> Any:
        """Send a task. When this returns its token, the task is on disk, whatever becomes of the running one.

        Where an event loop runs, this returns a coroutine: an `async def` awaits it.

        Args:
            data: the data of the task: JSON.
            task_type: its type.
            key: makes it once per parent task: if an earlier run of this task has used the key, its token is returned.
            options: those of `POST /tasks`; `run_at` and `expires_at` may be a datetime, and `delay` a timedelta.

        Returns:
            The token (a str). If another unfinished task uses the `unique_key`, the token of that one.

        Raises:
            NotSent: the data is not JSON, or this context cannot send.
            BadTask: the task was refused. Its text names the reasons, and so does its `errors`.
            IdempotencyKeyReused: this task has used the key for other data.
            TooManyWaiting: too many tasks are queued.
            StoreAway: the database has been away for ten seconds.
        """
        return self.send(self, sending_of(task_type, [data], options, key=key, many=False))

    def submit_many(
        self, data: Iterable[object], *, task_type: str, key: str | None = None, **options: Unpack[SendOptions]
    ) -> Any:
        """Send a batch of tasks of one type. Each element is accepted or refused on its own.

        Where an event loop runs, this returns a coroutine: an `async def` awaits it.

        Args:
            data: the data of each task: JSON.
            task_type: their type.
            key: makes it once per parent task: if an earlier run of this task has used the key, nothing new is sent.
            options: those of `POST /tasks`, for each of the tasks.

        Returns:
            A `Sent`: the id of the `batch`, its `elements`, the `tokens` of the accepted and the `refused` ones. If all
            are refused, nothing is stored, and `batch` is None.

        Raises:
            TooManyItems: there are more than `QUEUE_TOOL_MAX_BATCH`.
            QueueToolError: what `submit` raises, except for BadTask.
        """
        return self.send(self, sending_of(task_type, list(require_many(data, "data")), options, key=key, many=True))

    def results(self) -> ParentResults:
        """Return the results of what this task continues, in the order of the batch. They are read in pages.

        A plain function reads them with `for`, an `async def` with `async for`.

        Raises:
            ValueError: the task is no continuation.
        """
        if self.parent_batch is not None:
            parent = parent_of_batch(self.parent_batch)
        elif self.parent is not None:
            parent = parent_of_task(self.parent)
        else:
            raise ValueError("This task is no continuation, so there are no results to read.")
        return ParentResults(parent, lambda wanted: self.send(self, wanted))

    def take_notes(self) -> Notes:
        """Return and clear what the run has reported since the last call. The function may report more meanwhile."""
        progress, note = self._notes.pop() if self._notes else (None, "")
        lines = tuple(self._lines.popleft() for _ in range(len(self._lines)))
        return Notes(progress=progress, note=note, lines=lines, logged=self._logged[0])


def take_note(context: Context) -> Note | None:
    """Return and clear what a run has reported since the last call, for the store. None if it is nothing."""
    notes = context.take_notes()
    if notes.progress is None and not notes.lines:
        return None
    return Note(
        token=context.token,
        run=context.run,
        progress=notes.progress,
        note=notes.note,
        lines=notes.lines,
        logged=notes.logged,
    )
