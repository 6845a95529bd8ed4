"""An open batch of a million elements: each is done once, and the web process does not grow with the batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.soak.soak_results import Memory
from tests.support import System, eventually, free_port, http, items

ELEMENTS = 1_000_000
EACH = 10_000

MORE = 20
"""Mebibytes of memory that the web process may gain."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A system that does the tasks while more are sent."""
    made = System(tmp_path, port=free_port())
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


@pytest.mark.timeout(1200)
def test_a_million_elements_are_done_once_and_the_web_process_does_not_grow(system: System) -> None:
    batch = http("POST", system.url("/batches"), {"task_type": "sleep"}).json["id"]
    elements, memory, before = items(EACH), Memory(system), 0.0
    for start in range(0, ELEMENTS, EACH):
        answer = http("POST", system.url(f"/batches/{batch}/elements?from={start}"), elements)
        assert answer.status in (200, 202), answer.body
        if start == 10 * EACH:
            before = memory.begin()
    assert memory.of("VmRSS") - before < MORE
    http("POST", system.url(f"/batches/{batch}/seal"))
    found = eventually(lambda: _finished(system, batch), within=900)
    assert (found["total"], found["counts"]["finished"]) == (ELEMENTS, ELEMENTS)


def _finished(system: System, batch: str) -> Any:
    found = http("GET", system.url(f"/batches/{batch}")).json
    return found if found["finished_at"] else None
