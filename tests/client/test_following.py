"""Following what ends, played against streams that are written down."""

from __future__ import annotations

from contextlib import suppress

import orjson
import pytest

from queue_tool.client import following
from queue_tool.errors import AnswerLost, UnexpectedAnswer
from tests.client.scripted import BATCH, OPENED, asked, play, state


def event(name: str, data: object, place: str = "") -> bytes:
    id_line = f"id: {place}\n" if place else ""
    return f"{id_line}event: {name}\ndata: {orjson.dumps(data).decode()}\n\n".encode()


ENDED = {"token": "t", "batch": BATCH, "task_type": "echo", "status": "failed", "code": "error"}
CLOSED = event("batch.finished", {"batch": BATCH, "finished_at": "2026-01-01T00:00:00Z"}, "1-0-9")


def progress(status: str) -> bytes:
    return event("batch.progress", orjson.loads(state(1, status).body))


def follow(*streams: list[bytes | Exception], batch: str | None = BATCH) -> tuple[list[str], list[str | None]]:
    """Follow streams; return the names of the events, and the place from which each request went on."""
    played = play(*[OPENED] * len(streams), pieces=[piece for stream in streams for piece in stream])
    with suppress(AssertionError):  # no answer is left, and without a batch there is no end
        played.run(following.follow(asked(), batch=batch))
    assert played.pieces == []
    return [each.name for each in played.given], [call.headers.get("Last-Event-ID") for call in played.calls]


def test_what_ends_is_followed_over_streams_that_break_anywhere_until_the_end_of_the_batch() -> None:
    failed = event("task.failed", ENDED, "1-0-7")
    first = b"id: 1-0-5\n\n" + progress("running") + b": nothing new\n\n" + event("of.the.future", 1, "1-0-6")
    for cut in range(len(failed)):
        broken: list[bytes | Exception] = [first[:9], first[9:] + failed[:cut], AnswerLost()]
        names, places = follow(broken, [progress("finished") + failed, CLOSED])
        assert names == ["batch.progress", "batch.progress", "task.failed", "batch.finished"]
        assert places == [None, "1-0-6"]
    assert follow([first + failed, b""], [CLOSED])[1] == [None, "1-0-7"]


def test_a_batch_that_had_ended_before_and_missed_events_end_the_iteration_too() -> None:
    assert follow([b"id: 1-0-5\n\n" + progress("finished")]) == (["batch.progress"], [None])
    missed = event("reset", {"message": "read again"}) + progress("finished")
    assert follow([b"id: 1-0-5\n\n", AnswerLost()], [missed]) == (["reset", "batch.progress"], [None, "1-0-5"])


def test_without_a_batch_the_end_of_one_is_no_end() -> None:
    names, places = follow([CLOSED + CLOSED, b""], [CLOSED, b""], batch=None)
    assert names == ["batch.finished"] * 3
    assert places == [None, "1-0-9", "1-0-9"]


def test_an_event_that_cannot_be_read_is_an_error() -> None:
    played = play(OPENED, pieces=[b"event: task.failed\ndata: {}\n\n"])
    with pytest.raises(UnexpectedAnswer, match=r"task\.failed"):
        played.run(following.follow(asked()))
