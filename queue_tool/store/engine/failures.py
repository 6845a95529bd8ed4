"""Failures of the databases: the one place that decides what kind a failure is.

PostgreSQL's kinds are by SQLSTATE: a class (two characters), and the codes that differ from their class (PostgreSQL,
Appendix A). SQLite's kinds are by primary result code, and the extended codes that differ (sqlite.org/rescode.html).
A new code of a class or of a primary code that is known here gets its kind.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import exc

from queue_tool.errors import FailureKind, StoreAway

AWAY, REFUSES, BUSY = FailureKind.AWAY, FailureKind.REFUSES, FailureKind.BUSY
FULL, WRONG = FailureKind.FULL, FailureKind.WRONG

SQLSTATE_CLASSES: Mapping[str, FailureKind] = {
    "08": AWAY,  # connection exception
    "28": REFUSES,  # invalid authorization specification
    "3D": REFUSES,  # invalid catalog name: there is no such database
    "3F": REFUSES,  # invalid schema name
    "40": BUSY,  # transaction rollback
    "53": FULL,  # insufficient resources
    "55": BUSY,  # object not in prerequisite state
    "57": AWAY,  # operator intervention
    "58": AWAY,  # system error, external to PostgreSQL
    "72": BUSY,  # snapshot too old
    "F0": AWAY,  # configuration file error
    "XX": REFUSES,  # internal error, data or index corrupted
    # what a statement or a value is to blame for
    **dict.fromkeys(("02", "03", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23"), WRONG),
    **dict.fromkeys(("24", "25", "26", "27", "2B", "2D", "2F", "34", "38", "39", "3B", "42", "44", "54"), WRONG),
    **dict.fromkeys(("HV", "P0"), WRONG),
}
"""The kind of each class of SQLSTATE codes."""

SQLSTATES: Mapping[str, FailureKind] = {
    "25006": REFUSES,  # read_only_sql_transaction: `default_transaction_read_only`, or a standby server
    "25P03": AWAY,  # idle_in_transaction_session_timeout: the server has ended the session
    "25P04": BUSY,  # transaction_timeout
    "26000": BUSY,  # invalid_sql_statement_name: a pooler has changed the session; the next try prepares nothing
    "40003": AWAY,  # statement_completion_unknown
    "42501": REFUSES,  # insufficient_privilege
    "42P05": BUSY,  # duplicate_prepared_statement: as 26000
    "42P01": REFUSES,  # undefined_table: another database than ours, or one without tables
    "53300": BUSY,  # too_many_connections
    "55000": REFUSES,  # object_not_in_prerequisite_state: for example, the database accepts no connections
    "55P02": WRONG,  # cant_change_runtime_param
    "55P04": WRONG,  # unsafe_new_enum_value_usage
    "57014": BUSY,  # query_canceled: `statement_timeout`
}
"""The kinds of the SQLSTATE codes that differ from their class."""

RESULT_CODES: Mapping[int, FailureKind] = {
    1: WRONG,  # SQLITE_ERROR: a wrong statement, but see `NO_TABLE`
    2: REFUSES,  # SQLITE_INTERNAL
    3: REFUSES,  # SQLITE_PERM
    4: BUSY,  # SQLITE_ABORT: another statement rolled the transaction back
    5: BUSY,  # SQLITE_BUSY
    6: BUSY,  # SQLITE_LOCKED
    7: FULL,  # SQLITE_NOMEM
    8: REFUSES,  # SQLITE_READONLY
    9: BUSY,  # SQLITE_INTERRUPT
    10: AWAY,  # SQLITE_IOERR
    11: REFUSES,  # SQLITE_CORRUPT
    13: FULL,  # SQLITE_FULL
    14: AWAY,  # SQLITE_CANTOPEN
    15: BUSY,  # SQLITE_PROTOCOL: too many processes open the file at once
    17: BUSY,  # SQLITE_SCHEMA: another process changed the tables in between
    22: FULL,  # SQLITE_NOLFS: the file would be too large for its file system
    23: REFUSES,  # SQLITE_AUTH
    26: REFUSES,  # SQLITE_NOTADB
    # NOTFOUND, EMPTY, TOOBIG, CONSTRAINT, MISMATCH, MISUSE, FORMAT, RANGE
    **dict.fromkeys((12, 16, 18, 19, 20, 21, 24, 25), WRONG),
    # OK, NOTICE, WARNING, ROW, DONE are no failures
    **dict.fromkeys((0, 27, 28, 100, 101), WRONG),
}
"""The kind of each primary result code of SQLite, which is the lowest byte of an extended one."""

EXTENDED_CODES: Mapping[int, FailureKind] = {
    1 | 2 << 8: BUSY,  # SQLITE_ERROR_RETRY
    1 | 3 << 8: BUSY,  # SQLITE_ERROR_SNAPSHOT
    8 | 4 << 8: AWAY,  # SQLITE_READONLY_DBMOVED: the file was moved or deleted
    10 | 11 << 8: BUSY,  # SQLITE_IOERR_BLOCKED
    10 | 12 << 8: FULL,  # SQLITE_IOERR_NOMEM
    10 | 33 << 8: REFUSES,  # SQLITE_IOERR_CORRUPTFS
}
"""The kinds of the extended result codes of SQLite that differ from their primary code."""

NO_TABLE = "no such table"
"""The text by which SQLite reports what is 42P01 on PostgreSQL. It has no code of its own."""

CLASSES: Mapping[str, FailureKind] = {"OperationalError": AWAY, "InternalError": REFUSES, "Error": WRONG}
"""The kinds of a driver's own failures, which have no code, by class (PEP 249)."""

