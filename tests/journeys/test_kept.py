"""The web process is killed at each step of keeping requests together, and a new one takes its place."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.holder import Holder, holder
from tests.journeys import kept
from tests.past_the_store import SQLITE, locked, note, opened, rows
from tests.support import LIMIT, Answer, System, eventually, http

GATE = 21
"""The advisory lock of PostgreSQL for which the trigger of `stopped_within` waits."""

SHM_WRITE = "120 120"
"""The byte of a `-shm` file that a writer of SQLite locks during its transaction (wal.c, WAL_WRITE_LOCK)."""

GATE_ON_SQLITE = (
    """CREATE TRIGGER gate AFTER INSERT ON tasks WHEN NEW.task_type = 'kept.within' BEGIN SELECT * FROM
    (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n); END""",
)

GATE_ON_POSTGRES = (
    f"""CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NULL; END'""",
    """CREATE TRIGGER gate AFTER INSERT ON tasks FOR EACH ROW WHEN (NEW.task_type = 'kept.within')
    EXECUTE FUNCTION wait()""",
    f"SELECT pg_advisory_lock({GATE})",
)

ENDED = "('finished', 'failed', 'canceled')"


@pytest.fixture
def proxy(valkey_server: str) -> Iterator[Holder]:
    with TemporaryDirectory() as folder, holder(Path(folder) / "redis", valkey_server.removeprefix("unix://")) as made:
        yield made


def url_of(system: System) -> str:
    """Return the URL of the system's database."""
    return system.settings.get("DATABASE_URL") or f"{SQLITE}{system.directory / 'instance' / 'queue_tool.db'}"


def body_of(step: str, name: str) -> Any:
    """Return two tasks for the name `a`, one for `b` and for `e`, and a task without a batch for `c`."""
    tasks = [{"task_type": f"kept.{step}", "data": name + number} for number in ("1", "2")]
    return {"a": tasks, "b": tasks[:1], "c": tasks[0], "e": tasks[:1]}[name]


def send(system: System, batch: str, step: str, name: str) -> Answer | None:
    """Send one of four requests; return None if no answer comes.

    `a` has no Idempotency-Key, and `e` sends an element to an open batch, which has one element of each step before.
    """
    headers = {} if name in "ae" else {"Idempotency-Key": f"{step} {name}"}
    path = f"/batches/{batch}/elements?from={kept.STEPS.index(step)}" if name == "e" else "/tasks"
    try:
        return http("POST", system.url(path), body_of(step, name), headers)
    except OSError:
        return None


def tokens_of(answer: Answer) -> list[str]:
    assert answer.status in (200, 201, 202), answer
    found: Any = answer.json
    return [line["hash"] for line in found["processing_items"]] if "processing_items" in found else [found["token"]]


# -- the steps -----------------------------------------------------------------------------------------------


def is_writing(system: System) -> bool:
    """Return whether the web process has begun a transaction of its requests, or waits for it."""
    url, web = url_of(system), system.child("web")
    if not url.startswith(SQLITE):
        inserting = "wait_event_type = 'Lock' AND query LIKE '%INSERT INTO%'"
        return rows(url, f"SELECT 1 FROM pg_stat_activity WHERE {inserting} AND datname = current_database()") != []
    inode = Path(f"{url.removeprefix(SQLITE)}.write-lock").stat().st_ino
    family = {web, *system.children(web)}
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" not in line]
    return any(int(lock[4]) in family and lock[5].endswith(f":{inode}") for lock in locks)


def is_in_transaction(system: System) -> bool:
    """Return whether a transaction of the web process waits in the trigger of `stopped_within`."""
    url = url_of(system)
    if not url.startswith(SQLITE):
        return is_writing(system)
    inode = Path(f"{url.removeprefix(SQLITE)}-shm").stat().st_ino
    return any(f":{inode} {SHM_WRITE}" in line for line in Path("/proc/locks").read_text().splitlines())


