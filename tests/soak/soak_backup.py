"""The journey of a backup with twenty thousand tasks before it and after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import prepared_database
from tests.journeys.test_backup import MANY, back_up_kill_and_restore
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


@pytest.mark.timeout(300)
@pytest.mark.sqlite
def test_what_a_backup_of_many_tasks_knew_is_done_after_the_restore(system: System) -> None:
    back_up_kill_and_restore(system, MANY)
