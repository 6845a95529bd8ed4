"""Axe: what keeps people out of a page."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Page

FAST = {"resultTypes": ["violations"], "selectors": False}
"""Options without which axe also describes every part of the page that has no fault, and names each in three ways."""


@cache
def _axe() -> Axe:
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


def violations(page: Page, **options: Any) -> list[str]:
    """Return what axe finds on a page that keeps people out."""
    if not page.evaluate("'axe' in window"):  # its half a megabyte is read once for each page
        page.evaluate(_axe().axe_script)
    found = page.evaluate(f"axe.run({json.dumps(FAST | options)})")["violations"]
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
