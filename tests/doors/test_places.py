"""Data directories in odd places: everything of a system stays inside of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run_command


@pytest.mark.parametrize("name", ["a?1", "a#b", "a%20b", "a b", "ü", "a&b=c", "a:b@c"])
def test_everything_stays_inside_of_the_data_directory(tmp_path: Path, name: str) -> None:
    made = run_command("keys", "create", "--role", "read", cwd=tmp_path, DATA_DIR=str(tmp_path / name))
    assert made.returncode == 0, made.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "queue_tool.db").stat().st_mode & 0o077 == 0
    assert len(run_command("keys", "list", cwd=tmp_path, DATA_DIR=str(tmp_path / name)).stdout.splitlines()) == 1


def test_inline_has_no_worker_and_no_redis(tmp_path: Path) -> None:
    for command in ("worker", "redis-url"):
        refused = run_command(command, cwd=tmp_path, REDIS_URL="inline:")
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert "inline:" in refused.stderr
