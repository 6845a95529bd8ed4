"""Outcomes that were put aside are read back unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from queue_tool.host import put_aside
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Code, Move

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

OUTCOMES = [
    Outcome(token="a" * 32, run=1, move=Move.FINISH, result="[1]", seconds=0.5),
    Outcome(token="b" * 32, run=2, move=Move.FAIL, code=Code.ERROR, error="no", traceback="here", attempt=3),
    Outcome(
        token="c" * 32,
        run=3,
        move=Move.RETRY_LATER,
        code=Code.TIMEOUT,
        error="slow",
        attempt=2,
        started_at=NOW,
        due_at=NOW + timedelta(minutes=1),
    ),
    Outcome(token="d" * 32, run=1, move=Move.PUT_BACK),
]


def test_every_kind_of_outcome_is_settled_once_and_unchanged(tmp_path: Path) -> None:
    settled: list[tuple[list[Outcome], int]] = []

    def settle(outcomes: Sequence[Outcome], owner: int) -> None:
        settled.append((list(outcomes), owner))

    put_aside.keep(tmp_path, 7, OUTCOMES)
    for _ in range(2):
        put_aside.settle_all(tmp_path, settle)
    assert settled == [(OUTCOMES, 7)]
    assert list((tmp_path / put_aside.FOLDER).iterdir()) == []


def test_an_unreadable_file_of_another_version_is_renamed_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / put_aside.FOLDER
    folder.mkdir()
    (folder / "1-2.json").write_text('{"owner": 1, "outcomes": [{"token": "a", "what": "else"}]}')
    put_aside.settle_all(tmp_path, lambda outcomes, owner: None)
    assert [path.name for path in folder.iterdir()] == ["1-2.unreadable"]


def test_a_move_that_an_older_version_wrote_with_a_space_is_understood(tmp_path: Path) -> None:
    settled: list[Outcome] = []
    put_aside.keep(tmp_path, 7, OUTCOMES)
    (file,) = (tmp_path / put_aside.FOLDER).iterdir()
    file.write_text(file.read_text().replace("put_back", "put back").replace("retry_later", "retry later"))
    put_aside.settle_all(tmp_path, lambda outcomes, _: settled.extend(outcomes))
    assert settled == OUTCOMES
