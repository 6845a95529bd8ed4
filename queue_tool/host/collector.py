"""The garbage collector of a process: it looks seldom, and not at what stays for ever."""

from __future__ import annotations

import gc

OBJECTS = 50_000
"""New objects after which it looks at them."""


def look_seldom() -> None:
    """Let it look less often, from the first import on.

    A batch of 10,000 makes 100,000 objects that no cycle holds; looking at them again and again took a third of the
    time that the batch takes, and a tenth of the time that a process takes to start.
    """
    gc.set_threshold(OBJECTS, 20, 20)


def leave_alone_what_is_there() -> None:
    """Let it never look at what a process that has just started has made: it stays."""
    gc.collect()
    gc.freeze()
