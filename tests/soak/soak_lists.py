"""Lists of a million tasks: a page far down costs what the first one does, whatever the filter."""

from __future__ import annotations

import pytest

from tests.conftest import RuntimeFactory
from tests.depth import fill, page_work
from tests.services.test_listing import FILTERS, of_the_first_batch

TASKS = 1_000_000


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest) -> str:
    """In which kind of database the tasks are."""
    kind: str = request.param
    return kind


@pytest.mark.timeout(600)
def test_page_1_and_page_1000_cost_the_same(make_runtime: RuntimeFactory) -> None:
    runtime = make_runtime()
    fill(runtime, TASKS)
    found = {}
    for name, wanted in FILTERS.items():
        meant = of_the_first_batch(runtime, wanted)
        found[name] = page_work(runtime, meant, 1), page_work(runtime, meant, 1000)
    for name, (first, far) in found.items():
        assert far < 2 * first, (name, first, far)
        assert first < 2000, (name, first)
