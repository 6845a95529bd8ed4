"""Scaling: changes how many workers a supervisor runs. What is wanted is stored; the supervisor reads it and obeys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from queue_tool.errors import HostNotFound, NoSupervisor, SeveralSupervisors
from queue_tool.host import processes, signals
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.scale import Scale
from queue_tool.model.telemetry import Telemetry
from queue_tool.store import Process, Store
from queue_tool.store.supervisors import Supervisor

SILENT_AFTER = 30.0
"""Seconds after which a supervisor of another machine counts as dead, if it has not said that it lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Changes how many workers supervisors run."""

    store: Store
    telemetry: Telemetry
    clock: Clock
    lives_here: Callable[[Process], bool | None]

    def __call__(self) -> Sequence[Supervisor]:
        """Return the supervisors that live, in the order of their hosts.

        Raises:
            StoreAway: the database is busy or away.
        """
        found = self.store.supervisors.all(self.clock.now())
        return [each for each in found if is_alive(each, self.lives_here)]

    def change(self, host: str | None, change: Callable[[Scale], Scale], by: str = "") -> Supervisor:
        """Change the scale of a supervisor. Return it with its new scale.

        Args:
            host: the name of its host; None: there is only one.
            change: returns the new scale.
            by: the name of the API key that asks for it; empty if none was needed.

        Raises:
            NoSupervisor: none lives.
            SeveralSupervisors: several live, and no host was given.
            HostNotFound: none lives on this host.
            OutOfBounds: `change` raised it; nothing was changed.
            StoreAway: the database is busy or away, and nothing was changed.
        """
        found = _chosen(self(), host)
        scale = self.store.supervisors.change(found.host, change)
        self.telemetry.emit(
            events.WorkersChanged(
                host=found.host,
                wanted=scale.wanted,
                minimum=scale.minimum,
                maximum=scale.maximum,
                automatic=scale.automatic,
                by=by or None,
            )
        )
        if found.process.machine == processes.machine():
            signals.call_supervisor(found.process.pid, found.process.pid_started)
        return replace(found, scale=scale)


def is_alive(supervisor: Supervisor, lives_here: Callable[[Process], bool | None]) -> bool:
    """Return whether a supervisor lives, as far as this machine knows."""
    if supervisor.silence is None:
        return False
    known = lives_here(supervisor.process)
    return supervisor.silence < SILENT_AFTER if known is None else known


def _chosen(found: Sequence[Supervisor], host: str | None) -> Supervisor:
    hosts = ", ".join(each.host for each in found)
    if not found:
        raise NoSupervisor
    if host is None:
        if len(found) > 1:
            raise SeveralSupervisors(
                f"Supervisors run on several hosts: say which one with `?host=`. They are {hosts}."
            )
        return found[0]
    for each in found:
        if each.host == host:
            return each
    raise HostNotFound(f"No supervisor runs on a host with this name. Supervisors run on {hosts}.")
