"""The tests of this folder run on each kind of database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Cluster


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest) -> str:
    """The kind of database of the test's runtimes."""
    kind: str = request.param
    return kind


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, storage: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if storage == "sqlite":
        yield f"sqlite:///{tmp_path / 'tasks.db'}"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.new_database()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def migrated_url(request: pytest.FixtureRequest, storage: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with empty tables."""
    if storage == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_database"), tmp_path / "tasks.db")
        yield f"sqlite:///{tmp_path / 'tasks.db'}"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.new_database(request.getfixturevalue("migrated_template"))
    yield cluster.url(name)
    cluster.drop(name)
