"""Outcomes that were put aside come back as they were."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from queue_tool.errors import StoreAway
from queue_tool.host import files, put_aside
from queue_tool.model import events
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Code, Move
from queue_tool.model.telemetry import Telemetry
from tests.conftest import News
from tests.support import LIMIT

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
    Outcome(token="e" * 32, run=1, move=Move.RESIGN),
]


def test_every_kind_of_outcome_is_written_down_as_it_was_and_once(tmp_path: Path) -> None:
    settled: list[tuple[list[Outcome], int]] = []

    def settle(outcomes: Sequence[Outcome], owner: int) -> None:
        settled.append((list(outcomes), owner))

    put_aside.keep(tmp_path, 7, OUTCOMES)
    for _ in range(2):
        put_aside.settle_all(tmp_path, settle, Telemetry())
    assert settled == [(OUTCOMES, 7)]
    assert list((tmp_path / put_aside.FOLDER).iterdir()) == []


GOOD: dict[str, Any] = {
    "token": "e" * 32,
    "run": 1,
    "move": "finish",
    "result": "1",
    "code": None,
    "error": None,
    "traceback": "",
    "attempt": 1,
    "started_at": None,
    "due_at": None,
    "seconds": 0.5,
}

BAD: dict[str, dict[str, Any]] = {
    "a move of a later version": {"move": "postpone"},
    "a move that does not end a run": {"move": "cancel"},
    "a move that is no text": {"move": 1},
    "no token": {"token": "e"},
    "a token that is a list": {"token": []},
    "a run that is a text": {"run": "1"},
    "a run that is true": {"run": True},
    "a run beyond the database's numbers": {"run": 2**63},
    "a result that is no JSON": {"result": "{"},
    "no result": {"result": None},
    "a result that is no text": {"result": 1},
    "a code of a later version": {"move": "fail", "code": "tired"},
    "a failure without a code": {"move": "fail"},
    "a retry without a time": {"move": "retry_later", "code": "error"},
    "a time without a zone": {"move": "retry_later", "code": "error", "due_at": "2026-01-02T03:04:05"},
    "an attempt that is a list": {"attempt": []},
    "a field of a later version": {"what": "else"},
}


@pytest.mark.parametrize("what", BAD)
def test_an_outcome_that_cannot_be_used_is_put_aside_with_one_warning_and_the_rest_goes_on(
    tmp_path: Path, news: News, what: str
) -> None:
    folder = tmp_path / put_aside.FOLDER
    folder.mkdir()
    (folder / "1-2.json").write_text(json.dumps({"owner": 1, "outcomes": [GOOD | BAD[what], GOOD]}))
    put_aside.keep(tmp_path, 7, OUTCOMES)
    settled: list[Outcome] = []
    for _ in range(2):
        put_aside.settle_all(tmp_path, lambda outcomes, _: settled.extend(outcomes), Telemetry(news))
    assert [path.name for path in folder.iterdir()] == ["1-2.unreadable"]
    (warning,) = news.of(events.Warned)
    assert str(folder / "1-2.unreadable") in warning.reason
    assert [outcome.token for outcome in settled] == [GOOD["token"], *(outcome.token for outcome in OUTCOMES)]


FILES = ["", "null", "[]", "{}", '{"owner": 0, "outcomes": []}', '{"owner": 1}', '{"owner": 1, "outcomes": [1]}']


def test_files_that_are_not_understood_are_kept_under_another_name_and_read_once(tmp_path: Path, news: News) -> None:
    folder = tmp_path / put_aside.FOLDER
    folder.mkdir()
    for number, text in enumerate(FILES):
        (folder / f"{number}.json").write_text(text)
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")  # to read it would block forever
    for _ in range(2):
        put_aside.settle_all(tmp_path, lambda outcomes, owner: None, Telemetry(news))
    assert {path.suffix for path in folder.iterdir()} == {".unreadable"}
    assert len(news.of(events.Warned)) == len(FILES) + 2


def test_an_outcome_that_the_store_refuses_is_put_aside_and_a_store_that_is_away_keeps_it(
    tmp_path: Path, news: News
) -> None:
    def refuse(outcomes: Sequence[Outcome], owner: int) -> None:
        raise LookupError("no such thing")

    def away(outcomes: Sequence[Outcome], owner: int) -> None:
        raise StoreAway(retry_after=1)

    put_aside.keep(tmp_path, 7, OUTCOMES)
    with pytest.raises(StoreAway):
        put_aside.settle_all(tmp_path, away, Telemetry(news))
    assert [path.suffix for path in (tmp_path / put_aside.FOLDER).iterdir()] == [".json"]
    put_aside.settle_all(tmp_path, refuse, Telemetry(news))
    assert [path.suffix for path in (tmp_path / put_aside.FOLDER).iterdir()] == [".unreadable"]
    assert len(news.of(events.Warned)) == 1


def test_two_that_find_the_same_file_do_not_hinder_each_other_and_one_of_them_warns(tmp_path: Path, news: News) -> None:
    both = Barrier(2)

    def refuse(outcomes: Sequence[Outcome], owner: int) -> None:
        both.wait(LIMIT)  # now both have read the file
        raise LookupError("no such thing")

    put_aside.keep(tmp_path, 7, OUTCOMES)
    with ThreadPoolExecutor(2) as pool:
        at_once = [pool.submit(put_aside.settle_all, tmp_path, refuse, Telemetry(news)) for _ in range(2)]
        assert [each.result(LIMIT) for each in at_once] == [None, None]
    assert len(news.of(events.Warned)) == 1


def test_a_move_that_an_older_version_wrote_with_a_space_is_still_that_move(tmp_path: Path) -> None:
    settled: list[Outcome] = []
    put_aside.keep(tmp_path, 7, OUTCOMES)
    (file,) = (tmp_path / put_aside.FOLDER).iterdir()
    file.write_text(file.read_text().replace("put_back", "put back").replace("retry_later", "retry later"))
    put_aside.settle_all(tmp_path, lambda outcomes, _: settled.extend(outcomes), Telemetry())
    assert settled == OUTCOMES


def test_outcomes_can_be_read_again_whatever_umask_a_function_has_set(tmp_path: Path) -> None:
    mask = os.umask(0o777)
    try:
        files.write(tmp_path / "outcomes", b"[]")
    finally:
        os.umask(mask)
    assert (tmp_path / "outcomes").stat().st_mode & 0o777 == 0o600
