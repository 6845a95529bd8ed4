"""Task types that start processes of their own, in every lane."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from queue_tool import task
from tests.worker.faults.hard import HOURS, pause

if TYPE_CHECKING:
    from _collections_abc import dict_items

LIMIT = 10.0
"""Seconds within which a program must have started."""


def pool_that_is_ended(processes: int) -> str:
    """Leave a pool while its process still works: the pool ends that process with SIGTERM."""
    with multiprocessing.Pool(processes) as pool, contextlib.suppress(multiprocessing.TimeoutError):
        pool.apply_async(time.sleep, (HOURS,)).get(timeout=0.1)
    return "ended"


def pool(processes: int) -> list[int]:
    """Let the processes of a pool compute."""
    with multiprocessing.Pool(processes) as pool:
        return pool.map(abs, [-1, -2, -3])


def futures(processes: int) -> list[int]:
    """Let the processes of an executor compute."""
    with concurrent.futures.ProcessPoolExecutor(processes) as executor:
        return list(executor.map(abs, [-1, -2, -3]))


def processes_ended_at_once(count: int) -> list[int | None]:
    """End each of some processes as soon as it has started; return their exit codes."""
    codes = []
    for _ in range(count):
        child = multiprocessing.Process(target=time.sleep, args=(HOURS,))
        child.start()
        child.terminate()
        child.join()
        codes.append(child.exitcode)
    return codes


def fork(number: int) -> int:
    """Send a signal to a child that `os.fork` made; return the child's exit code."""
    child = os.fork()
    if not child:
        try:
            os.kill(os.getpid(), number)
            pause(HOURS)
        except KeyboardInterrupt:
            os._exit(-signal.SIGINT % 256)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code - 256 if code > 0 else code


def command(number: int) -> int:
    """Send a signal to a command before it runs, in `preexec_fn`; return its exit code."""
    command = ["sleep", "3600"]
    return subprocess.run(command, preexec_fn=lambda: os.kill(os.getpid(), number), check=False).returncode


class Gate(dict[str, str]):
    """Variables for a program. When they are read, its start has made a pipe, and a fork in another thread begins."""

    def __init__(self) -> None:
        """Have the variables of this process."""
        super().__init__(os.environ)
        self.is_read, self.has_forked = threading.Event(), threading.Event()

    def items(self) -> dict_items[str, str]:
        """Let the fork begin, and wait until it has forked. If it waits for the program, do not wait for long."""
        self.is_read.set()
        self.has_forked.wait(0.2)
        return super().items()


def program_beside_a_fork(command: str) -> str:
    """Start a program in one thread while another one forks; say whether the start waited for the end of the fork."""
    gate = Gate()
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(HOURS,))

    def fork() -> None:
        gate.is_read.wait()
        child.start()
        gate.has_forked.set()

    threads = [
        threading.Thread(target=fork),
        threading.Thread(target=subprocess.run, args=([command],), kwargs={"env": gate}),
    ]
    for thread in threads:
        thread.start()
    threads[0].join()
    threads[1].join(LIMIT)
    has_waited = threads[1].is_alive()
    child.kill()
    child.join()
    return "it waited" if has_waited else "it did not wait"


BESIDE = "program beside a fork"
"""Work that only our worker can do: RQ's own has Python's race of a fork with the start of a program."""

WORK: dict[str, tuple[Callable[[Any], object], object, object]] = {
    "pool": (pool, 2, [1, 2, 3]),
    "futures": (futures, 2, [1, 2, 3]),
    "pool that is ended": (pool_that_is_ended, 1, "ended"),
    "processes ended at once": (processes_ended_at_once, 5, [-signal.SIGTERM] * 5),
    "fork and SIGTERM": (fork, signal.SIGTERM, -signal.SIGTERM),
    "fork and SIGINT": (fork, signal.SIGINT, -signal.SIGINT),
    "command and SIGTERM": (command, signal.SIGTERM, -signal.SIGTERM),
    BESIDE: (program_beside_a_fork, "true", "it did not wait"),
}
"""The functions by name, with their argument and what they return."""


def do(data: str) -> object:
    """Do the work that the data names."""
    function, argument, _ = WORK[data]
    return function(argument)


@task("children.loop", timeout=20)
async def on_the_loop(data: str) -> object:
    """Do it on the event loop."""
    return do(data)


task("children.thread", timeout=20)(do)
task("children.alone", timeout=20, isolated=True)(do)
