"""The worker's event loop, in a thread of its own: whatever a coroutine does to it, the rest of the worker goes on."""

from __future__ import annotations

import asyncio
import logging
import threading

_log = logging.getLogger("queue_tool.worker")


class LoopThread:
    """A loop that runs from the start to the end of a worker."""

    def __init__(self) -> None:
        """Start it."""
        self.loop = asyncio.new_event_loop()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)
        self._thread.start()

    def close(self, within: float) -> None:
        """Cancel what is left, and give it so many seconds; what has not ended then is left to itself."""
        asyncio.run_coroutine_threadsafe(self._finish(), self.loop)
        self._thread.join(within)

    def _run(self) -> None:
        while not self._closing:
            try:
                self.loop.run_forever()
            except BaseException:  # noqa: BLE001 - a task that a function has left behind may raise SystemExit
                _log.exception("what was raised would have ended the event loop for everyone")
        self.loop.close()

    async def _finish(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self._closing = True
        self.loop.stop()
