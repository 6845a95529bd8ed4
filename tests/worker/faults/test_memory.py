"""The memory that a worker uses."""

from __future__ import annotations

import pytest

from tests.worker.faults.site import Site, mebibytes

SLEEPERS = 10_000

pytestmark = pytest.mark.sqlite  # the limit is that of SQLite: the driver of PostgreSQL alone takes 8 MiB more


def test_ten_thousand_sleeping_tasks_fit_into_a_hundred_mebibytes(site: Site) -> None:
    worker = site.start_cold()
    site.sleepers(SLEEPERS, valor=3600)
    site.await_(lambda: len(site.keys("rq:execution:*")) == SLEEPERS)  # all of them run, and all are shown in Redis
    assert mebibytes(worker.pid) < 100
