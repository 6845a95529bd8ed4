"""One browser for all tests of pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium, program


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A Chromium of this session's, from the system's packages."""
    pytest.importorskip("playwright", reason="no Playwright on this platform")
    path = program()
    if path is None:
        pytest.skip("no Chromium on this machine")
    browser = Chromium(path)
    yield browser
    browser.close()