ERRNOS: Mapping[int | None, FailureKind] = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM), FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), REFUSES),
}
"""The kinds of the operating system's failures that differ from `away`."""

_DRIVERS = {"sqlite3", "psycopg"}


@contextmanager
def failures_named() -> Iterator[None]:
    """Raise `StoreAway` for a failure of the database. Errors in our own statements and values are not changed.

    Raises:
        StoreAway: the database is locked, full, read-only, damaged, or missing.
    """
    try:
        yield
    except Exception as error:
        kind = kind_of(error)
        if kind is None or kind is WRONG:
            raise
        raise StoreAway.because(kind) from error


def kind_of(error: BaseException) -> FailureKind | None:
    """Return the kind of a failure of the database. None for an error that does not come from a database."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(cause, exc.TimeoutError | TimeoutError):
        return BUSY
    if isinstance(cause, OSError):
        return ERRNOS.get(cause.errno, AWAY)
    if not {base.__module__.partition(".")[0] for base in type(cause).__mro__} & _DRIVERS:
        return None
    return _kind_of_code(cause) or _kind_of_class(type(cause))


def kind_of_sqlstate(code: str) -> FailureKind | None:
    """Return the kind of a SQLSTATE code of PostgreSQL. None for a code whose class is unknown here."""
    return SQLSTATES.get(code) or SQLSTATE_CLASSES.get(code[:2])


def kind_of_result_code(code: int, text: str = "") -> FailureKind | None:
    """Return the kind of a result code of SQLite. None for a code that is unknown here.

    Args:
        code: a primary or an extended code.
        text: SQLite's sentence.
    """
    if code == 1 and text.startswith(NO_TABLE):
        return REFUSES
    return EXTENDED_CODES.get(code) or RESULT_CODES.get(code & 0xFF)


def _kind_of_code(cause: object) -> FailureKind | None:
    if sqlstate := getattr(cause, "sqlstate", None):
        return kind_of_sqlstate(sqlstate)
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else kind_of_result_code(code, str(cause))


def _kind_of_class(kind: type) -> FailureKind:
    return next((CLASSES[base.__name__] for base in kind.__mro__ if base.__name__ in CLASSES), WRONG)
