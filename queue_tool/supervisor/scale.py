"""The scale of this supervisor: reads how many workers are wanted, in the turn of the sweeper or when it is called."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from queue_tool.errors import StoreAway
from queue_tool.host import processes
from queue_tool.model import json_text
from queue_tool.model.scale import first_scale
from queue_tool.model.settings import Settings
from queue_tool.runtime import Runtime
from queue_tool.services.own_scale import OwnScale
from queue_tool.services.owner import describe, lives_here
from queue_tool.services.worker_load import WorkerLoad
from queue_tool.store.supervisors import KIND
from queue_tool.supervisor.workers import Size, Workers

_log = logging.getLogger("queue_tool.supervisor")


class ScaleReader:
    """Reads how many workers are wanted. Several threads use it."""

    def __init__(self, runtime: Runtime, workers: Workers, tell: Callable[[Size], None]) -> None:
        """Prepare.

        Args:
            runtime: the runtime of this process.
            workers: the workers.
            tell: is called with the wanted size if it differs from theirs.
        """
        self._load = WorkerLoad(runtime.store, runtime.clock)
        self._own = _own_scale(runtime, self._load)
        self._workers = workers
        self._tell = tell
        self._lock = threading.Lock()

    def enter(self) -> int:
        """Register this supervisor. Return how many workers it should start."""
        with self._lock:
            return self._own.enter()

    def read(self) -> None:
        """Read the wanted number, and tell it if it is news.

        Raises:
            StoreAway: the database is busy or away.
        """
        with self._lock:
            wanted = self._own.look(self._workers.pids(), len(self._workers.leaving))
            if wanted is not None and wanted != len(self._workers.present):
                self._tell(Size(number=wanted, idlest=self._idlest() if wanted < len(self._workers.present) else ()))

    def read_soon(self) -> None:
        """Do the same in a thread of its own. If it fails, the sweeper's turn does it."""
        threading.Thread(target=self._read_now, name="scale", daemon=True).start()

    def leave(self) -> None:
        """Say that this supervisor has ended, if the database takes it."""
        with self._lock, suppress(StoreAway):
            self._own.leave()

    def _idlest(self) -> Sequence[int]:
        return self._load.idlest(self._workers.pids())

    def _read_now(self) -> None:
        try:
            self.read()
        except StoreAway as error:
            _log.debug("the number of workers could not be read at once: %s", error.reason)


def _own_scale(runtime: Runtime, load: WorkerLoad) -> OwnScale:
    settings = runtime.settings
    return OwnScale(
        store=runtime.store,
        telemetry=runtime.telemetry,
        clock=runtime.clock,
        lives_here=lives_here,
        load=load,
        process=describe(KIND),
        first=first_scale(settings.workers, settings.max_workers, processes.processors()),
        settings=_said(settings),
    )


def _said(settings: Settings) -> str:
    """Return the settings about the number of workers. If they have changed since the last start, they count again."""
    return json_text.dumps({"workers": settings.workers, "max_workers": settings.max_workers}).decode()
