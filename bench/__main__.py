"""Benchmarks of this service and its peers.

    python -m bench [--quick] [--page] [submit] [small] [beside] [tasks] [drain] [plain] [isolated] [check] [counts]
        [fair] [streamed] [messages] [amqp] [memory] [idle] [postgres]

Without a name, all parts run. A complete run without --quick writes docs/benchmark.md and docs/benchmark.svg. With
--page, a run of some parts writes them too: then the page has only these parts.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import (
    amqp,
    check,
    counts,
    drain,
    environments,
    fair,
    held_up,
    idle,
    isolated,
    memory,
    messages,
    page,
    plain,
    postgres,
    small,
    streamed,
    submit,
    task_requests,
)
from bench.figures import Table
from bench.machine import described
from bench.peers import configurations
from bench.report import terminal, verdict

PARTS: dict[str, Callable[..., list[Table]]] = {
    "submit": submit.run,
    "small": small.run,
    "beside": held_up.run,
    "tasks": task_requests.run,
    "drain": drain.run,
    "plain": plain.run,
    "isolated": isolated.run,
    "check": check.run,
    "counts": counts.run,
    "messages": messages.run,
    "amqp": amqp.run,
    "memory": memory.run,
    "idle": idle.run,
    "postgres": postgres.run,
    "fair": fair.run,
    "streamed": streamed.run,
}


def main() -> None:
    """Install the peers, run the parts, print the tables, write the page."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the started processes are stopped
    began, machine = time.monotonic(), described()
    environments.install()
    tables: list[Table] = []
    for name in arguments.parts or PARTS:
        print(f"Measuring: {name} ...", flush=True)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            made = PARTS[name](Path(folder), quick=arguments.quick)
        print(f"\n{terminal(made)}\n", flush=True)
        tables += made
    print(f"{verdict(tables)} The run took {time.monotonic() - began:.0f} s on {machine.sentence}.")
    if not arguments.quick and (arguments.page or not arguments.parts):
        page.write(tables, machine, environments.versions(), configurations(), arguments.parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"parts to run ({', '.join(PARTS)}); default all")
    parser.add_argument("--quick", action="store_true", help="fewer tasks and shorter times")
    parser.add_argument("--page", action="store_true", help="write the page also if only some parts run")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.parts if name not in PARTS]:
        parser.error(f"unknown part {unknown[0]!r}; the parts are {', '.join(PARTS)}")
    return arguments


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped. All processes of the benchmark have ended.")
