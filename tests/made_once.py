"""What all processes of a test session need, and the first one that needs it makes for the others."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that one process of this test session fills. The others wait until it is whole, and only read it.

    Args:
        factory: knows the temporary directory of the session.
        name: the name of the folder.
        make: fills the folder; it exists and is empty.
    """
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    whole, partial = shared / name, shared / f"{name}.partial"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(partial, ignore_errors=True)  # another process failed while it filled the folder
            partial.mkdir()
            make(partial)
            partial.rename(whole)
    return whole
