"""What the tests of the web door share: API keys, and a service whose tasks are done by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from queue_tool.model.access import KEY_ROLES, ApiKey, digest
from queue_tool.runtime import Runtime
from queue_tool.services.submit import make_tokens
from tests.web.site import Site

KeyMaker = Callable[[str], dict[str, str]]


@pytest.fixture
def bearer(runtime: Runtime) -> KeyMaker:
    """Makes a key of a role in the store; returns the headers that present it."""

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
