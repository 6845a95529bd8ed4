"""Threads that run functions for the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")


class Threads:
    """A bounded pool of threads, which start on demand. They are daemons: a stuck one does not delay the shutdown."""

    def __init__(self, limit: int) -> None:
        """Start no thread yet; start at most `limit`."""
        self._limit = limit
        self._started = 0
        self._idle = threading.Semaphore(0)
        self._work = SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]]]()

    def run(self, function: Callable[[], Result]) -> asyncio.Future[Result]:
        """Run a function in a thread. Call this in the event loop.

        Args:
            function: if all threads are busy, it waits for its turn.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._work.put((function, future))
        if not self._idle.acquire(blocking=False) and self._started < self._limit:
            self._started += 1
            threading.Thread(target=self._run, name="request", daemon=True).start()
        return future

    def _run(self) -> None:
        while True:
            function, future = self._work.get()
            result, error = None, None
            try:
                result = function()
            except BaseException as raised:  # noqa: BLE001 - the caller in the event loop gets it
                error = raised
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                future.get_loop().call_soon_threadsafe(_settle, future, result, error)
            del function, future, result, error
            self._idle.release()


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():  # canceled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
