"""Failures of the same kind: which errors belong together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from queue_tool.model.failures import Failure, grouped, pattern_of
from queue_tool.model.states import Code

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "pattern"),
    [
        ("ValueError: row 17 of 2000 is bad", "ValueError: row … of … is bad"),
        ("KeyError: 'a1'\nmore 5", "KeyError: 'a…'"),
        ("no task 01a21c3c16757044a444b1ca13cc68fb", "no task …"),
        ("at 0x7f3a91", "at …"),
        ("id 2b1f3c8e-1d2a-4f00-9c3d-aa00bb11cc22 is gone", "id … is gone"),
        ("the facade of a cafe", "the facade of a cafe"),
        ("", ""),
    ],
)
def test_numbers_and_ids_do_not_tell_errors_apart(error: str, pattern: str) -> None:
    assert pattern_of(error) == pattern


def test_the_kind_with_the_most_tasks_is_first_and_keeps_its_id() -> None:
    def failure(number: int, error: str, code: Code = Code.ERROR) -> Failure:
        ended = BEGIN + timedelta(seconds=number)
        return Failure(token=f"{number}", task_type="a", code=code, error=error, ended_at=ended)

    some = [failure(3, "x 3"), failure(9, "timeout", Code.TIMEOUT), failure(2, "x 2"), failure(5, "x 5")]
    first, second = grouped(some)
    assert (first.tokens, first.pattern, first.code) == (["3", "2", "5"], "x …", Code.ERROR)
    assert (first.first, first.last) == (BEGIN + timedelta(seconds=2), BEGIN + timedelta(seconds=5))
    assert second.tokens == ["9"]
    assert [group.id for group in grouped(some[::-1])] == [first.id, second.id]
    assert grouped([]) == []
