"""What several tests need: waiting without sleeping, free ports, systems of real processes."""

from __future__ import annotations

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
from tests.warm import interpreter

Found = TypeVar("Found")

POLL = 0.01
"""Seconds between the first two looks at what is awaited."""

POLL_AT_LAST = 0.1
"""Seconds between two looks at what has not come for a second: looking takes processor time from what is awaited."""

PROGRAM: Sequence[str | Path] = (sys.executable, "-m", "queue_tool")
"""`queue-tool` of the environment in which the tests run."""


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def eventually(look: Callable[[], Found], within: float = 20.0, every: float = POLL) -> Found:
    """Look again and again until the look is true and raises no AssertionError or OSError; return what it found.

    It looks less and less often: the longer something takes, the less it matters to hear of it at once.
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
        pause.wait(max(every, min((now - began) / 10, POLL_AT_LAST)))


def free_port() -> int:
    """Return a port of this machine's on which nobody listens now, and which this returns to nobody else."""
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
    """Walk for ever through ports that neither a connection nor another process of these tests is given.

    The kernel gives those from 32768 on to outgoing connections; each of pytest-xdist's workers has a range below.
    """
    first = 10_000 + 1_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 20)
    start = os.getpid() % 1_000  # two sessions at once begin at different places
    return (first + (start + step) % 1_000 for step in itertools.count())


_ports = _ports_of_this_process()


def clean_environment(**settings: str) -> dict[str, str]:
    """Return this process's environment without any setting of the project's, and with those that are said.

    What fails is not tried again unless a test says so: most of them want to see the end.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QUEUE_TOOL_")}
    return inherited | {f"QUEUE_TOOL_{name}": value for name, value in ({"MAX_ATTEMPTS": "1"} | settings).items()}


def run_command(
    *words: str, cwd: Path, within: float = 60, program: Sequence[str | Path] = (), **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run `queue-tool` with these words in a directory, and wait for its end.

    It is a fork of an interpreter that has imported everything; a `program` that is named starts from nothing.
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
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


def http(method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a request; a body that is not bytes goes as JSON. Errors are answers too."""
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
    """`queue-tool up` in a directory of its own, with its children."""

    directory: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    program: Sequence[str | Path] = PROGRAM

    @property
    def log(self) -> str:
        """Return all that the system has written, from every start."""
        path = self.directory / "up.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def up(self) -> subprocess.Popen[bytes]:
        """Return the supervisor's process."""
        assert self.process is not None
        return self.process

    @property
    def command(self) -> list[str | Path]:
        """Return the command that starts it."""
        return [*self.program, "up", "--port", str(self.port)]

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.directory / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                env=clean_environment(**self.settings),
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_hear_signals,  # noqa: PLW1509 - it does nothing that a thread could have locked
            )
        try:
            eventually(lambda: http("GET", self.url("/health/live")).status == 200)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from error

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def post(self, items: object, **headers: str) -> Answer:
        """Send a batch."""
        return http("POST", self.url("/api"), items, headers)

    def check(self, token: str) -> Any:
        """Ask how a task stands."""
        return http("GET", self.url(f"/check/{token}")).json

    def await_status(self, token: str, status: str, within: float = 60) -> Any:
        """Wait until a task has a status; return all that is said of it."""

        def look() -> Any:
            found = self.check(token)
            assert found.get("status") == status, found
            return found

        try:
            return eventually(look, within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log[-5000:]}") from error

    def pids(self) -> dict[int, str]:
        """Return every process that belongs to this system, found by its directory or its ancestors."""
        place = str(self.directory)
        return {pid: words for pid, words, cwd in _processes() if cwd.startswith(place) or place in _part_of(words)}

    def kill_all(self) -> None:
        """End every process of this system at once, the hard way."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.process is not None:
            self.process.wait()
        eventually(lambda: not self.pids())

    def stop(self) -> int:
        """Ask it to stop and wait; return the exit code."""
        self.up.terminate()
        return self.up.wait(60)

    def child(self, name: str) -> int:
        """Return the pid of the child that was started last under this name."""
        lines = [line for line in self.log.splitlines() if f"child started child={name} pid=" in line]
        return int(lines[-1].rpartition("pid=")[2])

    def children(self, of: int) -> list[int]:
        """Return the processes of this system that another one of its has started."""
        return [pid for pid in self.pids() if _parent(pid) == of]

    def valkey(self) -> int:
        """Return the pid of the embedded Valkey.

        Raises:
            FileNotFoundError: it has not said it, or not yet.
        """
        pids = (self.directory / "instance" / "valkey" / "server.pid").read_text().split()
        if not pids:
            raise FileNotFoundError
        return int(pids[0])


@dataclass
class FlaskRun(System):
    """The system as Flask starts it."""

    options: tuple[str, ...] = ()

    @property
    def command(self) -> list[str | Path]:
        """Return the command that starts it."""
        flask = str(Path(sys.executable).with_name("flask"))
        return [flask, "--app", "queue_tool", "run", "--port", str(self.port), *self.options]


def items(count: int, valor: float = 0) -> list[dict[str, object]]:
    """Return as many good items, each of which takes so many seconds."""
    return [{"item": f"item{number}", "valor": valor} for number in range(count)]


def tokens(answer: Answer) -> list[str]:
    """Return the tokens that an answer to a batch gives, in its order."""
    return [item["hash"] for item in answer.json["processing_items"]]


SEND = """
import sys
import queue_tool
with queue_tool.open() as system:
    for name in sys.argv[1:]:
        print(system.submit([None], system.of_type(name)).elements[0].token)
"""


def sent_from_python(system: System, *task_types: str) -> list[str]:
    """Send a task of each of these types as a script of a user's does; return the tokens."""
    environment = clean_environment(**system.settings)
    sent = interpreter().run(["-c", SEND, *task_types], cwd=system.directory, env=environment, timeout=60)
    assert sent.returncode == 0, sent.stderr
    return sent.stdout.split()


def await_answer(redis: Redis) -> None:
    """Wait until a Redis answers."""

    def answers() -> bool:
        try:
            return bool(redis.ping())
        except RedisError:
            return False

    eventually(answers, within=60)


def redis_of(system: System) -> Redis:
    """Return a client of a system's embedded Valkey."""
    return Redis.from_url(valkey.url(system.directory / "instance"))


def _hear_signals() -> None:
    """Let a process hear signals that the tests themselves may have been told to ignore, as by nohup."""
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)


def _part_of(words: str) -> list[str]:
    return words.split("\0")


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return 0  # it has just ended
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
