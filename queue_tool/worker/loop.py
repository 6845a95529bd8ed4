"""The worker's event loop, in its own thread. If a coroutine blocks the loop, the rest of the worker continues."""

from __future__ import annotations

import asyncio
import logging
import threading

_log = logging.getLogger("queue_tool.worker")


class LoopThread:
    """An event loop that runs while the worker runs."""

    def __init__(self) -> None:
        """Start the loop and its thread."""
        self.loop = asyncio.new_event_loop()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)
        self._thread.start()

    @property
    def thread_id(self) -> int:
        """Return the id of the loop's thread."""
        return self._thread.ident or 0

    def close(self, within: float) -> None:
        """Cancel all coroutines and wait at most `within` seconds until they end. Do not wait for the others."""
        asyncio.run_coroutine_threadsafe(self._finish(), self.loop)
        self._thread.join(within)

    def _run(self) -> None:
        while not self._closing:
            try:
                self.loop.run_forever()
            except BaseException:  # noqa: BLE001 - a coroutine that a function left running may raise SystemExit
                _log.exception("an exception stopped the event loop, which starts again")
        self.loop.close()

    async def _finish(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self._closing = True
        self.loop.stop()
