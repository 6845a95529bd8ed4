"""Data directories with unusual names: a system writes only inside its own directory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from queue_tool.databases import open_store
from queue_tool.model import settings
from queue_tool.model.access import ApiKey, Role, digest
from tests.support import run_command


@pytest.mark.parametrize("name", ["a?1", "a#b", "a%20b", "a b", "ü", "a&b=c", "a:b@c"])
def test_everything_stays_inside_the_data_directory(tmp_path: Path, name: str) -> None:
    chosen = settings.read({"QUEUE_TOOL_DATA_DIR": str(tmp_path / name)})
    key = ApiKey(id="0" * 32, name="", role=Role.READ, created_at=datetime.now(UTC))
    first = open_store(chosen, migrate=True)
    first.keys.add(key, digest("secret"))
    first.close()
    second = open_store(chosen)
    assert second.keys.all() == [key]
    second.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "queue_tool.db").stat().st_mode & 0o077 == 0


def test_with_inline_the_worker_and_redis_url_commands_are_refused(tmp_path: Path) -> None:
    for command in ("worker", "redis-url"):
        refused = run_command(command, cwd=tmp_path, REDIS_URL="inline:")
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert "inline:" in refused.stderr
