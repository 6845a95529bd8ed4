"""The pytest plugin. pytest imports it in every session of its users, so it imports the rest when a test needs it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from queue_tool.testing.system import InlineSystem


@pytest.fixture
def queue_tool_settings() -> Mapping[str, str]:
    """Settings of `inline_system` that differ from those of the environment. Define this fixture to choose them."""
    return {}


@pytest.fixture(scope="session")
def _queue_tool_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with empty tables, which each test copies: it takes longer to make than most tests."""
    from queue_tool.testing.system import make_database

    return make_database(tmp_path_factory.mktemp("queue_tool_empty"))


@pytest.fixture
def inline_system(
    queue_tool_settings: Mapping[str, str], _queue_tool_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InlineSystem]:
    """A system of this test alone. It runs tasks when they are sent, and later ones when the test moves its time."""
    from queue_tool.testing.system import InlineSystem

    directory = tmp_path_factory.mktemp("queue_tool")
    directory.chmod(0o700)
    shutil.copyfile(_queue_tool_database, directory / _queue_tool_database.name)
    with InlineSystem(directory, queue_tool_settings) as system:
        yield system
    shutil.rmtree(directory, ignore_errors=True)
