"""A batch of 100,000 tasks over HTTP: submit, count, cancel, and stream the results with little memory."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from queue_tool.web.http.streams import AT_ONCE
from tests.support import System, eventually, free_port, http, items, tokens

TASKS = 100_000
MORE = 30
"""Mebibytes of memory that a stream may use."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A system without workers, whose tasks stay queued."""
    made = System(tmp_path, settings={"WORKERS": "0"}, port=free_port())
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


class Memory:
    """The memory of the web process, measured by the kernel."""

    def __init__(self, system: System) -> None:
        """Find the web process of the system."""
        (pid,) = system.children(system.child("web"))
        self.process = Path(f"/proc/{pid}")

    def of(self, name: str) -> float:
        """Return a value of the process's status, in mebibytes."""
        (line,) = [line for line in (self.process / "status").read_text().splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1]) / 1024

    def begin(self) -> float:
        """Reset the peak; return the current size in mebibytes."""
        (self.process / "clear_refs").write_text("5")
        return self.of("VmRSS")

    @property
    def peak(self) -> float:
        """Return the largest size since the last reset, in mebibytes."""
        return self.of("VmHWM")


def opened(system: System, batch: str) -> socket.socket:
    """Open a stream of results, and read only its status."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", system.port))
    client.sendall(f"GET /batches/{batch}/results HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    status = client.recv(12)
    if status != b"HTTP/1.1 200":
        client.close()
    assert status == b"HTTP/1.1 200"
    return client


def results(system: System, batch: str, accept: str = "*/*", query: str = "") -> Any:
    return http("GET", system.url(f"/batches/{batch}/results{query}"), headers={"Accept": accept})


@pytest.mark.timeout(300)
def test_a_hundred_thousand_results_are_streamed_with_little_memory(system: System) -> None:
    answer = system.post([*items(TASKS - 1, valor=1), {"item": "refused"}])
    batch, sent = answer.json["batch"], tokens(answer)
    memory = Memory(system)
    for canceled in (False, True):
        if canceled:
            changed = http("POST", system.url(f"/batches/{batch}/cancel"), {"by": "ana"}).json
            assert changed == {"matched": TASKS - 1, "changed": TASKS - 1}
        found = http("GET", system.url(f"/batches/{batch}")).json
        status = "canceled" if canceled else "queued"
        assert (found["counts"][status], found["counts"]["rejected"], found["total"]) == (TASKS - 1, 1, TASKS)
        assert (found["message"] == "Finalizado") == canceled
        for accept in ("application/jsonl", "text/csv"):
            before = memory.begin()
            body = results(system, batch, accept).body.splitlines()
            assert memory.peak - before < MORE, (accept, before, memory.peak)
            if accept == "text/csv":
                assert len(body) == TASKS + 1
                continue
            lines = [json.loads(line) for line in body]
            assert [line["token"] for line in lines] == [*sent[:-1], None]
            assert {line["status"] for line in lines[:-1]} == {status}
            assert lines[-1]["status"] == "rejected"


@pytest.mark.timeout(300)
def test_clients_that_do_not_read_use_little_memory_and_free_their_places(system: System) -> None:
    batch = system.post(items(TASKS, valor=1)).json["batch"]
    assert results(system, batch, query="?status=rejected").status == 200
    memory = Memory(system)
    before = memory.begin()
    for _ in range(3):
        slow = [eventually(partial(opened, system, batch)) for _ in range(AT_ONCE)]
        assert results(system, batch).status == 503
        for client in slow:
            client.close()
    eventually(lambda: results(system, batch, query="?status=rejected").status == 200)
    for _ in range(2 * AT_ONCE):
        assert http("HEAD", system.url(f"/batches/{batch}/results")).status == 200
    assert memory.peak - before < 2 * MORE, (before, memory.peak)  # several streams at once


@pytest.mark.timeout(300)
def test_a_stream_that_fails_ends_with_a_line_that_reports_it(system: System) -> None:
    batch = system.post(items(TASKS, valor=1)).json["batch"]
    client = opened(system, batch)
    with closing(sqlite3.connect(system.directory / "instance" / "queue_tool.db", timeout=20)) as connection:
        connection.execute("ALTER TABLE tasks RENAME TO gone")
        connection.commit()
    received = bytearray()
    while not received.endswith(b"0\r\n\r\n"):
        piece = client.recv(1 << 16)
        assert piece, "the connection was closed"
        received += piece
    client.close()
    assert 0 < received.count(b'"queued"') < TASKS
    assert received.count(b"The rest is missing:") == 1
    assert "the results of a batch were cut" in system.log
