"""Values that are made at their first use."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from queue_tool.model.made_once import made_once

THREADS = 8


class Owner:
    """Has a value that takes a moment to make."""

    def __init__(self) -> None:
        self.calls = 0

    @made_once
    def value(self) -> list[int]:
        """What is made."""
        self.calls += 1
        for _ in range(THREADS):
            os.sched_yield()  # lets other threads run
        return []

    @made_once
    def fails_first(self) -> str:
        self.calls += 1
        if self.calls == 1:
            raise OSError("away")
        return "made"


@pytest.fixture
def _hasty_switches() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("_hasty_switches")
def test_threads_that_use_a_value_first_at_the_same_time_get_the_same_one() -> None:
    for _ in range(20):
        owner, gate = Owner(), threading.Barrier(THREADS)
        found: list[list[int]] = []

        def use(owner: Owner = owner, found: list[list[int]] = found, gate: threading.Barrier = gate) -> None:
            gate.wait()
            found.append(owner.value)

        threads = [threading.Thread(target=use) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert owner.calls == 1
        assert len({id(value) for value in found}) == 1


def test_a_value_that_could_not_be_made_is_made_at_the_next_use() -> None:
    owner = Owner()
    with pytest.raises(OSError, match="away"):
        _ = owner.fails_first
    assert (owner.fails_first, owner.fails_first, owner.calls) == ("made", "made", 2)


def test_the_class_shows_the_property() -> None:
    assert Owner.value.__doc__ == "What is made."
