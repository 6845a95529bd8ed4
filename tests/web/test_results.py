"""`/results` and the results of a batch: one task, a list, and a stream."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest

from queue_tool.errors import TooManyStreams
from queue_tool.store.engine.database import Database
from queue_tool.web.http.streams import AT_ONCE, OF_ONE_KEY, Streams
from tests.support import LIMIT
from tests.web.site import ILL_FORMED, ON_BOTH, UNKNOWN, Site, problem

COLUMNS = ["index", "custom_id", "item", "token", "status", "result", "error"]
CSV = {"Accept": "text/csv"}


def lines(site: Site, batch: str, query: str = "") -> list[Any]:
    """Return the results of a batch, from JSON Lines."""
    answer = site.get(f"/batches/{batch}/results{query}")
    assert (answer.status_code, answer.mimetype) == (200, "application/jsonl")
    assert answer.data == b"" or answer.data.endswith(b"\n")
    return [json.loads(line) for line in answer.data.splitlines()]


def table(site: Site, batch: str, query: str = "") -> list[dict[str, str]]:
    """Return the results of a batch, from CSV."""
    answer = site.get(f"/batches/{batch}/results{query}", CSV)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.data.decode(), newline="")))


def mixed(site: Site) -> tuple[str, list[str]]:
    """Return a batch with a task in each state, and with refused elements between them."""
    batch, tokens = site.batch(
        {"data": {"item": "i", "a": [1.5, None]}, "custom_id": "c1"},
        {"name": 1, "data": {"item": {"x": 1}}},
        {"task_type": "fails", "data": {"item": 5}},
        {"delay": 60},
        {},
        {},
        "refused",
        {},
    )
    site.work(tokens[0], tokens[2])
    site.claim(tokens[4])
    site.post_json(f"/tasks/{tokens[5]}/cancel")
    return batch, tokens


# -- one, and a list ---------------------------------------------------------------------------------------


def test_a_result_has_data_and_times_after_its_task_has_ended(site: Site) -> None:
    token = site.send(data={"item": "i", "deep": [[None]]})
    waiting = site.get_json(f"/results/{token}")
    assert (waiting["status"], waiting["message"], waiting["result"]) == ("queued", "Em processamento", None)
    assert (waiting["finished_at"], waiting["duration"]) == (None, None)
    site.work(token)
    ended = site.get_json(f"/results/{token}")
    assert (ended["status"], ended["message"], ended["error"]) == ("finished", "Finalizado", None)
    assert ended["data"] == ended["result"] == {"item": "i", "deep": [[None]]}
    assert ended["created_at"] <= ended["started_at"] <= ended["finished_at"]
    assert ended["duration"] >= 0
    bad = site.send(task_type="fails")
    site.work(bad)
    assert site.get_json(f"/results/{bad}")["error"] == {"code": "error", "message": "ValueError: not 1 again"}


def test_the_list_has_the_ended_tasks_with_their_results(site: Site) -> None:
    _, tokens = mixed(site)
    found = site.get_json("/results")
    assert [(task["token"], task["status"], task["result"]) for task in found["items"]] == [
        (tokens[5], "canceled", None),
        (tokens[2], "failed", None),
        (tokens[0], "finished", {"item": "i", "a": [1.5, None]}),
    ]
    assert found["total"] == 3


# -- the stream --------------------------------------------------------------------------------------------


@ON_BOTH
def test_each_element_has_a_line_in_the_order_sent_also_while_the_batch_runs(site: Site) -> None:
    batch, tokens = mixed(site)
    found = lines(site, batch)
    assert [list(line) for line in found] == [COLUMNS] * 8
    assert [line["index"] for line in found] == list(range(8))
    assert [line["token"] or "INVALID_JOB_REQUEST" for line in found] == tokens
    assert [line["item"] for line in found] == ["i", {"x": 1}, 5, None, None, None, None, None]
    assert [line["custom_id"] for line in found] == ["c1", *[None] * 7]
    statuses = ["finished", "rejected", "failed", "scheduled", "running", "canceled", "rejected", "queued"]
    assert [line["status"] for line in found] == statuses
    assert [line["result"] for line in found] == [{"item": "i", "a": [1.5, None]}, *[None] * 7]
    assert [line["error"] and line["error"]["code"] for line in found] == [
        None, "rejected", "error", None, None, None, "rejected", None,
    ]  # fmt: skip
    assert [error["path"] for error in found[1]["error"]["errors"]] == ["/name"]
    rows = table(site, batch)
    assert list(rows[0]) == COLUMNS
    assert [int(row["index"]) for row in rows] == list(range(8))
    assert [row["status"] for row in rows] == statuses
    assert [row["item"] for row in rows] == ["i", '{"x":1}', "5", "", "", "", "", ""]
    for line, row in zip(found, rows, strict=True):
        assert row["token"] == (line["token"] or "")
        assert json.loads(row["result"] or "null") == line["result"]
        assert json.loads(row["error"] or "null") == line["error"]


def test_results_are_filtered_by_status(site: Site) -> None:
    batch, _ = mixed(site)
    for query, expected in {
        "rejected": [1, 6],
        "finished": [0],
        "failed,rejected": [1, 2, 6],
        "queued,running,scheduled": [3, 4, 7],
        "canceled,canceled": [5],
    }.items():
        assert [line["index"] for line in lines(site, batch, f"?status={query}")] == expected
        assert [int(row["index"]) for row in table(site, batch, f"?status={query}")] == expected
    for bad in ("", "done", "failed,", "FAILED", "%00"):
        answer = site.get(f"/batches/{batch}/results?status={bad}")
        assert problem(answer) == (400, "bad_parameter"), bad
        assert "status" in answer.json["message"]


def test_a_batch_with_only_refused_elements_has_results(site: Site) -> None:
    batch = site.post("/api", [1, None]).json["batch"]
    assert [line["status"] for line in lines(site, batch)] == ["rejected", "rejected"]
    assert lines(site, batch, "?status=finished") == []
    assert (
        site.get(f"/batches/{batch}/results?status=finished", CSV).data.decode()
        == ",".join(f'"{name}"' for name in COLUMNS) + "\r\n"
    )


@ON_BOTH
def test_no_element_is_missing_between_two_pages_of_the_store(site: Site) -> None:
    sent: list[Any] = [{} if number % 3 else number for number in range(1600)]
    batch, tokens = site.batch(*sent)
    found = lines(site, batch)
    assert [line["index"] for line in found] == list(range(1600))
    assert [line["token"] or "INVALID_JOB_REQUEST" for line in found] == tokens
    assert [int(row["index"]) for row in table(site, batch)] == list(range(1600))


ACCEPTED: list[tuple[str | None, str | None]] = [
    (None, "application/jsonl"),
    ("", "application/jsonl"),
    ("*/*", "application/jsonl"),
    ("application/*", "application/jsonl"),
    ("application/jsonl", "application/jsonl"),
    ("application/x-ndjson", "application/x-ndjson"),
    ("application/json-lines", "application/json-lines"),
    ("text/csv", "text/csv"),
    ("text/*", "text/csv"),
    ("TEXT/CSV; charset=utf-8", "text/csv"),
    ("text/csv;q=0.5, application/jsonl;q=0.4", "text/csv"),
    ("text/csv;q=0.4, application/jsonl;q=0.5", "application/jsonl"),
    ("text/html, */*;q=0.1", "application/jsonl"),
    ("application/json", None),
    ("image/png", None),
    ("text/csv;q=0", None),
    ("*/*;q=0", None),
    ("nonsense", None),
]


def test_the_format_is_the_one_that_the_client_accepts(site: Site) -> None:
    batch, _ = site.batch({})
    for accept, kind in ACCEPTED:
        answer = site.get(f"/batches/{batch}/results", None if accept is None else {"Accept": accept})
        if kind is None:
            assert problem(answer) == (406, "not_acceptable"), accept
            continue
        assert (answer.status_code, answer.mimetype, answer.headers["Vary"]) == (200, kind, "Accept"), accept
        suffix = "csv" if kind == "text/csv" else "jsonl"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{batch}.{suffix}"'
        assert answer.data


def test_the_results_of_an_unknown_batch_are_404(site: Site) -> None:
    for batch in (UNKNOWN, *ILL_FORMED):
        assert problem(site.get(f"/batches/{batch}/results")) == (404, "batch_not_found"), batch


@ON_BOTH
def test_a_cell_is_quoted_and_is_never_a_formula_for_a_spreadsheet(site: Site) -> None:
    texts = ["=1+1", "+1", "-1", "@A1", "\tx", "\rx", 'say "hi", ana', "two\r\nlines", "é😀\0", " =1", "'=1", "", "a,b"]
    batch, tokens = site.batch(
        *({"data": {"item": text}, "custom_id": text.replace("\0", "") or None} for text in texts)
    )
    site.work(*tokens)
    for text, row in zip(texts, table(site, batch), strict=True):
        guarded = f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
        assert row["item"] == guarded
        assert row["custom_id"] == guarded.replace("\0", "")
        assert json.loads(row["result"]) == {"item": text}
    assert [line["item"] for line in lines(site, batch)] == texts
    values: list[Any] = ["=1+1", "-1", -1, [], None]
    batch, tokens = site.batch(*({"data": value} for value in values))
    site.work(*tokens)
    assert [row["result"] for row in table(site, batch)] == ['"=1+1"', '"-1"', "-1", "[]", "null"]


def test_very_deep_data_is_streamed(site: Site) -> None:
    deep = "[" * 900 + "]" * 900
    body = (
        f'[{{"task_type": "mirror", "data": {{"item": {deep}}}}}, {{"task_type": "sleep", "data": {{"item": {deep}}}}}]'
    )
    answer: Any = site.client.post("/tasks", data=body, content_type="application/json").json
    site.work(answer["processing_items"][0]["hash"])
    for accept in ("application/jsonl", "text/csv"):
        found = site.get(f"/batches/{answer['batch']}/results", {"Accept": accept})
        assert found.data.count(deep.encode()) == 3


# -- stream slots ------------------------------------------------------------------------------------------


def opened(site: Site, batch: str, accept: str = "*/*") -> Any:
    """Request the results of a batch without reading the body."""
    return site.app.test_client().get(f"/batches/{batch}/results", headers={"Accept": accept}, buffered=False)


@pytest.mark.parametrize("end", ["read", "dropped", "never begun", "asked for its head", "not acceptable"])
def test_a_stream_frees_its_slot_however_it_ends(site: Site, end: str) -> None:
    batch, _ = site.batch(*[{}] * 1200)
    for _ in range(2 * AT_ONCE):
        if end == "asked for its head":
            assert site.client.head(f"/batches/{batch}/results").status_code == 200
            continue
        if end == "not acceptable":
            assert site.get(f"/batches/{batch}/results", {"Accept": "image/png"}).status_code == 406
            continue
        stream = opened(site, batch)
        assert stream.status_code == 200
        if end == "read":
            assert len(stream.data.splitlines()) == 1200
        elif end == "dropped":
            assert next(stream.response)
        stream.close()
    assert site.get(f"/batches/{batch}/results").status_code == 200


def test_the_number_of_concurrent_streams_is_limited(site: Site) -> None:
    batch, _ = site.batch(*[{}] * 1200)
    held = [opened(site, batch) for _ in range(AT_ONCE)]
    assert [stream.status_code for stream in held] == [200] * AT_ONCE
    refused = site.get(f"/batches/{batch}/results")
    assert problem(refused) == (503, "too_many_streams")
    assert int(refused.headers["Retry-After"]) > 0
    assert site.get_json(f"/batches/{batch}")["total"] == 1200
    held[0].close()
    again = opened(site, batch)
    assert again.status_code == 200
    for stream in (*held, again):
        stream.close()


def test_one_key_has_a_share_of_the_streams() -> None:
    streams = Streams()
    held = [streams.start(lambda: iter([b"x"]), "one") for _ in range(OF_ONE_KEY)]
    with pytest.raises(TooManyStreams):
        streams.start(lambda: iter(()), "one")
    held += [streams.start(lambda: iter([b"x"]), "other"), streams.start(lambda: iter([b"x"]), "")]
    assert list(held[0]) == [b"x"]
    held.append(streams.start(lambda: iter(()), "one"))
    held += [streams.start(lambda: iter(()), "") for _ in range(AT_ONCE - OF_ONE_KEY - 2)]
    for key in ("", "new"):
        with pytest.raises(TooManyStreams):
            streams.start(lambda: iter(()), key)


def readers(database: Database) -> int:
    """Return how many other connections have an open transaction.

    On SQLite, return 1 if an open transaction prevents the truncation of the write-ahead log, else 0.
    """
    if not database.is_file:
        others = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%%' AND datname = current_database()"
        with database.read() as connection:
            return int(connection.exec_driver_sql(others).scalar_one())
    with closing(sqlite3.connect(database.path, timeout=0)) as connection:
        return int(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])


@ON_BOTH
def test_no_transaction_is_open_while_the_client_does_not_read(site: Site) -> None:
    batch, _ = site.batch(*[{}] * 1600)
    with site.runtime.store.database.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM tasks").all()
        site.send()
        assert readers(site.runtime.store.database) == 1
    stream = opened(site, batch)
    assert next(stream.response)
    site.post_json(f"/batches/{batch}/cancel")
    assert readers(site.runtime.store.database) == 0
    rest = b"".join(stream.response).splitlines()
    assert json.loads(rest[-1]) == lines(site, batch)[-1]
    assert json.loads(rest[-1])["status"] == "canceled"


def rename(site: Site, table: str, other: str) -> None:
    """Rename a table, so that the store loses its tasks or finds them again."""
    with site.runtime.store.database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {other}")


def test_a_failed_stream_ends_with_an_error_line_and_frees_its_slot(site: Site) -> None:
    batch, _ = site.batch(*[{}] * 2000)
    for accept in ("application/jsonl", "text/csv", "*/*") * 2:
        stream = opened(site, batch, accept)
        first = next(stream.response)
        rename(site, "tasks", "gone")
        text = (first + b"".join(stream.response)).decode()
        assert problem(site.get(f"/batches/{batch}/results")) == (503, "store_away")
        rename(site, "gone", "tasks")
        if accept == "text/csv":
            found: list[Any] = list(csv.DictReader(io.StringIO(text, newline="")))
            found[-1] = {name: json.loads(value or "null") for name, value in found[-1].items()}
        else:
            found = [json.loads(line) for line in text.splitlines()]
        *whole, last = found
        assert 0 < len(whole) < 2000
        assert [int(row["index"]) for row in whole] == list(range(len(whole)))
        assert {name for name in COLUMNS if last[name] is not None} == {"error"}
        assert last["error"]["code"] == "store_away"
        assert "rest is missing" in last["error"]["message"]
        assert len(lines(site, batch)) == 2000


def test_concurrent_streams_have_the_same_content(site: Site) -> None:
    batch, _ = site.batch(*[{}] * 1200, 5)
    together = threading.Barrier(AT_ONCE)
    read: list[bytes] = []

    def read_stream() -> None:
        together.wait(LIMIT)
        read.append(opened(site, batch).data)

    threads = [threading.Thread(target=read_stream) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == AT_ONCE
    assert len(set(read)) == 1
    assert read[0].count(b"\n") == 1201


FORMULAS = ["=1", "+1", "-1", "@x", "\t=1", "\r\n=1", "a\n=1", "a;=1+1", "a\t@x", "x|-1", "\uff1d1", ";=1", "a - b"]


def test_no_part_of_a_cell_is_a_formula_whatever_separates_cells(site: Site) -> None:
    nested = [{"item": {"deep": text}} for text in FORMULAS]
    plain = [{"item": text} for text in FORMULAS]
    batch, tokens = site.batch(*({"data": data, "custom_id": data["item"]} for data in plain))
    deep, more = site.batch(*({"data": data} for data in nested))
    site.work(*tokens, *more)
    for each in (batch, deep):
        text = site.get(f"/batches/{each}/results", CSV).data.decode()
        assert not re.search(r"[;|\t][=+\-@\uff1d]", text)
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        assert not [cell for cell in cells if re.search(r"(^|[\r\n])[=+\-@\uff1d]", cell)]
        assert all(line.startswith('"') for line in text.split("\r\n") if line[:1].isdigit())
    rows = table(site, deep)
    assert [json.loads(row["item"]) for row in rows] == [data["item"] for data in nested]  # JSON stays JSON
    assert [json.loads(row["result"]) for row in rows] == nested
    assert table(site, batch)[-1]["item"] == "a - b"
