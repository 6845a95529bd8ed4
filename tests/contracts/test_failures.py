"""One classification of failures: every code of each database and of redis-py has a kind, also from the real server."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg.errors
import pytest
import redis.exceptions
from redis._parsers.base import BaseParser
from sqlalchemy import Connection, exc

from queue_tool.broker import failures as of_redis
from queue_tool.errors import FailureKind, StoreAway
from queue_tool.store.engine import failures
from queue_tool.store.engine.database import Changes, Database
from tests.past_the_store import rows
from tests.support import eventually

AWAY, REFUSES, BUSY = FailureKind.AWAY, FailureKind.REFUSES, FailureKind.BUSY
FULL, WRONG = FailureKind.FULL, FailureKind.WRONG

SQLSTATES = sorted(code for code, kind in psycopg.errors._sqlcodes.items() if code != kind.__name__ and len(code) == 5)
"""The codes that psycopg knows. It lists each one by its name, too."""

NO_RESULT_CODES = ("SQLITE_LIMIT_", "SQLITE_CREATE_", "SQLITE_DROP_", "SQLITE_ALTER_")
"""The beginnings of the constants of `sqlite3` that are no result codes."""

ACTIONS = {"DENY", "IGNORE", "ANALYZE", "ATTACH", "DELETE", "DETACH", "FUNCTION", "INSERT", "PRAGMA", "READ"} | {
    *("RECURSIVE", "REINDEX", "SAVEPOINT", "SELECT", "TRANSACTION", "UPDATE"),
}
"""The names of the other constants that are no result codes: what an authorizer is asked, and answers."""

RESULT_CODES = {
    name: code
    for name, code in vars(sqlite3).items()
    if name.startswith("SQLITE_")
    and not name.startswith(NO_RESULT_CODES)
    and name.removeprefix("SQLITE_") not in ACTIONS
}

EXPECTED: dict[FailureKind, list[str]] = {
    AWAY: ["08000", "08006", "25P03", "40003", "57P01", "57P02", "57P03", "57P05", "58000", "58030"],
    REFUSES: ["25006", "28P01", "3D000", "42501", "42P01", "XX000", "XX001", "XX002"],
    BUSY: ["26000", "42P05", "40001", "40P01", "53300", "55P03", "57014"],
    FULL: ["53000", "53100", "53200"],
    WRONG: ["21000", "22021", "22P05", "23505", "25P02", "42601", "42703", "54000", "P0001"],
}

EXPECTED_OF_SQLITE: dict[FailureKind, list[str]] = {
    AWAY: ["CANTOPEN", "IOERR", "IOERR_FSYNC", "IOERR_SHMSIZE", "READONLY_DBMOVED"],
    REFUSES: ["READONLY", "READONLY_DIRECTORY", "CORRUPT", "CORRUPT_INDEX", "NOTADB", "PERM", "IOERR_CORRUPTFS"],
    BUSY: ["BUSY", "BUSY_SNAPSHOT", "LOCKED", "PROTOCOL", "INTERRUPT", "SCHEMA"],
    FULL: ["FULL", "NOMEM", "IOERR_NOMEM"],
    WRONG: ["CONSTRAINT_UNIQUE", "TOOBIG", "MISMATCH", "RANGE", "ERROR"],
}

REPLIES: dict[FailureKind, list[str]] = {
    AWAY: ["MASTERDOWN Link with MASTER is down", "UNBLOCKED force unblock from blocking operation"],
    REFUSES: [
        "READONLY You can't write against a read only replica.",
        "NOPERM this user has no permissions to run the 'lpush' command",
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "MOVED 3999 127.0.0.1:6381",
        "NOREPLICAS Not enough good replicas to write.",
        "ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write",
        "ERR The user executing the script can't run this command or subcommand script: f_1",
    ],
    BUSY: [
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "LOADING Redis is loading the dataset in memory",
        "ERR max number of clients reached",
        "NOSCRIPT No matching script. Please use EVAL.",
    ],
    FULL: [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed",
    ],
    WRONG: ["WRONGTYPE Operation against a key holding the wrong kind of value", "ERR syntax error"],
}

on_postgres = pytest.mark.parametrize("storage", ["postgres"], indirect=True)
on_sqlite = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    with closing(Database(migrated_url, timeout=0.3)) as made:
        yield made


def kind_in(database: Database, *statements: str) -> FailureKind | None:
    """Return the kind of the failure of these statements in one transaction; WRONG: the driver's error is unchanged."""
    try:
        with database.write() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    except StoreAway as error:
        return error.kind if error.retry_after == 1 and error.kind is not WRONG else None
    except exc.DBAPIError as error:
        return failures.kind_of(error)
    return None


def test_every_code_that_the_drivers_know_has_a_kind() -> None:
    assert len(SQLSTATES) > 250
    assert [code for code in SQLSTATES if failures.kind_of_sqlstate(code) is None] == []
    assert {code[:2] for code in SQLSTATES} == set(failures.SQLSTATE_CLASSES)  # no class is left over
    assert set(failures.SQLSTATES) <= set(SQLSTATES)
    assert len(RESULT_CODES) > 90
    assert [name for name, code in RESULT_CODES.items() if failures.kind_of_result_code(code) is None] == []
    assert {code & 0xFF for code in RESULT_CODES.values()} == set(failures.RESULT_CODES)
    assert set(failures.EXTENDED_CODES) <= set(RESULT_CODES.values())
    classes = {kind for _, kind in inspect.getmembers(redis.exceptions, inspect.isclass) if issubclass(kind, Exception)}
    assert classes == set(of_redis.CLASSES)


