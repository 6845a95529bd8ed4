"""Task types that print, log and fail, in each lane. The module configures logging, as many users' modules do."""

# ruff: noqa: T201 - these functions print, as users' functions do
from __future__ import annotations

import logging
import logging.config
import os
import signal
import sys
import threading
import warnings

from queue_tool import Context, task
from queue_tool.model.outcome import MOST_LINES

log = logging.getLogger("mine.early")  # `dictConfig` would disable it, and all loggers of the program

if os.environ.get("QUEUE_TOOL_TASKS") == __name__:  # only in workers: the tests import this module too
    logging.basicConfig(level=logging.ERROR, format="FOREIGN %(message)s", force=True)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": True,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "loggers": {"mine": {"handlers": ["console"], "level": "DEBUG", "propagate": False}},
            "root": {"handlers": ["console"], "level": "ERROR"},
        }
    )
    logging.disable(logging.CRITICAL)
    print("imported")


def logged(data: str, context: Context) -> None:
    """Log in all ways."""
    context.progress(0.5, "half")
    for number in range(2 * MOST_LINES):
        context.log(f"{data} {number}")
    logging.getLogger("mine.deep").info("said %s", data, extra={"fields": [1], "line": 2})
    logging.getLogger("mine").debug("too quiet")
    logging.getLogger("other").warning("bad \ud800 \0 name")
    logging.getLogger("sqlalchemy.engine").info("chatter")
    logging.getLogger("mine").error("wrong %d", "arguments")
    warnings.warn(f"warned {data}", stacklevel=1)
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("mine").exception("caught", stack_info=True)


def printed(data: str) -> None:
    """Print to both streams, in pieces, as bytes, and without a line end at the end."""
    print("one", data)
    print("err", data, file=sys.stderr)
    print("a", "b", end="")
    print("c")
    sys.stdout.buffer.write("bytes é\r\n".encode())
    thread = threading.Thread(target=print, args=(f"from a thread {data}",))
    thread.start()
    thread.join()
    sys.stdout.write(f"last {data}")


async def logged_on_the_loop(data: str, context: Context) -> None:
    """Do the same on the event loop."""
    logged(data, context)


async def printed_on_the_loop(data: str) -> None:
    """Do the same on the event loop."""
    printed(data)


task("logs.loop")(logged_on_the_loop)
task("logs.threads")(logged)
task("logs.isolated", isolated=True)(logged)
task("prints.loop")(printed_on_the_loop)
task("prints.threads")(printed)
task("prints.isolated", isolated=True)(printed)


@task("dies", isolated=True)
def die(data: str) -> None:
    """Print, let another program print, and die."""
    print("before", flush=False)
    os.system("echo program; echo to stderr >&2")  # noqa: S605 - a constant command
    os.write(1, b"raw\n")
    logging.getLogger("mine").info("about to die")
    print("unended", end="")
    if data == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGKILL)
