"""Ours: the same functions as isolated task types."""

import functions

from queue_tool import task


@task("mark", isolated=True)
def mark(_):
    """Write a mark."""
    functions.mark()


@task("compute", isolated=True)
def compute(_):
    """Compute, and write a mark."""
    functions.compute()
