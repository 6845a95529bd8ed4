"""Gathering: a thread that works for the event loop, and takes all that waits at once.

Handing one request to a thread and back costs more than many requests need. So they are handed over together.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from queue_tool.web.serving.patience import NOBODY, Expected, Patience

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST = 64
"""Items that the thread takes before it hands over the answers."""

_NEVER = sys.maxsize

_log = logging.getLogger("queue_tool.web")


class Gathering(Generic[Item, Answer]):
    """A thread that handles what waits. It starts with the first item, and is a daemon."""

    def __init__(
        self,
        name: str,
        handle: Callable[[Sequence[Item]], Sequence[Answer | None]],
        patience: Patience | None = None,
    ) -> None:
        """Start no thread yet.

        Args:
            name: the name of the thread.
            handle: returns the answer to each item; None if somebody else must answer it. If it raises an error, it has
                changed nothing, and somebody else must answer all of them.
            patience: decides how long the thread waits for further items; None: it never does.
        """
        self._name = name
        self._handle = handle
        self._patience = patience
        self._is_started = False
        self._waiting: deque[tuple[Item, asyncio.Future[Answer | None]]] = deque()
        self._wanted = _NEVER  # the thread sleeps until so many items wait
        self._bell = SimpleQueue[None]()

    def __call__(self, item: Item) -> asyncio.Future[Answer | None]:
        """Handle an item. Call this in the event loop.

        Returns:
            The answer; None if somebody else must answer.
        """
        if not self._is_started:
            self._is_started = True
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._waiting) >= self._wanted:
            self._wanted = _NEVER
            self._bell.put(None)
        return future

    def _run(self) -> None:
        expected = NOBODY
        while True:
            self._sleep(expected)
            began = time.monotonic()
            taken = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            self._hand_over_answers(taken)
            expected = self._expected(len(taken), time.monotonic() - began)
            del taken

    def _expected(self, handled: int, seconds: float) -> Expected:
        if self._patience is None:
            return NOBODY
        return self._patience.after(handled, min(MOST, handled + len(self._waiting)), seconds)

    def _sleep(self, expected: Expected) -> None:
        """Return when something waits. Wait a moment for all that is expected, so that it is handled together."""
        if expected.items > 1:
            with suppress(Empty):
                self._bell.get_nowait()  # an old ring: it would end the sleep at once
            self._sleep_until(expected.items, expected.seconds)
        while not self._waiting:
            self._sleep_until(1, None)

    def _sleep_until(self, items: int, seconds: float | None) -> None:
        """Sleep until so many items wait, or less: an old ring of the bell may end the sleep."""
        self._wanted = items
        if len(self._waiting) < items:
            with suppress(Empty):
                self._bell.get(timeout=seconds)
        self._wanted = _NEVER

    def _hand_over_answers(self, taken: Sequence[tuple[Item, asyncio.Future[Answer | None]]]) -> None:
        answers = self._answers([item for item, _ in taken])
        futures = [future for _, future in taken]
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            futures[0].get_loop().call_soon_threadsafe(_hand_over, futures, answers)

    def _answers(self, items: Sequence[Item]) -> Sequence[Answer | None]:
        try:
            return self._handle(items)
        except Exception:  # noqa: BLE001 - whoever answers now meets the same error
            _log.debug("the thread %r leaves its requests to others", self._name, exc_info=True)
            return [None] * len(items)


def _hand_over(futures: Sequence[asyncio.Future[Answer | None]], answers: Sequence[Answer | None]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if not future.done():
            future.set_result(answer)
