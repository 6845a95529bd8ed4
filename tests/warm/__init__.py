"""Programs that start fast: each is a fork of an interpreter that has already imported what the program needs.

Most of the start time of `queue-tool` is imports, and the tests start it hundreds of times. A program that starts here
is an ordinary process, with its own directory, environment, files and signals. Before the fork, only imports have
happened. The tests of `journeys` and `cli` prove that each command also starts without a fork.
"""

from __future__ import annotations

from functools import cache

from tests.warm.client import Interpreter, Program, Shared

__all__ = ["Interpreter", "Program", "Shared", "close", "interpreter"]


@cache
def interpreter() -> Interpreter:
    """Return the interpreter of this test process; the first call starts it."""
    return Interpreter()


def close() -> None:
    """Stop the interpreter, if it was started."""
    if interpreter.cache_info().currsize:
        interpreter().close()
        interpreter.cache_clear()
