"""The client sends a million elements, and the service is killed in the middle: each is there once, memory is flat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_tool import Client
from tests.support import System, free_port

ELEMENTS = 1_000_000
KILLED_AT = 500_000

MORE = 20
"""Mebibytes of memory that the client may gain after its first hundred thousand elements."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A system that only takes tasks."""
    made = System(tmp_path, settings={"LOG_LEVEL": "warning", "WORKERS": "0"}, port=free_port())
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


@pytest.mark.timeout(1200)
def test_a_million_elements_survive_a_kill_and_the_client_does_not_grow(system: System) -> None:
    before = 0.0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal before
        for number in range(ELEMENTS):
            if number == ELEMENTS // 10:
                before = _memory()
            if number == KILLED_AT:
                system.kill_all()
                system.begin()
            yield {"item": str(number), "valor": 0}

    with Client(system.url("")) as client:
        batch = client.submit(rows(), task_type="sleep")
        assert _memory() - before < MORE
        expected = iter(range(ELEMENTS))
        assert all(result.item == str(next(expected)) for result in batch.results())
        assert next(expected, None) is None
        assert _memory() - before < MORE
        assert batch.progress().accepted == ELEMENTS


def _memory() -> float:
    """Return the memory of this process in MiB."""
    status = Path("/proc/self/status").read_text("utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
