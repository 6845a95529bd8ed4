"""Sending and reading of any length, played against written answers; and what goes over the wire."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpcore2
import orjson
import pytest

from queue_tool import Client, errors
from queue_tool.client import reading, sending
from queue_tool.client.address import Address, address_of
from queue_tool.client.calls import Call
from queue_tool.client.methods import Methods
from queue_tool.client.operations import Operations
from queue_tool.client.parts import MOST_ELEMENTS, Part
from queue_tool.client.sending import Options, Sent, order_of
from queue_tool.client.values import json_of
from queue_tool.client.wire import Owned, Wire, failures
from queue_tool.errors import AnswerLost, BadSetting, NotFinished, NotSent
from queue_tool.model.many import require_many
from queue_tool.model.queues import Priority
from tests.client.scripted import BATCH, OPENED, Play, answer, asked, play, problem, state

STORED = answer({"batch": BATCH})


def submitted(played: Play, **options: Any) -> str:
    chosen: Options = options  # type: ignore[assignment] # the tests' own words
    found: str = played.run(sending.submit(asked(), order_of(chosen)))
    return found


def sent_lines(played: Play) -> list[tuple[str, int]]:
    """Return the target of each request, and how many lines its body has."""
    return [(call.target, len((call.body or b"").splitlines())) for call in played.calls]


PART = f"/batches/{BATCH}/elements?from="
SEAL = f"/batches/{BATCH}/seal"

# -- sending ----------------------------------------------------------------------------------------------


def test_what_fits_into_one_request_is_one_request_with_a_key() -> None:
    played, heard = play(STORED, source=["a", "b"]), list[Sent]()
    assert submitted(played, task_type="uppercase", metadata={"x": "é"}, on_sent=heard.append) == BATCH
    assert sent_lines(played) == [("/tasks?metadata.x=%C3%A9&task_type=uppercase", 2)]
    assert "Idempotency-Key" in played.calls[0].headers
    assert heard == [Sent(batch=BATCH, total=2, is_complete=True)]


def test_what_follows_is_said_in_the_query_or_if_that_is_too_long_to_an_open_batch() -> None:
    played = play(STORED, source=["a"])
    submitted(played, on_finished={"task_type": "echo", "data": "ö"}, webhook="https://a.example/")
    assert "on_finished=%7B%22task_type%22%3A%22echo%22%2C%22data%22%3A%22%C3%B6%22%7D" in played.calls[0].target
    assert played.calls[0].target.endswith("&webhook=https%3A%2F%2Fa.example%2F")
    long = play(state(), STORED, state(1), source=["a"])
    submitted(long, on_finished={"data": "x" * 3000})
    many = play(state(), STORED, STORED, state(1), source=range(15_000))
    submitted(many, on_finished={"data": 1}, webhook="https://a.example/")
    first, second = (orjson.loads(played.calls[0].body or b"") for played in (long, many))
    assert (first["on_finished"], second["on_finished"]) == ({"data": "x" * 3000}, {"data": 1})
    assert (first["webhook"], second["webhook"]) == (None, "https://a.example/")


def test_more_elements_go_into_an_open_batch() -> None:
    played = play(state(), STORED, STORED, STORED, state(25_000), source=range(25_000))
    assert submitted(played, task_type="echo", idempotency_key="monday") == BATCH
    assert played.calls[0].headers["Idempotency-Key"] == "monday"
    first = MOST_ELEMENTS + 1  # with the element that showed that there are more
    parts = [(f"{PART}0", first), (f"{PART}{first}", MOST_ELEMENTS), (f"{PART}{first + MOST_ELEMENTS}", 4_999)]
    assert sent_lines(played) == [("/batches", 1), *parts, (SEAL, 1)]


def test_a_part_whose_answer_was_lost_is_sent_again() -> None:
    played = play(state(), AnswerLost(), STORED, STORED, state(15_000), source=range(15_000))
    submitted(played)
    opened, lost, again, second, seal = played.calls
    assert (lost.target, lost.body) == (again.target, again.body)
    assert (opened.target, second.target, seal.target) == ("/batches", f"{PART}{MOST_ELEMENTS + 1}", SEAL)


def test_elements_that_a_batch_has_are_not_sent_again() -> None:
    played = play(state(12_000), STORED, STORED, state(25_000), source=range(25_000))
    submitted(played, resume=BATCH)
    assert sent_lines(played)[1:] == [(f"{PART}12000", 8_000), (f"{PART}20000", 5_000), (SEAL, 1)]
    assert (played.calls[1].body or b"").startswith(b"12000\n12001\n")


def test_a_batch_that_was_complete_before_is_only_returned() -> None:
    played = play(state(20_000, sealed=True), source=range(20_000))
    assert submitted(played, idempotency_key="monday") == BATCH
    assert [call.target for call in played.calls] == ["/batches"]


def test_a_batch_of_which_nothing_is_accepted_and_an_empty_one_are_open_batches() -> None:
    refused = answer({"processing_items": []}, 422)
    played = play(refused, state(), STORED, state(1), source=["bad"])
    assert submitted(played) == BATCH
    assert [call.target for call in played.calls] == ["/tasks", "/batches", f"{PART}0", SEAL]
    empty = play(state(), state())
    submitted(empty)
    assert [call.target for call in empty.calls] == ["/batches", SEAL]


def test_parts_become_smaller_if_the_service_takes_no_large_ones() -> None:
    too_many = problem(errors.TooManyItems(), 413)
    played = play(too_many, state(), too_many, too_many, STORED, STORED, STORED, state(4), source="abcd")
    submitted(played)
    assert sent_lines(played)[2:] == [
        (f"{PART}0", 4),
        (f"{PART}0", 2),
        (f"{PART}0", 1),
        (f"{PART}1", 1),
        (f"{PART}2", 2),
        (SEAL, 1),
    ]
    alone = play(too_many, state(), too_many, source="a")
    with pytest.raises(errors.TooManyItems, match="Element 0 does not fit into a request") as caught:
        submitted(alone)
    assert caught.value.request_id == "request-1"


def test_a_full_service_gets_smaller_parts_later() -> None:
    full = problem(errors.TooManyWaiting(), 429, retry_after="7")
    elements = range(MOST_ELEMENTS + 1)
    played = play(state(), full, full, *[STORED] * 4, state(), source=[*elements, 1])
    submitted(played)
    assert played.pauses == [7, 7]


def test_an_error_of_the_source_says_how_to_continue() -> None:
    def broken() -> Any:
        yield from range(15_000)
        raise OSError("the file is gone")

    played = play(state(), STORED, source=broken())
    with pytest.raises(OSError, match="gone") as caught:
        submitted(played)
    assert f"resume='{BATCH}'" in caught.value.__notes__[0]


@pytest.mark.parametrize("elements", ["abc", b"abc", {"a": 1}])
def test_a_single_value_is_no_iterable_of_elements(elements: Any) -> None:
    with pytest.raises(NotSent, match=type(elements).__name__):
        require_many(elements, "elements")
    with pytest.raises(NotSent, match="Pass tokens in a list"):
        Client().check(elements)


def test_an_argument_that_submit_does_not_have_is_an_error_and_not_ignored() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'task_typ'"):
        submitted(play(), task_typ="echo")


def test_what_is_no_id_leads_to_no_other_path() -> None:
    for wrong in (None, 3, "", "..", UUID(int=1)):
        with pytest.raises(NotSent, match="must be a text such as '01a2"):
            Operations.get_task.call(wrong)  # type: ignore[arg-type] # what a caller may do
        with pytest.raises(NotSent):
            next(reading.stream_results(asked(), wrong))  # type: ignore[arg-type] # as above
    with pytest.raises(NotSent, match="Idempotency-Key must be a text"):
        Client().wire.request(Call(method="GET", target="/", read=lambda _: None, headers={"Idempotency-Key": 5}))  # type: ignore[dict-item] # as above


def test_one_state_may_be_said_without_a_list() -> None:
    played = play(answer(None))
    played.run(reading.stream_results(asked(), BATCH, status="failed"))
    assert played.calls[0].target.endswith("?status=failed")


# -- values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None, "é\n"]}, '{"a":[1,null,"é\\n"]}'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00+00:00"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        ([None, datetime(2026, 1, 2, tzinfo=UTC)], '[null,"2026-01-02T00:00:00+00:00"]'),
        (Priority.HIGH, '"high"'),
    ],
)
def test_a_value_becomes_json_on_one_line(value: object, text: str) -> None:
    assert json_of(value).decode() == text


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {1: 2}, object(), 2**70, "\ud800", {"a": {1, 2}}])
def test_a_value_that_json_cannot_hold_is_refused_and_not_changed(value: object) -> None:
    with pytest.raises(NotSent):
        json_of(value)


def test_an_element_that_cannot_be_sent_is_named_by_its_index() -> None:
    part = Part(10)
    part.add(1)
    with pytest.raises(NotSent, match="Element 11"):
        part.add(float("nan"))


def test_large_elements_fill_a_part_sooner() -> None:
    part = Part(0)
    assert part.add("x" * 2**20)
    assert not part.add("x" * 2**21)
    assert part.count == 2


# -- reading ----------------------------------------------------------------------------------------------


def line(index: int | None, **more: object) -> bytes:
    fields = dict.fromkeys(("custom_id", "item", "token", "status", "result", "error"))
    return orjson.dumps({"index": index, **fields, **more}) + b"\n"


def indexes(played: Play) -> list[int]:
    return [result.index for result in played.given]


def test_a_stream_that_was_cut_off_continues_behind_its_last_result() -> None:
    pieces: list[bytes | Exception] = [
        line(0),
        line(1)[:9],
        line(1)[9:],
        line(2)[:4],
        AnswerLost(),
        line(0) + line(1),
        line(2) + line(3),
        b"",
    ]
    played = play(OPENED, OPENED, pieces=pieces)
    played.run(reading.stream_results(asked(), BATCH))
    assert indexes(played) == [0, 1, 2, 3]


def test_a_stream_that_the_service_ended_with_an_error_continues_if_that_helps() -> None:
    away = line(None, error={"code": "store_away", "message": "away"})
    played = play(OPENED, OPENED, pieces=[line(0) + away, line(0), line(1), b""])
    played.run(reading.stream_results(asked(), BATCH, status=["finished", "failed"]))
    assert indexes(played) == [0, 1]
    assert played.calls[0].target == f"/batches/{BATCH}/results?status=failed,finished".replace(",", "%2C")
    bug = play(OPENED, pieces=[line(None, error={"code": "internal_error", "message": "a bug"})])
    with pytest.raises(errors.QueueToolError, match="a bug"):
        bug.run(reading.stream_results(asked(), BATCH))


def test_each_result_is_given_once_as_it_completes() -> None:
    done = (state(3, left=2), OPENED, state(3, left=2), state(3, left=1), OPENED, state(3, "finished"), OPENED)
    pieces = [line(1), b"", line(0) + line(1), b"", line(0) + line(1) + line(2), b""]
    played = play(*done, pieces=pieces)
    played.run(reading.completed(asked(), BATCH))
    assert indexes(played) == [1, 0, 2]
    assert len([call for call in played.calls if "results" in call.target]) == 3


def test_a_wait_is_bounded() -> None:
    played = play(state(3, left=2), state(3, left=2), OPENED)
    with pytest.raises(TimeoutError, match="1 of its 3 elements") as caught:
        played.run(reading.ended(asked(), BATCH, timeout=0))
    assert isinstance(caught.value, NotFinished)
    with pytest.raises(NotFinished):
        played.run(reading.completed(asked(), BATCH, timeout=0))


def test_a_wait_that_the_service_does_not_honor_is_no_busy_loop() -> None:
    played = play(state(1, left=1), state(1, "finished"))
    played.run(reading.ended(asked(), BATCH))
    assert played.pauses == [1.0]
    assert played.calls[0].headers["Prefer"] == "wait=30"


def test_many_tokens_are_asked_for_in_several_requests() -> None:
    found = answer({"results": [{"hash": "a", "message": "", "status": "queued"}]})
    played = play(found, found, source=["a"] * (MOST_ELEMENTS + 1))
    played.run(reading.checked(asked()))
    assert [len(orjson.loads(call.body or b"")["tokens"]) for call in played.calls] == [MOST_ELEMENTS, 1]
    nothing = play()
    nothing.run(reading.checked(asked()))
    assert nothing.calls == []


def test_a_list_is_read_over_all_of_its_pages() -> None:
    pages = [answer({"items": [], "next": following, "total": 0}) for following in ("a b", None)]
    played = play(*pages)
    played.run(Methods.tasks.flow(asked(), tag="x y", status=frozenset({"failed", "canceled"})))  # type: ignore[arg-type] # as users write
    assert [call.target for call in played.calls] == [
        "/tasks?limit=500&tag=x%20y&status=canceled%2Cfailed",
        "/tasks?limit=500&cursor=a%20b&tag=x%20y&status=canceled%2Cfailed",
    ]


# -- where the service is ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"QUEUE_TOOL_PORT": "8000"}, "http://127.0.0.1:8000"),
        ({"QUEUE_TOOL_HOST": "0.0.0.0"}, "http://127.0.0.1:5000"),
        ({"QUEUE_TOOL_HOST": "::"}, "http://[::1]:5000"),
        ({"QUEUE_TOOL_URL": "https://queue.example/jobs/", "QUEUE_TOOL_PORT": "1"}, "https://queue.example/jobs"),
    ],
)
def test_the_service_is_where_the_environment_says(variables: dict[str, str], url: str) -> None:
    assert address_of(variables).url == url
    assert address_of(variables, "http://argument:1").url == "http://argument:1"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        *((url, None) for url in ("queue.example", "ftp://queue.example", "http://", "http://a:b", "http://[")),
        *((f"http://{secret}", None) for secret in ("me:s3cret@a", "a/?s3cret", "a/#s3cret", "a/s3cret b")),
        *((None, key) for key in ("s3cret\n", "s3cret\x00", "é", "a b")),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_quoting_it(url: str | None, key: str | None) -> None:
    if key == "s3cret\n":
        assert address_of({}, url, key).key == "s3cret"  # a file ends with a line feed
        return
    with pytest.raises(BadSetting) as caught:
        address_of({}, url, key)
    assert "s3cret" not in str(caught.value)
    assert "QUEUE_TOOL_KEY" in str(caught.value) or "QUEUE_TOOL_URL" in str(caught.value)


@pytest.mark.parametrize("variables", [{"QUEUE_TOOL_PORT": "abc"}, {"QUEUE_TOOL_HOST": "[", "QUEUE_TOOL_PORT": "1"}])
def test_an_address_of_this_machine_that_cannot_be_is_refused_by_the_names_of_its_settings(
    variables: dict[str, str],
) -> None:
    with pytest.raises(BadSetting, match="QUEUE_TOOL_HOST and QUEUE_TOOL_PORT"):
        address_of(variables)


def test_a_request_has_the_key_and_no_repr_shows_it() -> None:
    address = address_of({"QUEUE_TOOL_KEY": "qt_secret"}, "https://queue.example/jobs")
    request = Wire(address, 9).request(Operations.get_task.call("a/b?", wait=20))
    headers = dict(request.headers)
    assert (headers[b"Authorization"], headers[b"Host"]) == (b"Bearer qt_secret", b"queue.example")
    assert (request.url.target, headers[b"Prefer"]) == (b"/jobs/tasks/a%2Fb%3F", b"wait=20")
    assert request.extensions["timeout"]["read"] == 29
    assert "qt_secret" not in repr(address)
    with pytest.raises(NotSent, match="Idempotency-Key"):
        Wire(address, 9).request(Operations.submit_tasks.call([], idempotency_key="a\nb"))


def test_a_fork_uses_no_connection_of_its_parent() -> None:
    mine = Owned(object)
    first = mine()
    child = os.fork()
    if child == 0:
        os._exit(mine() is first)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert mine() is first


def test_a_client_without_a_free_connection_does_not_blame_the_service() -> None:
    with (
        pytest.raises(NotSent, match="All 20 connections of this client are in use"),
        failures(Address(url="http://a", key=None)),
    ):
        raise httpcore2.PoolTimeout
