"""Programs that start at once: each is a fork of an interpreter that has imported already what they need.

Importing is nearly all that a start of `queue-tool` costs, and the tests start hundreds. A program that is started here
is a process like any other, with a directory, an environment, files and signals of its own; nothing but imports has
been done before the fork. That each command also starts from nothing is what the tests of `journeys` and `cli` show.
"""

from __future__ import annotations

from functools import cache

from tests.warm.client import Interpreter, Program

__all__ = ["Interpreter", "Program", "close", "interpreter"]


@cache
def interpreter() -> Interpreter:
    """Return the interpreter of this process of the tests, which is started when it is first needed."""
    return Interpreter()


def close() -> None:
    """End it, if it was started."""
    if interpreter.cache_info().currsize:
        interpreter().close()
        interpreter.cache_clear()
