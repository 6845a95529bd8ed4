"""Fixtures of the web tests: API keys, and a service without workers where the test itself runs the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from queue_tool.model.access import KEY_ROLES, ApiKey, digest
from queue_tool.runtime import Runtime
from queue_tool.services.submit import make_tokens
from tests import declared
from tests.web.site import Site

KeyMaker = Callable[[str], dict[str, str]]


@pytest.fixture(autouse=True)
def _every_answer_is_declared() -> Iterator[None]:
    """Fail a test in which an answer differed from the declaration of its operation."""
    declared.undeclared.clear()
    yield
    assert declared.undeclared == []


@pytest.fixture
def bearer(runtime: Runtime) -> KeyMaker:
    """A function that adds an API key with a given role to the store and returns the headers that send it."""

    def make(role: str) -> dict[str, str]:
        now = datetime.now(UTC)
        secret = f"qt_secret_of_{role}"
        key = ApiKey(id=make_tokens(1, now)[0], name=role, role=KEY_ROLES[role], created_at=now)
        runtime.store.keys.add(key, digest(secret))
        return {"Authorization": f"Bearer {secret}"}

    return make


@pytest.fixture
def site(runtime: Runtime) -> Site:
    """A service without workers."""
    return Site(runtime)
