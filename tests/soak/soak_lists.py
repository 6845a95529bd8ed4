"""Lists of a million tasks: a far page costs about as much as the first one, for every filter."""

from __future__ import annotations

import pytest

from tests.conftest import RuntimeFactory
from tests.depth import fill, page_work
from tests.services.test_listing import FILTERS, of_the_first_batch

TASKS = 1_000_000


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest) -> str:
    """The kind of database that holds the tasks."""
    kind: str = request.param
    return kind


@pytest.mark.timeout(600)
def test_page_1000_costs_less_than_twice_page_1(make_runtime: RuntimeFactory) -> None:
    runtime = make_runtime()
    fill(runtime, TASKS)
    found = {}
    for name, wanted in FILTERS.items():
        real = of_the_first_batch(runtime, wanted)
        found[name] = page_work(runtime, real, 1), page_work(runtime, real, 1000)
    for name, (first, far) in found.items():
        assert far < 2 * first, (name, first, far)
        assert first < 2000, (name, first)