def test_important_codes_have_the_expected_kind() -> None:
    for kind, codes in EXPECTED.items():
        assert {code: failures.kind_of_sqlstate(code) for code in codes} == dict.fromkeys(codes, kind)
    for kind, names in EXPECTED_OF_SQLITE.items():
        found = {name: failures.kind_of_result_code(RESULT_CODES[f"SQLITE_{name}"]) for name in names}
        assert found == dict.fromkeys(names, kind)
    assert failures.kind_of_sqlstate("ZZ000") is None
    assert failures.kind_of_result_code(99) is None


def test_errors_without_a_code_and_errors_of_the_operating_system_have_a_kind() -> None:
    assert failures.kind_of(psycopg.OperationalError("the connection is closed")) is AWAY
    assert failures.kind_of(psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")) is WRONG
    assert failures.kind_of(sqlite3.ProgrammingError("Cannot operate on a closed database.")) is WRONG
    assert failures.kind_of(TimeoutError()) is BUSY
    assert failures.kind_of(OSError(28, "No space left on device")) is FULL
    assert failures.kind_of(OSError(30, "Read-only file system")) is REFUSES
    assert failures.kind_of(FileNotFoundError(2, "No such file")) is AWAY
    assert failures.kind_of(KeyError("a bug")) is None


def test_every_reply_of_redis_has_the_kind_of_its_first_word() -> None:
    for kind, replies in REPLIES.items():
        errors = {reply: BaseParser.parse_error(reply) for reply in replies}
        assert {reply: of_redis.kind_of(error) for reply, error in errors.items()} == dict.fromkeys(replies, kind)
    in_a_pipeline = redis.exceptions.ResponseError("Command # 1 (SET a b) of pipeline caused error: MISCONF Errors")
    assert of_redis.kind_of(in_a_pipeline) is REFUSES


@on_postgres
def test_each_code_that_the_server_raises_is_translated_by_its_kind(database: Database) -> None:
    silent = {"02000", "02001", "03000"}  # the driver takes them for no errors, or they end no statement
    found = {
        code: kind_in(database, f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$")
        for code in SQLSTATES
        if code not in silent
    }
    assert found == {code: failures.kind_of_sqlstate(code) for code in found}


@on_postgres
def test_what_a_server_refuses_now_is_named_and_what_is_wrong_is_not_changed(database: Database) -> None:
    assert kind_in(database, "SET TRANSACTION READ ONLY", "DELETE FROM tasks") is REFUSES
    assert kind_in(database, "SET statement_timeout = 1", "SELECT pg_sleep(60)") is BUSY
    assert kind_in(database, "SELECT * FROM nowhere") is REFUSES
    assert kind_in(database, "SELECT nothing FROM tasks") is WRONG
    assert kind_in(database, "SELECT E'\\\\x00'::bytea::text::int") is WRONG
    assert kind_in(database, "SELECT 1") is None


@on_postgres
def test_a_session_that_was_idle_for_too_long_is_a_failure_of_the_server(database: Database) -> None:
    def stay_idle(connection: Connection) -> None:
        (pid,) = connection.exec_driver_sql("SELECT pg_backend_pid()").one()
        connection.exec_driver_sql("SET idle_in_transaction_session_timeout = 1")
        query = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"
        eventually(lambda: rows(database.url, query) == [(0,)])
        connection.exec_driver_sql("SELECT 1")

    for use in (database.write, database.read):
        with pytest.raises(StoreAway) as raised, use() as connection:
            stay_idle(connection)
        assert raised.value.kind is AWAY
    assert kind_in(database, "SELECT 1") is None


@on_sqlite
def test_what_sqlite_refuses_now_is_named_and_what_is_wrong_is_not_changed(database: Database, tmp_path: Path) -> None:
    fill = "CREATE TABLE large AS SELECT hex(randomblob(1000000))"
    assert kind_in(database, "PRAGMA max_page_count = 1", fill) is FULL
    with closing(Database(database.url)) as other:
        assert kind_in(other, "PRAGMA query_only = 1", fill) is REFUSES
    assert kind_in(database, "SELECT * FROM nowhere") is REFUSES
    assert kind_in(database, "SELECT nothing FROM tasks") is WRONG
    assert kind_in(database, "INSERT INTO workers (id) VALUES ('x')") is WRONG
    with closing(Database(database.url, timeout=0.1)) as other, database.write():
        assert kind_in(other, "SELECT 1") is BUSY
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"this is no database" * 1000)
    with closing(Database(f"sqlite:///{damaged}")) as other:
        assert kind_in(other, "SELECT 1") is REFUSES
        for look in (lambda: other.first_row("SELECT 1", ()), Changes(other).version):
            with pytest.raises(StoreAway) as raised:
                look()
            assert raised.value.kind is REFUSES
