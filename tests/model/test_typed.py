"""Conversions to declared types by many threads at once, from the first use of a type on."""

from __future__ import annotations

import subprocess
import sys

ROUNDS = 300
"""Types that each start is tried with. Without the lock of `convert`, the process ended within the first ten."""

THREADS = 8

PROGRAM = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from msgspec import Struct

from queue_tool.model.typed import convert

sys.setswitchinterval(1e-6)
together = Barrier({THREADS})

def first_use(kind):
    together.wait()
    return convert({{"one": {{"a": 1, "b": ["s"]}}, "many": [{{"a": 2}}]}}, kind)

with ThreadPoolExecutor({THREADS}) as threads:
    for _ in range({ROUNDS}):
        class Inner(Struct):
            a: int
            b: tuple[str, ...] = ()

        class Outer(Struct):
            one: Inner
            many: tuple[Inner, ...]

        for each in threads.map(first_use, [Outer] * {THREADS}):
            assert (each.one.b, each.many[0].a) == (("s",), 2)
print("all are right")
"""


def test_threads_that_use_a_type_first_at_the_same_time_all_get_their_values() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "all are right\n"), done.stderr
