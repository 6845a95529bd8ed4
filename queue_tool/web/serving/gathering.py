"""Gathering: threads that work for the event loop, each of which takes all that waits at once.

Handing one request to a thread and back costs more than many requests need. So they are handed over together.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST = 64
"""Items that a thread takes before it hands over the answers."""

_log = logging.getLogger("queue_tool.web")


class Gathering(Generic[Item, Answer]):
    """Threads that handle what waits. They start with the first item, and are daemons."""

    def __init__(
        self, name: str, handle: Callable[[Sequence[Item]], Sequence[Answer | None]], threads: int = 1
    ) -> None:
        """Start no thread yet.

        Args:
            name: the name of the threads.
            handle: returns the answer to each item; None if somebody else must answer it. If it raises an error, it has
                changed nothing, and somebody else must answer all of them.
            threads: how many threads there are.
        """
        self._name = name
        self._handle = handle
        self._missing = threads
        self._waiting = SimpleQueue[tuple[Item, asyncio.Future[Answer | None]]]()

    def __call__(self, item: Item) -> asyncio.Future[Answer | None]:
        """Handle an item. Call this in the event loop.

        Returns:
            The answer; None if somebody else must answer.
        """
        while self._missing:
            self._missing -= 1
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting.put((item, future))
        return future

    def _run(self) -> None:
        while True:
            taken = [self._waiting.get()]
            while len(taken) < MOST and not self._waiting.empty():
                taken.append(self._waiting.get())
            answers = self._answers([item for item, _ in taken])
            futures = [future for _, future in taken]
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                futures[0].get_loop().call_soon_threadsafe(_hand_over, futures, answers)
            del taken, answers, futures

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
