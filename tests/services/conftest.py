"""The tests of this folder run on each kind of database."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest) -> str:
    """In which kind of database a test's runtimes keep things."""
    kind: str = request.param
    return kind
