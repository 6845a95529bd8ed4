"""A container: started, asked for its health, and stopped, as an engine does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.check.compose import OWN_IMAGE, Service
from deploy.check.image import VENV, Image
from deploy.check.sandbox import Sandbox
from deploy.check.stand_ins import stand_in

LIMIT = 120.0
"""Seconds until a container must be healthy. A busy machine may be ten times slower than an idle one."""

POLL = 0.5
"""Seconds between two questions for the health. Some of them start a whole virtual machine."""

SHOWN = 3000
"""The most characters of a log that a failure shows."""


class Failed(Exception):
    """A step of the check failed; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where containers run."""

    image: Image
    folder: Path  # of the volumes and the logs
    postgres: str  # the folder of PostgreSQL's programs


class Container:
    """The container of one service."""

    def __init__(self, service: Service, host: Host) -> None:
        """Prepare it: its volumes are made if they are not there."""
        self.service = service
        self.log = host.folder / f"{service.name}.log"
        self.state = ""  # what it is, while it is ready
        self.started_at = 0.0  # monotonic
        self._health = host.image.health if service.health is None else service.health
        if service.image == OWN_IMAGE:
            self._sandbox, self._words = own_sandbox(service, host), service.command
        else:
            self._sandbox, self._words = _sandbox_of_server(service, host)

    def start(self) -> None:
        """Start its command. Its output goes to the log."""
        news, report = os.pipe()
        options = ["--info-fd", str(report), *([] if self.service.has_init else ["--as-pid-1"])]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._sandbox.command(self._words, *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[report],
            )
        self.started_at = time.monotonic()
        os.close(report)
        with open(news, "rb") as file:  # noqa: PTH123 - it is a descriptor
            self._first_pid: int = json.loads(file.read() or b'{"child-pid": 0}')["child-pid"]

    def await_ready(self) -> None:
        """Wait until it is healthy or, if it does something once, until it has ended.

        Raises:
            Failed: it ended, or it did not become healthy in time.
        """
        if self.service.ends:
            self._require(self._process.wait(LIMIT) == 0, "failed")
            self.state = "has ended"
            return
        if not self._health:
            self.state = "is started"
            return
        until = time.monotonic() + LIMIT
        while self.run(self._health).returncode:
            self._require(self._process.poll() is None, "ended")
            self._require(time.monotonic() < until, "is not healthy")
            time.sleep(POLL)
        self.state = "is healthy"

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in another container of this service, as `docker compose run` does."""
        command = self._sandbox.command(words)
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)

    def stop(self) -> int:
        """Send the signal to stop, and wait for the end; return the exit code.

        Raises:
            Failed: it did not end in its time.
        """
        os.kill(self._main_pid(), signal.Signals[self.service.stop_signal])
        try:
            return self._process.wait(self.service.grace)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.service.name} did not end in {self.service.grace:g} s\n{self.tail}") from None
        finally:
            self.state = ""

    @property
    def runs(self) -> bool:
        """Return whether it runs."""
        return self._process.poll() is None

    @property
    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text("utf-8", "replace")[-SHOWN:]

    def _main_pid(self) -> int:
        """Return the pid of its command. With an init process, the command is that one's child."""
        if not self.service.has_init:
            return self._first_pid
        children = Path(f"/proc/{self._first_pid}/task/{self._first_pid}/children").read_text("ascii").split()
        return int(children[0])

    def _require(self, is_right: bool, problem: str) -> None:
        if not is_right:
            raise Failed(f"{self.service.name} {problem}\n{self.tail}")


def own_sandbox(service: Service, host: Host) -> Sandbox:
    """Return what a container of our own image sees."""
    return Sandbox(
        writable=_volumes(service, host),
        readable=_files(host) | {VENV: host.image.folder / "venv"},
        tmpfs=service.tmpfs,
        environment=host.image.environment | service.environment,
        folder=host.image.work_folder,
        hostname=service.hostname,
    )


def _sandbox_of_server(service: Service, host: Host) -> tuple[Sandbox, list[str]]:
    """Return what a container of a server sees, and its command."""
    server = stand_in(service.image, host.postgres)
    search_path = f"{server.programs}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    sandbox = Sandbox(
        writable=_volumes(service, host),
        readable=_files(host),
        links=server.links,
        tmpfs=service.tmpfs,
        environment=server.environment | service.environment | {"PATH": search_path},
        folder=server.folder,
        hostname=service.hostname,
    )
    return sandbox, server.words(service.command)


def _volumes(service: Service, host: Host) -> dict[str, Path]:
    found = {place: host.folder / "volumes" / name for name, place in service.volumes}
    for folder in found.values():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def _files(host: Host) -> dict[str, Path]:
    return {f"/etc/{name}": host.folder / name for name in ("hosts", "passwd")}
