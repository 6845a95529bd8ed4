"""Helpers of several tests: wait without sleeping, free ports, systems of real processes."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from queue_tool.host import valkey
from tests.warm import Program, interpreter

Found = TypeVar("Found")

LIMIT = 60.0
"""Seconds until a wait fails. No test depends on it: a busy machine may be ten times slower than an idle one."""

RECOVERY = 30.0
"""Seconds within which work resumes after an outage: docs/reliability.md promises 10, and a busy machine gets more."""

POLL = 0.02
"""Seconds between the first two polls of `eventually`."""

POLL_AT_LAST = 0.1
"""Seconds between two polls after half a second: each poll takes processor time from what the test waits for."""

OF_AMANDA = 10_080
"""A port to which no browser connects, because another protocol has it: https://fetch.spec.whatwg.org/#port-blocking."""

PROGRAM: Sequence[str | Path] = (sys.executable, "-m", "queue_tool")
"""The command `queue-tool` in the Python environment of the tests."""


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def eventually(look: Callable[[], Found], within: float = LIMIT, every: float = POLL) -> Found:
    """Poll until `look` returns a true value and raises no AssertionError or OSError; return that value.

    The polls become rarer over time: after a long wait, a small delay matters less.

    Args:
        look: what to poll.
        within: seconds until the test fails.
        every: seconds between the first polls.

    Raises:
        AssertionError: the time is over.
    """
    began = time.monotonic()
    until = began + within
    pause = threading.Event()
    while True:
        try:
            found = look()
            if found:
                return found
            problem: Exception = AssertionError(f"still {found!r}")
        except (AssertionError, OSError) as error:
            problem = error
        now = time.monotonic()
        if now > until:
            raise AssertionError(f"not within {within:g} s: {problem}") from problem
        pause.wait(max(every, min((now - began) / 5, POLL_AT_LAST)))


def free_port() -> int:
    """Return a port of this machine on which no process listens; each call returns another one."""
    for port in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable: the ports never end")


def _ports_of_this_process() -> Iterator[int]:
    """Iterate forever over ports that no outgoing connection and no other process of these tests uses.

    The kernel gives the ports from 32768 on to outgoing connections. Each worker of pytest-xdist has its own range
    below that. A session beside another one begins with a later range (`TEST_PORTS`).
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 10_000 + 1_000 * ((worker + int(os.environ.get("TEST_PORTS", "0"))) % 20)
    start = os.getpid() % 1_000  # two concurrent test sessions start at different ports
    ports = (first + (start + step) % 1_000 for step in itertools.count())
    return (port for port in ports if port != OF_AMANDA)


_ports = _ports_of_this_process()


def clean_environment(**settings: str) -> dict[str, str]:
    """Return the environment of this process, with only the given settings of the project.

    MAX_ATTEMPTS is 1 by default, because most tests want to see the final result of a failed task.

    Args:
        settings: settings by their names without the prefix `QUEUE_TOOL_`.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QUEUE_TOOL_")}
    return inherited | {f"QUEUE_TOOL_{name}": value for name, value in ({"MAX_ATTEMPTS": "1"} | settings).items()}


