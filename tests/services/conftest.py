"""The tests of this folder run on each kind of database."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest) -> str:
    """The kind of database of the test's runtimes."""
    kind: str = request.param
    return kind
