"""The supervisor when its children die or are stopped, and when the user stops it twice."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_tool.host import doorbell, valkey
from queue_tool.host.doorbell import Doorbell
from queue_tool.supervisor.child import LONGEST_DELAY, MAX_FAILED_STARTS, Child
from queue_tool.supervisor.workers import MOST_LEAVING
from tests.damage import make_slow
from tests.support import (
    LIMIT,
    FlaskRun,
    System,
    clean_environment,
    eventually,
    free_port,
    http,
    items,
    run_command,
    tokens,
)
from tests.warm import Program, interpreter

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough


def test_a_child_that_keeps_dying_at_its_start_ends_the_system_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "fragile.py").write_text("import os, sys\nif sys.argv[1:] == ['worker']:\n    os._exit(3)\n", "utf-8")
    ended = run_command("up", "--port", str(free_port()), cwd=tmp_path, TASKS="fragile")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "queue-tool: worker-1 ended 5 times right after its start: see the lines above."
    )
    assert ended.stderr.count("child died child=worker-1 code=3") == 5
    assert not System(tmp_path).pids()


def test_starts_while_the_database_is_away_do_not_count_however_many_they_are() -> None:
    child = Child("consume", lambda _: pytest.fail("this test starts no process"), patience=1)
    for _ in range(2 * MAX_FAILED_STARTS):
        child.note_end(was_ready=False, lived=6.0, is_excused=True)
    assert not child.keeps_dying
    assert child.delay(was_ready=False) == LONGEST_DELAY
    for _ in range(MAX_FAILED_STARTS):
        assert not child.keeps_dying
        child.note_end(was_ready=False, lived=6.0, is_excused=False)
    assert child.keeps_dying
    child.note_end(was_ready=True, lived=60.0, is_excused=False)
    assert not child.keeps_dying


def test_a_child_that_was_ready_may_die_often_and_a_stop_does_not_wait_for_its_restart(system: System) -> None:
    for deaths in range(1, 1 + MAX_FAILED_STARTS):
        eventually(lambda: len(starts_of_workers(system)) == deaths)
        os.kill(system.child("worker-1"), signal.SIGKILL)
        eventually(lambda: system.log.count("child died child=worker-1") == deaths)
    assert system.up.poll() is None
    assert system.stop() == 0  # the next start is 3.2 s away
    assert not system.pids()


def starts_of_workers(system: System) -> list[str]:
    """Return the log lines of workers that are ready."""
    return [line for line in system.log.splitlines() if " started name=" in line and " worker[" in line]


def test_a_second_ctrl_c_does_not_wait_for_the_drain(stopped_system: System) -> None:
    system = stopped_system
    system.settings["DRAIN"] = "600"
    system.start()
    token = system.post([{"item": "a", "valor": 3600}]).json["processing_items"][0]["hash"]
    system.await_status(token, "running")
    os.killpg(system.up.pid, signal.SIGINT)
    eventually(lambda: " stopping" in system.log)
    os.killpg(system.up.pid, signal.SIGINT)
    system.up.wait(LIMIT)
    eventually(lambda: not system.pids())
    system.start()
    system.await_status(token, "running")


@pytest.mark.parametrize("kind", [System, FlaskRun])
def test_ctrl_c_while_valkey_reads_a_large_file_ends_all_of_it_and_the_file_stays(
    kind: type[System], tmp_path: Path
) -> None:
    system, data_dir = kind(tmp_path), tmp_path / "instance"
    guardian = valkey_of(data_dir)
    cut(guardian)
    (file,) = (data_dir / "valkey" / valkey.AOF_DIR).glob("*.incr.aof")
    make_slow(file)
    system.begin()
    try:
        eventually(lambda: valkey.is_loading(data_dir))
        os.killpg(system.up.pid, signal.SIGINT)
        assert system.up.wait(LIMIT) in (0, 1), (
            system.log
        )  # Flask's own answer to it is 1 while it loads its application
        eventually(lambda: not system.pids())
    finally:
        system.kill_all()
    assert "child started child=worker-1" not in system.log
    assert file.exists()
    assert list((data_dir / "valkey").glob("*.unreadable-*")) == []


def valkey_of(data_dir: Path) -> subprocess.Popen[bytes]:
    """Start the Valkey of a data directory, in which nothing is yet."""
    data_dir.mkdir(mode=0o700)
    return valkey.start(data_dir)


def cut(guardian: subprocess.Popen[bytes]) -> None:
    """End a Valkey as its owner does."""
    assert guardian.stdin is not None
    guardian.stdin.close()
    assert guardian.wait(LIMIT) == 0


@pytest.fixture
def bell() -> Iterator[Doorbell]:
    """What a development server rings when its code has changed."""
    made = Doorbell()
    doorbell.ring(made.writing)  # the one of the start
    yield made
    os.close(made.reading)
    os.close(made.writing)


def workers_of(system: System) -> set[int]:
    return {pid for pid, words in system.pids().items() if words.endswith("\0worker\0")}


def test_new_code_waits_for_no_worker_and_of_those_that_drain_only_so_many_stay(
    stopped_system: System, bell: Doorbell
) -> None:
    system = stopped_system
    system.settings |= {"DRAIN": "600", "DOORBELL": str(bell.reading)}
    system.descriptors = (bell.reading,)
    system.start()
    begun: dict[str, str] = {}
    for number in range(1, MOST_LEAVING + 2):
        (token,) = tokens(system.post(items(1, valor=3600)))
        begun[token] = system.await_status(token, "running")["started_at"]
        doorbell.ring(bell.writing)
        eventually(lambda: system.log.count("child started child=worker-1") == 1 + number)
    first, *rest = begun
    eventually(lambda: system.check(first)["started_at"] not in (None, begun[first]))  # taken over by the newest
    assert {token: system.check(token)["started_at"] for token in rest} == {token: begun[token] for token in rest}
    assert system.await_status(first, "running")["attempt"] == 1
    eventually(lambda: len(workers_of(system)) == 1 + MOST_LEAVING)
    os.killpg(system.up.pid, signal.SIGTERM)
    eventually(lambda: " stopping" in system.log)
    os.killpg(system.up.pid, signal.SIGINT)
    assert system.up.wait(LIMIT) == 0
    assert not system.pids()


def test_a_worker_started_before_its_redis_waits_for_it(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.settings["WORKERS"] = "0"
    worker: Program | None = None
    try:
        system.start()
        system.stop()
        with (tmp_path / "worker.log").open("wb") as log:
            worker = interpreter().start(
                ["-m", "queue_tool", "worker"],
                cwd=tmp_path,
                env=clean_environment(),
                stdout=log,
                stderr=log,
                own_session=True,
            )
        eventually(lambda: "Redis does not answer" in (tmp_path / "worker.log").read_text())
        system.start()
        token = system.post([{"item": "a", "valor": 0}]).json["processing_items"][0]["hash"]
        system.await_status(token, "finished")
        system.stop()
        eventually(lambda: (tmp_path / "worker.log").read_text().count("could not connect to Redis") >= 1)
        worker.terminate()
        assert worker.wait(LIMIT) == 0
    finally:
        system.kill_all()
        if worker is not None:
            worker.wait()


def test_a_worker_that_is_suspended_for_a_while_continues(lasting_system: System) -> None:
    system = lasting_system
    worker = system.child("worker-1")
    token = system.post([{"item": "a", "valor": 0.5}]).json["processing_items"][0]["hash"]
    system.await_status(token, "running")
    os.kill(worker, signal.SIGSTOP)
    assert http("GET", system.url("/health/live")).status == 200
    os.kill(worker, signal.SIGCONT)
    assert system.await_status(token, "finished")["attempt"] == 1


def test_a_worker_that_is_terminated_while_redis_is_unavailable_finishes_its_task(system: System) -> None:
    (token,) = tokens(system.post(items(1, valor=1)))
    system.await_status(token, "running")
    system.up.send_signal(signal.SIGSTOP)  # so that it restarts nothing
    for pid in (system.child("valkey"), system.valkey()):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not valkey.answers(system.directory / "instance"))
    os.kill(system.child("worker-1"), signal.SIGTERM)
    assert system.await_status(token, "finished")["attempt"] == 1
    system.up.send_signal(signal.SIGCONT)
    assert system.stop() == 0
