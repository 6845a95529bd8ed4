"""Prepared processes: forks of the supervisor that become its first workers and its first web process.

Most of the start of a part is imports, and the supervisor has imported most of what its parts need. So it forks them
before it opens any file, socket, database or thread. Each fork imports the rest of its part, and waits until the
supervisor starts it. Restarted parts are new processes, with the code that is installed then. They run with
`python -P`; a fork cannot get that flag, so it only drops what `-P` leaves out of its own search for modules.

Only Linux has this: on macOS, system libraries may use threads before the fork.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module

from queue_tool import environment
from queue_tool.supervisor import title

IMPORTS = {
    "worker": ("queue_tool.worker.process",),
    "web": ("granian", "queue_tool.web.app", "queue_tool.web.serving.serve"),
}
"""The modules that a part needs in addition to those of the supervisor. Their import has no other effect."""


@dataclass(slots=True, kw_only=True)
class PreparedProcess:
    """A fork that waits for its start, seen from the supervisor. Afterwards it is a child like any other."""

    name: str
    pid: int
    connection: socket.socket  # its end of file tells the fork that it will never start
    returncode: int | None = None

    def start(self, variables: Mapping[str, int]) -> bool:
        """Start the part. Return False if the fork is dead, and reap it.

        Args:
            variables: the file descriptors that the part inherits, by the environment variables with their numbers.
        """
        try:
            socket.send_fds(self.connection, ["\n".join(variables).encode()], list(variables.values()))
        except OSError:
            self.discard()
            return False
        self.connection.close()
        return True

    def wait(self) -> int:
        """Wait until the process ends; return its exit code. Only one thread may call this."""
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def discard(self) -> None:
        """End a fork that was not started."""
        self.connection.close()
        os.kill(self.pid, signal.SIGKILL)
        self.wait()


class PreparedProcesses:
    """The forks that have not been started yet."""

    def __init__(self, processes: Iterable[PreparedProcess] = ()) -> None:
        """Keep the forks."""
        self._waiting = list(processes)

    def start(self, name: str, variables: Mapping[str, int]) -> PreparedProcess | None:
        """Start a fork that was prepared for this part. Return None if there is none."""
        for process in [process for process in self._waiting if process.name == name]:
            self._waiting.remove(process)
            if process.start(variables):
                return process
        return None

    def discard(self) -> None:
        """End the forks that were not started."""
        while self._waiting:
            self._waiting.pop().discard()


@contextmanager
def prepared(
    names: Sequence[str], overrides: Mapping[str, str], become: Callable[[str], None]
) -> Iterator[PreparedProcesses]:
    """Fork a process for each name. At the end of the block, end those that were not started.

    This process must not have opened anything yet.

    Args:
        names: the commands that the forks run.
        overrides: the settings that the command line has overridden.
        become: runs a command, and ends the process.
    """
    gc.freeze()  # a collection in a fork would copy the memory that the forks share
    made: list[PreparedProcess] = []
    for name in names if sys.platform == "linux" else ():
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            for connection in (ours, *(process.connection for process in made)):
                connection.close()
            _await_start(name, theirs, overrides)
            become(name)
            os._exit(1)  # unreachable: a command ends its process
        theirs.close()
        made.append(PreparedProcess(name=name, pid=pid, connection=ours))
    processes = PreparedProcesses(made)
    try:
        yield processes
    finally:
        processes.discard()


def _await_start(name: str, connection: socket.socket, overrides: Mapping[str, str]) -> None:
    """Make this process, a fork, equal to a new process that has imported its part; return when it is started."""
    os.setsid()
    title.rename(f"queue-tool {name}")
    _close_all_but(connection.fileno())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if not sys.flags.safe_path:
        del sys.path[0]  # the directory of the script, or the current one: `python -P` has none
    sys.modules["__main__"] = main = import_module("queue_tool.__main__")  # what children of multiprocessing import
    sys.argv = [str(main.__file__), name]
    for module in IMPORTS[name]:
        import_module(module)
    variables, descriptors, _, _ = socket.recv_fds(connection, 1024, 2)
    connection.close()
    if not descriptors:
        os._exit(0)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    inherited = dict(zip(variables.decode().splitlines(), map(str, descriptors), strict=True))
    environment.override(dict(overrides) | inherited)


def _close_all_but(descriptor: int) -> None:
    """Close what this process has inherited, except standard input, output and error and this descriptor."""
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - it has numbers, not paths
        if number > 2 and number != descriptor:  # noqa: PLR2004 - 0 to 2 are the standard ones
            with suppress(OSError):  # it was the descriptor of the listing
                os.close(number)
