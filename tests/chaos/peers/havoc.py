"""The same blows on a peer, as far as they apply to it."""

from __future__ import annotations

import os
import signal
import time

from tests.chaos.havoc import Blows, Choice
from tests.chaos.peers.site import WORKERS, Mark, PeerSite


class PeerHavoc(Blows):
    """Strikes a peer's site."""

    def __init__(self, site: PeerSite, seed: int) -> None:
        """Prepare for this site."""
        super().__init__(seed)
        self._site = site
        self.wiped: dict[str, Mark] = {}  # what Redis held when it was wiped, by job id
        self.wiped_at = 0.0

    def kill_web(self) -> None:
        """Kill all web processes."""
        web = self._site.services["web"]
        for pid in [web.pid, *web.children()]:
            os.kill(pid, signal.SIGKILL)

    def _choices(self) -> list[Choice]:
        return [
            ("kill worker", (lambda: self._kill(self._random.choice(WORKERS)), 6)),
            ("drain worker", (self._drain, 2)),
            ("kill web", (lambda: self._kill("web"), 4)),
            ("kill redis", (lambda: os.kill(self._site.services["redis"].pid, signal.SIGKILL), 2)),
            ("restart all", (self._restart, 1)),
        ]

    def _kill(self, name: str) -> None:
        """Kill a service's main process or one of its children, such as a work horse or a pool process."""
        service = self._site.services[name]
        victims = service.children() if self._random.random() < 0.5 else []
        os.kill(self._random.choice(victims or [service.pid]), signal.SIGKILL)

    def _drain(self) -> None:
        """Send SIGTERM to a worker, so that it finishes its jobs and ends; its service starts it again."""
        os.kill(self._site.services[self._random.choice(WORKERS)].pid, signal.SIGTERM)

    def _restart(self) -> None:
        self._site.stop()
        self._site.start()

    def _wipe(self) -> None:
        self._site.await_redis()
        self.wiped = self._site.waiting()
        self._site.redis.flushall()
        self.wiped_at = time.time()
