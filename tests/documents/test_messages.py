"""The messages that docs/reliability.md quotes are those of the program, or of what it stands on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import queue_tool
from queue_tool.model.events import EVENTS
from tests.documents.blocks import ROOT

PAGE = ROOT / "docs" / "reliability.md"

OF_OTHERS = (
    "database is locked",  # SQLite
    "database or disk is full",
    "No space left on device",  # the operating system
    "No such file or directory: '.../queue_tool.db'",
    "could not connect to Redis",  # RQ
)
COMMANDS = ("flask", "fuser", "queue-tool", "redis-cli")


def quoted() -> list[str]:
    """Return what the page quotes that has at least three words."""
    text = " ".join(PAGE.read_text("utf-8").split())
    return sorted({quote for quote in re.findall(r"`([^`]+)`", text) if quote.count(" ") > 1})


@cache
def written() -> frozenset[str]:
    """Return every fixed part of a text in the program, without what surrounds it."""
    parts = {kind.title for kind in EVENTS}
    for path in Path(queue_tool.__file__).parent.rglob("*.py"):
        parts |= set(texts(ast.parse(path.read_text("utf-8"))))
    return frozenset(part for part in parts if part.count(" "))


def texts(tree: ast.AST) -> Iterator[str]:
    """Return the texts in a module, cut where a value is put in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for line in node.value.splitlines():
                yield from (part.strip(" :.") for part in re.split(r"%[a-z.0-9]+", line))


@pytest.mark.parametrize("quote", [quote for quote in quoted() if not quote.startswith(COMMANDS)])
def test_a_quoted_message_is_one_of_the_program(quote: str) -> None:
    assert quote in OF_OTHERS or any(part in quote or quote.strip(" :.") in part for part in written())
