"""The doctor: what it finds in a system that is well, and in one that is not, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from queue_tool.broker.keys import MARKER
from queue_tool.errors import BadSetting, BadTaskType
from queue_tool.host.clock import CLOCK
from queue_tool.model.access import Role
from queue_tool.model.clock import Clock
from queue_tool.model.heartbeat import Heartbeat, Slots
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.settings import INLINE, Settings
from queue_tool.runtime import Runtime
from queue_tool.services.doctor.disk import DiskCheck
from queue_tool.services.doctor.doctor import Doctor
from queue_tool.services.doctor.finding import Check, Finding, Level, worst
from queue_tool.services.doctor.open_files import OpenFilesCheck
from queue_tool.services.keys import Keys
from queue_tool.services.owner import describe
from tests.conftest import RuntimeFactory
from tests.past_the_store import opened, rows
from tests.server import Server

Found = dict[str, list[Finding]]


@dataclass
class Patient:
    """A system, as far as the doctor looks at it."""

    settings: Settings
    redis_url: str = INLINE
    errors: tuple[BadSetting, ...] = ()
    unknown: tuple[str, ...] = ()
    types: Callable[[], list[str]] = lambda: ["sleep", "mine"]
    clock: Clock = CLOCK

    def look(self) -> Found:
        """Return the findings by the names of their checks."""
        doctor = Doctor(
            settings=self.settings,
            errors=self.errors,
            unknown=self.unknown,
            load_types=self.types,
            redis_url=lambda: self.redis_url,
            clock=self.clock,
        )
        found: Found = {}
        for finding in doctor():
            found.setdefault(finding.check, []).append(finding)
        return found

    def levels(self) -> dict[str, str]:
        """Return the worst level of each check that is not ok."""
        levels = {name: worst(found) for name, found in self.look().items()}
        return {name: level for name, level in levels.items() if level is not Level.OK}


on_sqlite = pytest.mark.parametrize("storage", ["sqlite"])
"""The database plays no part in the test."""


@pytest.fixture
def patient(inline: Runtime) -> Patient:
    return Patient(inline.settings)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "v").mkdir(mode=0o700)
    made = Server(tmp_path / "v")
    yield made
    with suppress(OSError):  # the test has ended it already
        made.stop()


ANYWHERE = "0.0.0.0"

AROUND = {"disk", "open files"}
"""Checks that depend on the machine of the test."""


def test_a_system_that_is_well_has_a_line_for_each_check(patient: Patient, inline: Runtime, storage: str) -> None:
    inline.submit([{"item": "a", "valor": 0}], inline.of_type("sleep"))  # this process runs it, and so it registers
    found = patient.look()
    assert [*found] == [
        *("settings", "task types", "data directory", "disk", "open files", "database", "migrations", "clocks"),
        *("writing", "Redis", "processes", "queues", "access"),
    ]
    if storage == "postgres":  # the server of the tests does not wait for its disk
        (weakness, *_) = found.pop("database")
        assert weakness.found == "The database has fsync off, so a power failure may destroy the database"
    assert {name: worst(each) for name, each in found.items() if name not in AROUND} == dict.fromkeys(
        found.keys() - AROUND, Level.OK
    )
    assert found["task types"][0].found.endswith("yours are mine")
    assert found["processes"][0].found.startswith("Registered: test (1), on ")


def test_nothing_is_changed(patient: Patient, inline: Runtime) -> None:
    tables = ("tasks", "workers", "queues", "alembic_version", "identity", "batches")

    def read() -> list[Any]:
        return [rows(inline.settings.database, f"SELECT * FROM {name}") for name in tables]

    inline.submit([{"item": "a", "valor": 0}], inline.of_type("sleep"))
    before = read()
    patient.look()
    assert read() == before


def test_a_system_that_has_never_started_is_looked_at_and_not_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new" / "instance")
    found = Patient(settings, redis_url="unix:///nowhere").look()
    assert not (tmp_path / "new").exists()
    assert found["database"][0].level is Level.WARNING
    assert found["database"][0].remedy == "start the system, or run `queue-tool db upgrade`"
    assert "the first start makes it" in found["data directory"][0].found
    assert "starts with the system" in found["Redis"][0].found
    assert not found.keys() & {"migrations", "writing", "processes"}


@on_sqlite
def test_settings_and_task_types_that_cannot_be_used_are_named_and_the_rest_is_looked_at(patient: Patient) -> None:
    def broken() -> list[str]:
        raise BadTaskType("The module 'mine' cannot be imported.")

    patient.errors, patient.unknown = (BadSetting("QUEUE_TOOL_PORT must be a number."),), ("QUEUE_TOOL_PROT",)
    patient.types = broken
    found = patient.look()
    assert [(each.level, each.found.split()[0]) for each in found["settings"]] == [
        (Level.WRONG, "QUEUE_TOOL_PORT"),
        (Level.WARNING, "QUEUE_TOOL_PROT"),
    ]
    assert found["task types"][0].found == "The module 'mine' cannot be imported"
    assert "access" in found


@on_sqlite
def test_a_data_directory_that_others_can_use(patient: Patient) -> None:
    directory = patient.settings.data_dir
    directory.chmod(0o770)
    assert patient.look()["data directory"][0].remedy == f"run `chmod g-w {directory}`"
    directory.chmod(0o707)
    (finding,) = patient.look()["data directory"]
    assert finding.level is Level.WRONG
    assert f"run `chmod o-w {directory}`" in finding.found
    assert directory.stat().st_mode & 0o777 == 0o707
    directory.chmod(0o700)
    patient.settings = replace(patient.settings, data_dir=directory / "queue_tool.db")
    assert "Not a directory" in patient.look()["data directory"][0].found


def test_little_room_and_few_open_files(tmp_path: Path) -> None:
    most = 2**40
    checks: list[Check] = [
        DiskCheck(path=tmp_path / "missing", little=0, too_little=0),
        DiskCheck(path=tmp_path, little=most),
        DiskCheck(path=tmp_path, too_little=most),
        OpenFilesCheck(concurrency=1, least=1),
        OpenFilesCheck(concurrency=most, least=1),
        OpenFilesCheck(concurrency=1, least=most),
    ]
    found = [finding for check in checks for finding in check()]
    assert [finding.level.value for finding in found] == ["ok", "warning", "wrong", "ok", "ok", "warning"]
    assert found[0].found.endswith(f"are free at {tmp_path}")
    assert f"fewer than a worker has tasks at once ({most})" in found[4].found


def test_a_database_with_other_migrations(patient: Patient) -> None:
    with opened(patient.settings.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    found = patient.look()
    assert found["migrations"][0].level is Level.WRONG
    assert "run `queue-tool db upgrade`" in found["migrations"][0].found
    assert "processes" not in found
    assert rows(patient.settings.database, "SELECT version_num FROM alembic_version") == [("0001",)]


def test_a_file_that_is_no_database_or_not_in_wal_mode_is_not_opened(tmp_path: Path, migrated_database: Path) -> None:
    path, settings = tmp_path / "queue_tool.db", Settings(data_dir=tmp_path)
    path.write_text("no database" * 100)
    assert Patient(settings).look()["database"][0].level is Level.WRONG
    path.write_bytes(migrated_database.read_bytes())
    with opened(settings.database) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    before = path.read_bytes()
    found = Patient(settings).look()
    assert found["database"][0].found == "The database is not in WAL mode"
    assert (path.read_bytes(), "migrations" in found) == (before, False)


@on_sqlite
def test_a_database_and_a_redis_that_are_away(patient: Patient) -> None:
    away = "postgresql://nobody:hunter2@127.0.0.1:1/none"
    redis = "redis://:hunter2@127.0.0.1:1/0"
    found = Patient(replace(patient.settings, database_url=away, redis_url=redis), redis_url=redis).look()
    for check, setting in {"database": "QUEUE_TOOL_DATABASE_URL", "Redis": "QUEUE_TOOL_REDIS_URL"}.items():
        assert found[check][0].level is Level.WRONG
        assert setting in str(found[check][0].remedy)
    assert "hunter2" not in str(found)


def test_a_clock_that_is_wrong(patient: Patient, storage: str) -> None:
    patient.clock = Clock(now=lambda: CLOCK.now() + timedelta(minutes=2), monotonic=CLOCK.monotonic)
    (finding,) = patient.look()["clocks"]
    assert finding.level is (Level.WRONG if storage == "postgres" else Level.OK)


@on_sqlite
def test_redis_that_evicts_then_belongs_to_another_database_then_is_away(
    make_runtime: RuntimeFactory, server: Server
) -> None:
    runtime = make_runtime(REDIS_URL=server.url)
    patient = Patient(runtime.settings, redis_url=server.url)
    with closing(Redis.from_url(server.url)) as redis:
        redis.delete(MARKER)  # the runtime has written it
        found = patient.look()
        assert redis.keys() == []  # not even the marker
        assert found["Redis"][0].found.startswith("Valkey ")
        assert "carries no tickets yet" in found["tickets"][0].found
        runtime.submit([{"item": "a", "valor": 0}], runtime.of_type("sleep"))
        assert patient.look()["tickets"][0].found == "Redis carries the tickets of this database"
        redis.config_set("maxmemory-policy", "allkeys-lru")
        assert patient.levels()["memory of Redis"] == "warning"
        redis.config_set("maxmemory", "50mb")
        assert patient.levels()["memory of Redis"] == "wrong"
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", "1500kb")
        redis.set(MARKER, "another/1")
        levels = patient.levels()
        assert (levels["memory of Redis"], levels["tickets"]) == ("warning", "wrong")
        assert redis.get(MARKER) == b"another/1"
    server.kill()
    found = patient.look()
    assert found["Redis"][0].level is Level.WRONG
    assert "tickets" not in found


def test_processes_that_cannot_do_their_work(patient: Patient, inline: Runtime, storage: str) -> None:
    assert patient.levels()["processes"] == "warning"  # none
    store, now = inline.store.workers, CLOCK.now()
    stuck = store.register(describe("worker", "a"), now)
    store.report(stuck, "its event loop has not turned for 12 seconds")
    store.register(replace(describe("worker", "b"), version="0.0.1"), now)
    silent = store.register(describe("worker", "c"), now)
    store.beat(silent, Heartbeat(at=now - timedelta(minutes=1), lanes={Lane.LOOP: Slots(1, 0)}))
    summary, *others = patient.look()["processes"]
    assert summary.found.startswith("Registered: worker (3), on ")
    expected = ["its event loop has not turned", "has version 0.0.1"] + ["no heartbeat for 60 s"] * (
        storage == "sqlite"  # PostgreSQL has its own clock
    )
    assert len(others) == len(expected)
    assert all(part in finding.found for part, finding in zip(expected, others, strict=True))
    assert [finding.level for finding in others][:2] == [Level.WRONG, Level.WARNING]


def test_tasks_that_wait_for_long_and_a_paused_queue(
    make_runtime: RuntimeFactory, redis: Redis, valkey_server: str
) -> None:
    runtime = make_runtime(REDIS_URL=valkey_server)
    patient = Patient(runtime.settings, redis_url=valkey_server)
    runtime.submit([{"item": "a", "valor": 0}], runtime.of_type("sleep"))
    assert patient.look()["queues"][0].level is Level.OK
    runtime.pause(Priority.HIGH)
    patient.clock = Clock(now=lambda: CLOCK.now() + timedelta(minutes=6), monotonic=CLOCK.monotonic)
    paused, waiting = patient.look()["queues"]
    assert paused.remedy == "resume it with `POST /queue/high/resume`"
    assert waiting.found.startswith("Waiting in the queue default: 1, the oldest for 36")
    assert (paused.level, waiting.level) == (Level.WARNING, Level.WARNING)


@on_sqlite
def test_who_is_served(patient: Patient, inline: Runtime) -> None:
    def level(**settings: Any) -> str:
        patient.settings = replace(inline.settings, **settings)
        return patient.levels().get("access", "ok")

    assert [level(), level(host=ANYWHERE), level(host="no-such-name.invalid")] == ["ok", "wrong", "wrong"]
    assert [level(auth="off"), level(auth="off", host=ANYWHERE)] == ["ok", "warning"]
    Keys(store=inline.store, clock=CLOCK).create(Role.ADMIN)
    assert level(host=ANYWHERE) == "ok"
    assert "an API key (valid: 1), which others can read unless" in patient.look()["access"][0].found
