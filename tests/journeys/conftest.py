"""Systems of real processes, each in its own directory; all their processes are killed after the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import prepared_database
from tests.support import System


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    """A whole system, running."""
    made = System(tmp_path, settings=prepared_database(request, tmp_path))
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


@pytest.fixture
def stopped_system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    """A whole system whose database has empty tables; the test starts it."""
    made = System(tmp_path, settings=prepared_database(request, tmp_path))
    yield made
    made.kill_all()


@pytest.fixture
def new_system(tmp_path: Path) -> Iterator[System]:
    """A whole system with an empty directory; the test starts it."""
    made = System(tmp_path)
    yield made
    made.kill_all()
