"""Supervisors in the store: how many workers each of them runs. Each host has one row, which outlives its supervisor.

So what a request has set for a host is kept until a request or the settings of its supervisor change it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, and_, bindparam, select, update

from queue_tool.errors import HostNotFound
from queue_tool.model.scale import Scale
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.engine.rows import insert_if_new
from queue_tool.store.supervisor_tables import supervisors
from queue_tool.store.workers import Process

KIND = "supervisor"
"""What the process of a supervisor is, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervisor:
    """A supervisor, as it has said last. It may be dead."""

    process: Process
    scale: Scale
    running: int  # worker processes
    draining: int  # worker processes that were asked to end
    silence: float | None  # seconds since it last said that it lives; None: it has ended

    @property
    def host(self) -> str:
        """Return the name of its host."""
        return self.process.host


class Supervisors:
    """The table of supervisors."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._scale = Lookup(database, _SCALE)

    # -- for the supervisor itself -------------------------------------------------------------------------

    def enter(
        self, process: Process, first: Scale, settings: str, now: datetime, lives: Callable[[Supervisor], bool]
    ) -> Scale | None:
        """Register the supervisor of a host. Return its scale: the kept one, if the settings are still the same.

        Args:
            process: the process of the supervisor.
            first: the scale that its settings say.
            settings: these settings, as a text.
            now: the time.
            lives: returns whether another supervisor lives.

        Returns:
            None if another live process is the supervisor of this host.
        """
        own, this = _identity(process), {"of_host": process.host, "now": micros(now)}
        row = {"host": process.host, "settings": settings, "beat_at": None} | own | _columns(first) | _NONE_RUN
        with self._database.write() as connection:
            insert_if_new(connection, supervisors, row)
            found = connection.execute(_LOCKED, this).one()
            known = _supervisor(found)
            if _identity(known.process) != own and lives(known):
                return None
            scale = known.scale if found.settings == settings else first
            values = {"settings": settings, "beat_at": _NOW} | own | _columns(scale) | _NONE_RUN
            connection.execute(_OF_HOST.values(values), this)
        return scale

    def scale_of(self, process: Process) -> Scale | None:
        """Return the scale of a supervisor. None if it is not the supervisor of its host any more."""
        row = self._scale.first(of_host=process.host, **_identity(process))
        return None if row is None else _scale(row)

    def report(self, process: Process, running: int, draining: int, now: datetime) -> None:
        """Store that a supervisor lives, and how many workers it runs. A power failure may undo it."""
        values = {"beat_at": _NOW, "running": running, "draining": draining}
        with self._database.write(durable=False) as connection:
            connection.execute(_of(process).values(values), {"now": micros(now)})

    def decide(self, process: Process, before: Scale, wanted: int) -> bool:
        """Store what the automatic rule says. Return False if a request has changed the scale meanwhile."""
        same = (supervisors.c[name] == value for name, value in _columns(before).items())
        with self._database.write() as connection:
            return connection.execute(_of(process).where(*same).values(wanted=wanted)).rowcount == 1

    def leave(self, process: Process) -> None:
        """Store that a supervisor has ended. Its scale is kept."""
        with self._database.write() as connection:
            connection.execute(_of(process).values(beat_at=None, **_NONE_RUN))

    # -- for everybody -------------------------------------------------------------------------------------

    def all(self, now: datetime) -> list[Supervisor]:
        """Return the last supervisor of each host, in the order of the hosts. Some of them may be dead."""
        with self._database.read() as connection:
            rows = connection.execute(_ALL, {"now": micros(now)}).all()
        return [_supervisor(row) for row in rows]

    def change(self, host: str, change: Callable[[Scale], Scale]) -> Scale:
        """Change the scale of the supervisor of a host; return the new one. What `change` raises is passed on.

        Raises:
            HostNotFound: the host has never had a supervisor.
        """
        with self._database.write() as connection:
            found = connection.execute(_LOCKED, {"of_host": host, "now": 0}).first()
            if found is None:
                raise HostNotFound
            scale = change(_scale(found))
            connection.execute(_OF_HOST.values(_columns(scale)), {"of_host": host})
        return scale


def _identity(process: Process) -> dict[str, Any]:
    return {"machine": process.machine, "pid": process.pid, "pid_started": process.pid_started}


def _is(process: Process) -> ColumnElement[bool]:
    same = (supervisors.c[name] == value for name, value in _identity(process).items())
    return and_(supervisors.c.host == process.host, *same)


def _of(process: Process) -> Any:
    """Return an UPDATE of the row of a host, while this process is its supervisor."""
    return update(supervisors).where(_is(process))


def _columns(scale: Scale) -> dict[str, int]:
    return {
        "minimum": scale.minimum,
        "maximum": scale.maximum,
        "wanted": scale.wanted,
        "automatic": int(scale.automatic),
    }


def _scale(row: Any) -> Scale:
    return Scale(minimum=row.minimum, maximum=row.maximum, wanted=row.wanted, automatic=bool(row.automatic))


def _supervisor(row: Any) -> Supervisor:
    return Supervisor(
        process=Process(kind=KIND, host=row.host, machine=row.machine, pid=row.pid, pid_started=row.pid_started),
        scale=_scale(row),
        running=row.running,
        draining=row.draining,
        silence=None if row.silence is None else max(0.0, row.silence / 1_000_000),
    )


_NONE_RUN = {"running": 0, "draining": 0}
_NOW = database_now(bindparam("now", type_=BigInteger))
_HOST: BindParameter[str] = bindparam("of_host")
_OF_HOST = update(supervisors).where(supervisors.c.host == _HOST)
_ALL = select(supervisors, (_NOW - supervisors.c.beat_at).label("silence")).order_by(supervisors.c.host)
_LOCKED = _ALL.where(supervisors.c.host == _HOST).with_for_update()
_SCALE = select(supervisors.c.minimum, supervisors.c.maximum, supervisors.c.wanted, supervisors.c.automatic).where(
    supervisors.c.host == _HOST,
    *(supervisors.c[name] == bindparam(name) for name in ("machine", "pid", "pid_started")),
)