@contextmanager
def stopped_within(url: str) -> Iterator[None]:
    """Let each transaction that adds a task of the step `within` come to no end, during a `with` block."""
    with opened(url) as connection:
        for statement in GATE_ON_SQLITE if url.startswith(SQLITE) else GATE_ON_POSTGRES:
            connection.execute(statement)
        yield
        if not url.startswith(SQLITE):
            connection.execute(f"SELECT pg_advisory_unlock({GATE})")
        connection.execute("DROP TRIGGER gate" if url.startswith(SQLITE) else "DROP TRIGGER gate ON tasks")


def kill_at(step: str, system: System, proxy: Holder, sent: list[Future[Answer | None]]) -> None:
    """Wait until the web process is at a step with these requests, and kill it."""
    if step == "before":
        eventually(lambda: is_writing(system))
    elif step == "within":
        eventually(lambda: is_in_transaction(system))
    else:
        assert proxy.is_holding.wait(LIMIT)
    if step == "answered":
        with locked(url_of(system)):  # so that no push is recorded
            proxy.release()
            eventually(lambda: any(each.done() for each in sent))
            kill_web(system)
    else:
        kill_web(system)


def kill_web(system: System) -> None:
    """Kill the web server with its children."""
    web = system.child("web")
    for pid in (web, *system.children(web)):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def prepared(step: str, system: System, proxy: Holder) -> Iterator[None]:
    """Make what stops the web process at a step."""
    url = url_of(system)
    if step == "before":
        with locked(url):
            yield
    elif step == "within":
        with stopped_within(url):
            yield
    else:
        proxy.hold(f"kept.{step}".encode(), answer=step != "kept")
        yield
        proxy.release()


def test_a_kill_at_any_step_of_keeping_requests_leaves_nothing_half_done(stopped_system: System, proxy: Holder) -> None:
    system = stopped_system
    shutil.copy(str(kept.__file__), system.directory / "kept.py")
    system.settings |= {"TASKS": "kept", "REDIS_URL": proxy.url}
    url = url_of(system)
    watch = {"of": "tasks", "on": "UPDATE OF state", "when": f"NEW.state IN {ENDED}"}
    note(url, "ends", "token", **watch)
    system.start()
    expected: list[str] = []
    made: Any = http("POST", system.url("/batches"), {}).json
    batch = made["id"]
    with ThreadPoolExecutor(4) as clients:
        for step in kept.STEPS:
            web = system.child("web")
            with prepared(step, system, proxy):
                sent = {name: clients.submit(send, system, batch, step, name) for name in "abce"}
                kill_at(step, system, proxy, list(sent.values()))
            eventually(lambda: system.child("web") != web and http("GET", system.url("/health/live")).status == 200)
            answers = {name: each.result() for name, each in sent.items()}
            assert any(answers.values()) == (step == "answered"), (step, answers)
            expected += [token for answer in answers.values() if answer for token in tokens_of(answer)]
            again = {name: send(system, batch, step, name) for name in "bce"}
            repeated = [token for answer in again.values() if answer for token in tokens_of(answer)]
            assert len(repeated) == 3
            expected += repeated
    unfinished = f"SELECT token FROM tasks WHERE state NOT IN {ENDED}"
    eventually(lambda: rows(url, unfinished) == [])
    sealed: Any = http("POST", system.url(f"/batches/{batch}/seal")).json
    assert (sealed["message"], sealed["total"]) == ("Finalizado", len(kept.STEPS))
    assert dict(rows(url, "SELECT token, state FROM tasks")).items() >= dict.fromkeys(expected, "finished").items()
    ends = Counter(token for (token,) in rows(url, "SELECT token FROM ends"))
    assert set(ends.values()) == {1}
    counts = Counter((kind, data) for kind, data in rows(url, "SELECT task_type, data FROM tasks"))
    for step in kept.STEPS:
        found = {name: counts[f"kept.{step}", f'"{name}"'] for name in ("a1", "a2", "b1", "c1", "e1")}
        assert (found["b1"], found["c1"], found["e1"]) == (1, 1, 1)  # the same request was sent twice
        assert found["a1"] == found["a2"] <= 1
    system.stop()