def run_command(
    *words: str, cwd: Path, within: float = LIMIT, program: Sequence[str | Path] = (), **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run `queue-tool` with these arguments in a directory, and wait until it exits.

    By default the command is a fork of an interpreter that has already imported everything.

    Args:
        words: the arguments of the command.
        cwd: the working directory.
        within: seconds until the command is ended.
        program: a command to start as a new process instead of the fork.
        settings: settings by their names without the prefix `QUEUE_TOOL_`.
    """
    environment = clean_environment(**settings)
    if not program:
        return interpreter().run(["-m", "queue_tool", *words], cwd=cwd, env=environment, timeout=within)
    return subprocess.run(
        [*program, *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


@dataclass(frozen=True)
class Answer:
    """The response of a server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


def http(method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a request; return its response, also if it is an error. A body that is not bytes is sent as JSON."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    wanted = ({"Content-Type": "application/json"} if data is not None else {}) | dict(headers or {})
    request = urllib.request.Request(url, data=data, method=method, headers=wanted)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


@dataclass
class System:
    """`queue-tool up` in a directory of its own, with its children.

    By default its supervisor is a fork of an interpreter that has already imported everything.
    """

    directory: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | Program | None = None
    program: Sequence[str | Path] = ()  # a command to start as a new process instead of the fork
    descriptors: tuple[int, ...] = ()  # what it inherits, if it is no fork

    @property
    def log(self) -> str:
        """Return the output of the system, of all its starts."""
        path = self.directory / "up.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def up(self) -> subprocess.Popen[bytes] | Program:
        """Return the process of the supervisor."""
        assert self.process is not None
        return self.process

    @property
    def command(self) -> list[str | Path]:
        """Return the command that starts the system. A fork needs only `words`."""
        return [*(self.program or PROGRAM), "up", "--port", str(self.port)]

    @property
    def words(self) -> list[str | Path]:
        """Return the arguments of `python` for the fork that does the same as the command."""
        return self.command[1:]

    @property
    def is_fork(self) -> bool:
        """Return whether the supervisor is a fork of the warm interpreter. Restarted children are new processes."""
        return not self.program and not self.descriptors

    @property
    def reloads(self) -> bool:
        """Return whether a reloader looks at all files again and again."""
        return False

    def start(self) -> None:
        """Start the system and wait until it answers."""
        self.begin()
        try:
            eventually(lambda: http("GET", self.url("/health/live")).status == 200)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from error

    def begin(self) -> None:
        """Start the system and do not wait."""
        environment = clean_environment(**self.settings)
        with (self.directory / "up.log").open("ab") as log:
            if self.is_fork:
                self.process = interpreter().start(
                    self.words, cwd=self.directory, env=environment, stdout=log, stderr=log, own_session=True
                )
                return
            self.process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=self.descriptors,
                preexec_fn=_prepare_child,
            )

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def post(self, items: object, **headers: str) -> Answer:
        """Send a batch."""
        return http("POST", self.url("/api"), items, headers)

    def check(self, token: str) -> Any:
        """Return the status of a task."""
        return http("GET", self.url(f"/check/{token}")).json

    def await_status(self, token: str, status: str, within: float = LIMIT) -> Any:
        """Wait until a task has this status; return the whole response."""

        def look() -> Any:
            found = self.check(token)
            assert found.get("status") == status, found
            return found

        try:
            return eventually(look, within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log[-5000:]}") from error

    def pids(self) -> dict[int, str]:
        """Return every process of this system: its command line by its pid.

        A process belongs to the system if it works in the system's directory, or has that directory as an argument.
        """
        place = str(self.directory)
        return {
            pid: words for pid, words, cwd in _processes() if cwd.startswith(place) or place in _arguments_of(words)
        }

    def kill_all(self) -> None:
        """Kill every process of this system with SIGKILL."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.process is not None:
            self.process.wait()
        eventually(lambda: not self.pids())

    def stop(self) -> int:
        """Send SIGTERM, wait until the system exits, and return its exit code."""
        self.up.terminate()
        return self.up.wait(LIMIT)

    def child(self, name: str) -> int:
        """Return the pid of the latest child process with this name."""
        lines = [line for line in self.log.splitlines() if f"child started child={name} pid=" in line]
        return int(lines[-1].rpartition("pid=")[2])

    def children(self, of: int) -> list[int]:
        """Return the pids of this system whose parent is the process `of`."""
        return [pid for pid in self.pids() if _parent(pid) == of]

    def valkey(self) -> int:
        """Return the pid of the embedded Valkey.

        Raises:
            FileNotFoundError: Valkey has not written its pid yet.
        """
        pids = (self.directory / "instance" / "valkey" / "server.pid").read_text().split()
        if not pids:
            raise FileNotFoundError
        return int(pids[0])


@dataclass
class FlaskRun(System):
    """A system that `flask run` starts."""

    options: tuple[str, ...] = ()

    @property
    def command(self) -> list[str | Path]:
        """Return the command that starts the system."""
        return self.words

    @property
    def words(self) -> list[str | Path]:
        """Return the arguments of `python` for the fork that does the same as the command."""
        flask = Path(sys.executable).with_name("flask")
        return [flask, "--app", "queue_tool", "run", "--port", str(self.port), *self.options]

    @property
    def reloads(self) -> bool:
        """Return whether Flask's reloader looks at all files again and again."""
        return "--debug" in self.options


def items(count: int, valor: float = 0) -> list[dict[str, object]]:
    """Return `count` valid items; each takes `valor` seconds."""
    return [{"item": f"item{number}", "valor": valor} for number in range(count)]


def tokens(answer: Answer) -> list[str]:
    """Return the tokens in the response to a batch, in its order."""
    return [item["hash"] for item in answer.json["processing_items"]]


SEND = """
import sys
import queue_tool
with queue_tool.open() as system:
    for name in sys.argv[1:]:
        print(system.submit([None], system.of_type(name)).elements[0].token)
"""


def sent_from_python(system: System, *task_types: str) -> list[str]:
    """Submit a task of each type from a Python script, as a user would; return the tokens."""
    environment = clean_environment(**system.settings)
    sent = interpreter().run(["-c", SEND, *task_types], cwd=system.directory, env=environment, timeout=60)
    assert sent.returncode == 0, sent.stderr
    return sent.stdout.split()


def await_answer(redis: Redis) -> None:
    """Wait until this Redis answers."""

    def answers() -> bool:
        try:
            return bool(redis.ping())
        except RedisError:
            return False

    eventually(answers)


def redis_of(system: System) -> Redis:
    """Return a client of the embedded Valkey of a system."""
    return Redis.from_url(valkey.url(system.directory / "instance"))


def die_with_parent() -> None:
    """Let this process, a child before its `exec`, be killed when the test process ends for any reason.

    The kernels of Linux can do this. It needs no lock that another thread could hold.
    """
    if _PRCTL is not None:
        _PRCTL(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


_SET_PARENT_DEATH_SIGNAL = 1
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)


def _prepare_child() -> None:
    """Reset signals that the test process may ignore, for example under nohup: a child process inherits that."""
    die_with_parent()
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)


def _arguments_of(words: str) -> list[str]:
    return words.split("\0")


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return 0  # the process has just ended
    return int(stat.rpartition(")")[2].split()[1])


def _processes() -> Iterator[tuple[int, str, str]]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
            cwd = str((folder / "cwd").readlink())
        except OSError:
            continue
        yield int(folder.name), words, cwd
