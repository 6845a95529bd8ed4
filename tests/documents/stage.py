"""Where a page is tried: an empty directory, a shell in it, and the programs that its commands start.

What a page says for everybody stands for what is here: port 5000 for a free port, `/home/you` for the directory,
`<this repository>` for this checkout, and the URLs of servers for those of the suite's own.
"""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.documents.blocks import ROOT
from tests.support import LIMIT, clean_environment, die_with_parent, eventually, free_port, http

PORT = "127.0.0.1:5000"
RECEIVER = "127.0.0.1:8000"
"""Where the receiver of a page about webhooks listens."""

HOME = "/home/you"
CLONE = "git clone <this repository> queue_tool"

SERVES = {
    "make run": 200,
    "queue-tool up": 200,
    "queue-tool web": 200,
    "flask --app queue_tool": 200,
    "flask --app": 404,
}
"""Beginnings of commands that serve HTTP, with what `/health/ready` answers then. Other applications do not have it."""


METADATA = 'from poetry.core.masonry.api import prepare_metadata_for_build_wheel as make; make(".")'
"""Writes what installers write about a package, by which Python finds its entry points."""


class Started:
    """A program that keeps running, at a terminal."""

    def __init__(self, script: str, directory: Path, environment: Mapping[str, str]) -> None:
        """Start it."""
        self._screen, terminal = pty.openpty()
        self._written = bytearray()
        self._process = subprocess.Popen(
            ["bash", "-ec", script],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """Return what it has written up to now."""
        return self._written.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def runs(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait for its end; kill what does not end within LIMIT seconds.

        After a while it is pressed again: the first one may only have ended a command in a command, as `$(command)`.
        """
        try:
            for _ in range(2):
                if self.runs:
                    os.killpg(self._process.pid, signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(LIMIT / 2)
            assert not self.runs, self.output
        finally:
            if self.runs:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._reader.join(10)

    def _read(self) -> None:
        try:
            while some := os.read(self._screen, 65536):
                self._written += some
        except OSError:  # so Linux says that the other end is closed
            pass
        finally:
            os.close(self._screen)


class Stage:
    """The directory, with what runs in it."""

    def __init__(self, directory: Path, servers: Mapping[str, str], commands: Path) -> None:
        """Begin with nothing.

        Args:
            directory: an empty one.
            servers: the real URL for each that a page shows.
            commands: the folder of commands that start faster than those of the environment.
        """
        self._root = self._here = directory
        self._servers = servers
        self._state = directory / ".shell"  # the shell's variables after each block, which the next block inherits
        self._note = f"env -0 > {shlex.quote(str(self._state))}"
        self._port, self._receiver = free_port(), free_port()
        self._started: list[Started] = []
        self._environment = clean_environment(PORT=str(self._port)) | {
            "PATH": os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(directory),
            "FLASK_RUN_PORT": str(self._port),
            "TERM": "dumb",
            "PYTEST_DEBUG_TEMPROOT": str(directory),  # otherwise it would remove what earlier sessions have left
            "PIP_NO_INDEX": "1",  # no page may install into the environment of the tests
        }
        del self._environment["QUEUE_TOOL_MAX_ATTEMPTS"]

    def set(self, settings: Mapping[str, str]) -> None:
        """Let the commands to come have these settings in their environment."""
        self._environment |= {name: self._real(value) for name, value in settings.items()}

    def write(self, name: str, text: str) -> None:
        """Write a file, as its reader would."""
        (self._here / name).write_text(self._real(text), "utf-8")

    def install(self) -> None:
        """Let Python find the package of this directory as an installed one."""
        made = self.run(f"python -c '{METADATA}'")
        assert made.returncode == 0, made.stderr
        self._environment |= {"PYTHONPATH": str(self._here)}

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run commands to their end; the shell stops at the first that fails."""
        done = subprocess.run(
            ["bash", "-ec", f"{self._real(script)}\n{self._note}"],
            cwd=self._here,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        if self._state.exists():
            self._environment = dict(line.split("=", 1) for line in self._state.read_text().split("\0") if line)
            self._here = Path(self._environment["PWD"])
        return done

    def start(self, script: str) -> None:
        """Run commands of which the last one keeps running; wait until it serves, if it does."""
        *before, last = script.strip().splitlines()
        if before:
            done = self.run("\n".join(before))
            assert done.returncode == 0, done.stderr
        program = Started(self._real(last), self._here, self._environment)
        self._started.append(program)
        ready = next((status for command, status in SERVES.items() if command in last), None)
        if ready:
            try:
                eventually(lambda: http("GET", f"http://127.0.0.1:{self._port}/health/ready").status == ready)
            except AssertionError as error:
                raise AssertionError(f"{last!r} does not serve: {error}\n{program.output}") from error

    @property
    def screen(self) -> str:
        """Return what the program that was started last has written, in the words of the page."""
        return self.as_shown(self._started[-1].output)

    def as_shown(self, text: str) -> str:
        """Return what was printed here as it would be at the reader's."""
        text = text.replace(str(self._root), HOME).replace(f"127.0.0.1:{self._port}", PORT)
        text = text.replace(f"127.0.0.1:{self._receiver}", RECEIVER)
        for shown, real in self._servers.items():
            text = text.replace(real, shown)
        return text

    def stop(self) -> None:
        """Stop what runs, the last one started first."""
        while self._started:
            self._started.pop().interrupt()

    def _real(self, text: str) -> str:
        if CLONE in text:
            self._check_out()
            text = text.replace(CLONE, "true")
        text = text.replace(RECEIVER, f"127.0.0.1:{self._receiver}")
        text = text.replace(PORT, f"127.0.0.1:{self._port}").replace(HOME, str(self._root))
        for shown, real in self._servers.items():
            text = text.replace(shown, real)
        return text

    def _check_out(self) -> None:
        """Make what `git clone` and the installation by `make` would leave, by links to what is installed here."""
        made = self._here / "queue_tool"
        (made / ".venv").mkdir(parents=True)
        for path in (path for path in ROOT.iterdir() if path.name not in (".venv", ".git", "instance", ".env")):
            (made / path.name).symlink_to(path)
        for name in ("bin", "lib", "pyvenv.cfg"):
            (made / ".venv" / name).symlink_to(Path(sys.prefix) / name)
        for stamp in ("pip", "constraints.txt", "run"):  # in the order in which make looks at them
            (made / ".venv" / stamp).touch()
