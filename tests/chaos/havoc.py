"""The blows: injected faults that kill, drain, restart or wipe a part, at random but repeatable with the same seed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from tests.chaos.sites import Site
from tests.support import eventually

PAUSE = (1.0, 2.0)
"""The least and the most seconds between two blows."""


Choice = tuple[str, tuple[Callable[[], None], int]]
"""The name of a blow, the blow, and its weight."""


class Blows:
    """Strikes at random intervals until a given time has passed."""

    def __init__(self, seed: int) -> None:
        """Prepare the random choices."""
        self._random = random.Random(seed)
        self.blows: Counter[str] = Counter()
        self.log: list[tuple[float, str]] = []  # the time of each blow in seconds since 1970, and its name

    def run_for(self, seconds: float) -> None:
        """Strike until these seconds have passed; wipe Redis once, after half of them."""
        until, wipe_at = time.monotonic() + seconds, time.monotonic() + seconds / 2
        wiped = False
        while time.monotonic() < until:
            threading.Event().wait(self._random.uniform(*PAUSE))
            if not wiped and time.monotonic() > wipe_at:
                self.strike("wipe", self._wipe)
                wiped = True
                continue
            names, blows = zip(*self._choices(), strict=True)
            (place,) = self._random.choices(range(len(names)), [weight for _, weight in blows])
            self.strike(names[place], blows[place][0])

    def strike(self, name: str, blow: Callable[[], None]) -> None:
        """Strike once, and log it."""
        self.blows[name] += 1
        self.log.append((time.time(), name))
        with suppress(ProcessLookupError, FileNotFoundError):  # a process that is just being started is not hit
            blow()

    def _choices(self) -> list[Choice]:
        raise NotImplementedError

    def _wipe(self) -> None:
        raise NotImplementedError


class Havoc(Blows):
    """Strikes a site that runs this project."""

    def __init__(self, site: Site, seed: int) -> None:
        """Prepare for this site."""
        super().__init__(seed)
        self._site = site

    def _choices(self) -> list[Choice]:
        embedded: list[Choice] = [
            ("kill guardian", (self._kill_guardian, 1)),
            ("kill valkey", (self._kill_valkey, 2)),
        ]
        servers: list[Choice] = [
            ("kill redis", (self._kill_redis, 2)),
            ("kill postgres", (self._kill_postgres, 1)),
        ]
        rabbit: list[Choice] = [
            ("kill consumer", (lambda: self._kill_child("consume", signal.SIGKILL), 3)),
            ("cut rabbitmq", (self._cut_rabbit, 2)),
        ]
        return [
            ("kill worker", (lambda: self._kill_child(self._worker(), signal.SIGKILL), 6)),
            ("drain worker", (lambda: self._kill_child(self._worker(), signal.SIGTERM), 2)),
            ("kill web", (self._kill_web, 4)),
            ("kill supervisor", (self._kill_supervisor, 2)),
            ("restart supervisor", (self._restart_supervisor, 1)),
            *(rabbit if self._site.rabbit is not None else []),
            *(embedded if self._site.postgres is None else servers),
        ]

    def _worker(self) -> str:
        return self._random.choice(["worker-1", "worker-2"])

    def _kill_child(self, name: str, with_signal: signal.Signals) -> None:
        pid = self._site.system.child(name)
        if pid in self._site.system.pids():
            os.kill(pid, with_signal)

    def _kill_web(self) -> None:
        """Kill granian's main process or its serving process."""
        web = self._site.system.child("web")
        victim = self._random.choice([web, *self._site.system.children(web)])
        if victim in self._site.system.pids():
            os.kill(victim, signal.SIGKILL)

    def _kill_supervisor(self) -> None:
        self._site.system.up.kill()
        self._site.system.up.wait()
        self._start_again()

    def _restart_supervisor(self) -> None:
        self._site.system.up.terminate()
        self._site.system.up.wait(60)
        self._start_again()

    def _start_again(self) -> None:
        """Start the supervisor again, and retry until it runs, as a service manager does."""

        def starts() -> bool:
            self._site.system.start()
            return True

        eventually(starts, within=60)

    def _kill_guardian(self) -> None:
        pid = self._site.system.child("valkey")
        if pid in self._site.system.pids():
            os.kill(pid, signal.SIGKILL)

    def _kill_valkey(self) -> None:
        os.kill(self._site.system.valkey(), signal.SIGKILL)

    def _cut_rabbit(self) -> None:
        """End the connections to RabbitMQ, perhaps between a commit and its acknowledgment."""
        assert self._site.rabbit is not None
        self._site.rabbit.cut()

    def _kill_redis(self) -> None:
        assert self._site.redis_server is not None
        self._site.redis_server.kill()
        self._site.redis_server.wait()
        self._site.start_redis()

    def _kill_postgres(self) -> None:
        assert self._site.postgres is not None
        pid = int((self._site.postgres.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        self._site.postgres.start()

    def _wipe(self) -> None:
        self._site.ask_redis(lambda redis: redis.flushall())
