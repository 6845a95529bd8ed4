"""Settings: one frozen record, read from a mapping of names to texts. Where the texts come from is not known here.

Each field says its default, its meaning and how its text is read; the README's table and `.env.example` are
made from these fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from queue_tool.errors import BadSetting

PREFIX = "QUEUE_TOOL_"

INLINE = "inline:"
"""The Redis URL that stands for no Redis at all: tasks run in the request that sends them."""

LONGEST = 10**9
"""Seconds, about thirty years: no setting is a longer time."""

LONGEST_DAYS = 36_500
"""A hundred years."""

_SIZES = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "": 1}
_IS_SMALL_NUMBER = re.compile("[0-9]{1,15}").fullmatch
_MAX_PORT = 65535


# -- how a text is read; each raises ValueError with what it wants to see -----------------------------------


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("a text that is not empty")
    return text.strip()


def _path(text: str) -> Path:
    return Path(_text(text)).expanduser()


def _whole(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    wanted = f"a whole number of at least {minimum}" + (f" and at most {maximum}" if maximum else "")

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(wanted) from None
        if number < minimum or (maximum is not None and number > maximum):
            raise ValueError(wanted)
        return number

    return read


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("a number of seconds") from None
    if not 0 <= number <= LONGEST:
        raise ValueError(f"a number of seconds from 0 to {LONGEST}")
    return number


def _days(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("a number of days") from None
    if not 0 <= number <= LONGEST_DAYS:
        raise ValueError(f"a number of days from 0 to {LONGEST_DAYS}")
    return number


def _size(text: str) -> int:
    number, _, unit = text.strip().partition(" ")
    if not _IS_SMALL_NUMBER(number) or unit.lower() not in _SIZES or int(number) == 0:
        raise ValueError("a number of bytes, or one with KiB, MiB or GiB, as in `64 MiB`")
    return int(number) * _SIZES[unit.lower()]


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.strip().lower() not in words:
            raise ValueError(" or ".join(f"`{word}`" for word in words))
        return text.strip().lower()

    return read


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not all(part.isidentifier() for name in names for part in name.split(".")):
        raise ValueError("names of Python modules, separated by commas")
    return names


def database_url(text: str) -> str:
    """Return the URL of a database, as the store knows it.

    Raises:
        ValueError: it is none; the error says what it must be, and never what it was.
    """
    url = text.strip()
    if url.startswith("sqlite:///") and url.removeprefix("sqlite:///").strip():
        return url
    if url.startswith(("postgresql://", "postgres://")) and url.partition("://")[2]:
        return _postgres_url(url.replace("postgres://", "postgresql://", 1))
    raise ValueError("`sqlite:///` and the path of a file, or `postgresql://` and a database")


def _postgres_url(url: str) -> str:
    wanted = (
        "a URL with a number as its port, and with a password in which every sign but letters, digits, `-`, `_`, `.` "
        "and `~` is percent-encoded"
    )
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(wanted) from None
    if url.count("@") > parts.netloc.count("@") or parts.netloc.count("@") > 1:  # a password that goes on behind it
        raise ValueError(wanted)
    return url


def _redis_url(text: str) -> str:
    wanted = f"a URL that starts with `redis://`, `rediss://` or `unix://`, or `{INLINE}`"
    if text.strip() == INLINE:
        return INLINE
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError:
        raise ValueError(wanted) from None
    if not text.strip().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(wanted)
    if parts.scheme == "unix" and not parts.path:
        raise ValueError("`unix://` and the path of a socket")
    if parts.scheme != "unix" and "@" in parts.path:
        raise ValueError("a URL in which every `/` of the password is written `%2F`")
    return text.strip()


# -- the settings ------------------------------------------------------------------------------------------


def _setting(default: Any, read: Callable[[str], Any], meaning: str, shown: str | None = None) -> Any:
    shown = shown or (
        "none" if default in (None, ()) else f"{default:g}" if isinstance(default, float) else str(default)
    )
    return field(default=default, metadata={"read": read, "meaning": meaning, "shown": shown})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that an operator may choose."""

    data_dir: Path = _setting(Path("instance"), _path, "database, embedded Valkey and locks live here")
    database_url: str | None = _setting(
        None, database_url, "`sqlite:///` and a path, or `postgresql://…`", "SQLite in the data directory"
    )
    redis_url: str | None = _setting(
        None,
        _redis_url,
        "`redis://`, `rediss://` or `unix://`; `inline:` runs tasks in the request, for tests",
        "an embedded Valkey in the data directory",
    )
    tasks: tuple[str, ...] = _setting((), _names, "modules that declare task types, separated by commas")
    workers: int = _setting(1, _whole(0, 1000), "worker processes of `queue-tool up`")
    concurrency: int = _setting(10_000, _whole(1, 1_000_000), "`async def` tasks that one worker process holds at once")
    threads: int = _setting(32, _whole(1, 10_000), "threads for plain functions in each worker process")
    isolated: int = _setting(1, _whole(1, 1000), "processes for isolated tasks of each worker process")
    drain: float = _setting(20.0, _seconds, "seconds that a stopping worker waits for its tasks")
    max_batch: int = _setting(100_000, _whole(1), "elements of one request")
    max_body: int = _setting(64 * 2**20, _size, "bytes of one request", "64 MiB")
    max_valor: float = _setting(86400.0, _seconds, "longest `valor` of `sleep`, in seconds")
    max_waits: int = _setting(64, _whole(0, 10_000), "requests of one web process that may wait for an end at once")
    max_pushed: int = _setting(
        1_000_000, _whole(1), "tickets that one list holds in Redis; what comes beyond waits in the database, in order"
    )
    max_waiting: int = _setting(0, _whole(0), "tasks that may wait; beyond it requests get 429; 0 is no limit")
    timeout: float = _setting(3600.0, _seconds, "seconds that a task may take, unless its type says; 0 is no limit")
    max_attempts: int = _setting(3, _whole(1, 1_000_000), "times that a task is tried, unless its type says")
    retention_days: float = _setting(30.0, _days, "days for which an ended task is kept; 0 keeps it for ever")
    auth: str = _setting("keys", _one_of("keys", "off"), "`off` for those who have a gate of their own")
    host: str = _setting("127.0.0.1", _text, "address that `up` and `web` listen on")
    port: int = _setting(5000, _whole(1, _MAX_PORT), "port that `up` and `web` listen on")
    web: int = _setting(1, _whole(0, 1000), "web processes of `up` and `web`; with 0, `up` does not serve")
    log_level: str = _setting("info", _one_of("debug", "info", "warning", "error"), "what is logged, to stderr")
    log_format: str = _setting("text", _one_of("text", "json"), "`text` for people, `json` for collectors")

    @property
    def database(self) -> str:
        """Return the database's URL; in a URL a path's `?` and `%` must be written otherwise."""
        return self.database_url or f"sqlite:///{quote(str(self.data_dir.absolute() / 'queue_tool.db'))}"

    @property
    def embedded(self) -> bool:
        """Tell whether Redis is the Valkey that we bring ourselves."""
        return self.redis_url is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One setting, for people."""

    name: str  # as in the environment
    default: str
    meaning: str


def described() -> Iterator[Described]:
    """Return every setting in the order of the documentation."""
    for each in fields(Settings):
        yield Described(name=_name_of(each.name), default=each.metadata["shown"], meaning=each.metadata["meaning"])


def read(texts: Mapping[str, str]) -> Settings:
    """Return the settings that these texts say; an empty text counts as absent.

    Raises:
        BadSetting: a text cannot be read; the sentence names the setting and what it may be, never the text
            of a URL, which may hold a password.
    """
    values: dict[str, Any] = {}
    for each in fields(Settings):
        name = _name_of(each.name)
        text = texts.get(name, "")
        if not text:
            continue
        try:
            values[each.name] = each.metadata["read"](text)
        except ValueError as wanted:
            got = "" if name.endswith("_URL") else f", not {text!r}"
            raise BadSetting(f"{name} must be {wanted}{got}.") from None
    return Settings(**values)


def unknown(texts: Mapping[str, str]) -> list[str]:
    """Return the names that look like settings and are none: most likely a slip of the pen."""
    known = {_name_of(each.name) for each in fields(Settings)}
    return sorted(name for name in texts if name.startswith(PREFIX) and name not in known)


def without_secrets(url: str) -> str:
    """Return a URL that may be shown: without what stands before its host or behind its question mark."""
    scheme, separator, rest = url.partition("://")
    rest = rest.partition("?")[0]
    if "@" in rest and scheme != "sqlite":
        rest = f"***@{rest.rpartition('@')[2]}"
    return f"{scheme}{separator}{rest}"


def _name_of(field_name: str) -> str:
    return PREFIX + field_name.upper()
