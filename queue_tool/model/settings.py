"""Settings: one frozen record, read from a mapping of names to texts. The caller decides where the texts come from.

Each field has a default, a meaning, and a function that reads its text. `docs/made.py` generates the README's table and
`.env.example` from these fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from queue_tool.errors import BadSetting
from queue_tool.model import setting_texts as texts_of
from queue_tool.model.amqp_address import amqp_url, queue_names
from queue_tool.model.scale import MOST_WORKERS
from queue_tool.model.urls import INLINE, database_url, is_plain, redis_url, without_secrets

__all__ = ["INLINE", "Described", "Settings", "database_url", "described", "read", "unknown", "without_secrets"]

PREFIX = "QUEUE_TOOL_"

CLIENT_URL, CLIENT_KEY = "QUEUE_TOOL_URL", "QUEUE_TOOL_KEY"
"""Variables that only clients read: where the service is, and their API key."""

KEPT_KEY = "client_key"
"""The file in the data directory with the API key that `queue-tool keys create --keep` keeps for clients."""

FEWEST_ISOLATED = 4
"""The default number of isolated processes on a machine with few processors: some of them wait."""

NEVER_QUOTED = ("_URL", "_KEY")
"""The ends of the names of settings whose texts may contain a secret."""

_MAX_PORT = 65535
_SHOWN = 80
"""The most characters of a wrong text that a sentence quotes."""


def _setting(default: Any, read: Callable[[str], Any], meaning: str, shown: str | None = None) -> Any:
    shown = shown or (
        "none" if default in (None, ()) else f"{default:g}" if isinstance(default, float) else str(default)
    )
    return field(default=default, metadata={"read": read, "meaning": meaning, "shown": shown})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that an operator can configure."""

    data_dir: Path = _setting(
        Path("instance"), texts_of.path, "directory of the database, the embedded Valkey and the locks"
    )
    database_url: str | None = _setting(
        None, database_url, "`sqlite:///` and a path, or `postgresql://…`", "SQLite in the data directory"
    )
    redis_url: str | None = _setting(
        None,
        redis_url,
        "`redis://`, `rediss://` or `unix://`; `inline:` runs tasks in the request, for tests",
        "an embedded Valkey in the data directory",
    )
    amqp_url: str | None = _setting(
        None,
        amqp_url,
        "`amqp://...` or `amqps://...`: a RabbitMQ from which `queue-tool consume` takes work; `up` starts it",
        "none",
    )
    amqp_queue: tuple[str, ...] = _setting(
        ("queue_tool.tasks",),
        queue_names,
        "durable queues of RabbitMQ that work is taken from, separated by commas; missing ones are declared",
        "`queue_tool.tasks`",
    )
    amqp_events: str = _setting(
        "off",
        texts_of.one_of("on", "off"),
        "`on` publishes each end of a task or batch to the exchange `queue_tool.events`; the same on all hosts",
    )
    tasks: tuple[str, ...] = _setting((), texts_of.names, "modules that declare task types, separated by commas")
    workers: int = _setting(1, texts_of.whole(0, MOST_WORKERS), "worker processes of `queue-tool up`")
    max_workers: int | None = _setting(
        None,
        texts_of.whole(1, MOST_WORKERS),
        "worker processes up to which `queue-tool up` adds some by itself while tasks wait; it removes them later",
        "none: it adds none",
    )
    concurrency: int = _setting(
        10_000, texts_of.whole(1, 1_000_000), "`async def` tasks that one worker process runs at once"
    )
    threads: int = _setting(32, texts_of.whole(1, 10_000), "threads for plain functions in each worker process")
    isolated: int | None = _setting(
        None,
        texts_of.whole(1, 1000),
        "processes for isolated tasks in each worker process",
        f"as many as processors, at least {FEWEST_ISOLATED}",
    )
    isolated_tasks: int = _setting(
        1000, texts_of.whole(1), "tasks after which another process takes the place of an isolated one"
    )
    isolated_memory: int = _setting(
        512 * 2**20,
        texts_of.size,
        "memory beyond which another process takes the place of an isolated one, in bytes, KiB, MiB or GiB",
        "512 MiB",
    )
    drain: float = _setting(20.0, texts_of.seconds, "seconds that a stopping worker waits for its running tasks")
    stuck_after: float = _setting(
        10.0,
        texts_of.seconds,
        "seconds without a turn after which an event loop counts as stuck and its worker is replaced; 0 is never",
    )
    max_batch: int = _setting(100_000, texts_of.whole(1), "maximum number of elements in one request")
    max_body: int = _setting(
        64 * 2**20, texts_of.size, "maximum size of one request body, in bytes, KiB, MiB or GiB", "64 MiB"
    )
    max_valor: float = _setting(86400.0, texts_of.seconds, "maximum `valor` of a `sleep` task, in seconds")
    max_waits: int = _setting(
        64,
        texts_of.whole(0, 10_000),
        "requests that may wait (`Prefer: wait`) at the same time in one web process, and as many that read `/events`",
    )
    max_pushed: int = _setting(
        1_000_000,
        texts_of.whole(1),
        "maximum number of tickets in Redis per list; usually it holds at most 5000 per worker, and the rest waits",
    )
    max_waiting: int = _setting(
        0, texts_of.whole(0), "maximum number of waiting tasks; requests that exceed it get 429; 0 is no limit"
    )
    max_messages: int = _setting(
        1_000_000,
        texts_of.whole(1),
        "maximum number of messages in all message queues together; a push beyond it gets 429",
    )
    timeout: float = _setting(
        3600.0,
        texts_of.seconds,
        "seconds that a task may run, unless the task or its type sets a timeout; 0 is no limit",
    )
    max_attempts: int = _setting(
        3, texts_of.whole(1, 1_000_000), "maximum attempts of a task, unless the task or its type sets it"
    )
    retention_days: float = _setting(30.0, texts_of.days, "days that an ended task is kept; 0 keeps it forever")
    auth: str = _setting(
        "keys",
        texts_of.one_of("keys", "off"),
        "`keys` checks API keys; `off` leaves access control to a proxy in front",
    )
    secret_key: str | None = field(
        default=None,
        repr=False,
        metadata={
            "read": texts_of.secret,
            "meaning": "signs the sessions of the pages; the same on all hosts; at least 32 characters",
            "shown": "made in the data directory",
        },
    )
    host: str = _setting("127.0.0.1", texts_of.not_empty, "address that `up` and `web` listen on")
    port: int = _setting(5000, texts_of.whole(1, _MAX_PORT), "port that `up` and `web` listen on")
    web: int = _setting(
        1, texts_of.whole(0, 1000), "web processes of `up` and `web`; with 0, `up` starts no web server"
    )
    webhook_allow: tuple[str, ...] = _setting(
        (),
        texts_of.receivers,
        "networks, addresses and hosts outside of the public internet that webhooks may reach, separated by commas",
    )
    log_level: str = _setting(
        "info", texts_of.one_of("debug", "info", "warning", "error"), "lowest level that is logged to stderr"
    )
    log_format: str = _setting("text", texts_of.one_of("text", "json"), "`text` for people, `json` for log collectors")

    @property
    def database(self) -> str:
        """Return the database's URL. The default path is percent-encoded, because a URL reserves `?` and `%`."""
        return self.database_url or f"sqlite:///{quote(str(self.data_dir.absolute() / 'queue_tool.db'))}"

    @property
    def embedded(self) -> bool:
        """Return whether the service runs its own embedded Valkey."""
        return self.redis_url is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One setting, as the documentation shows it."""

    name: str  # its environment variable
    default: str
    meaning: str


def described() -> Iterator[Described]:
    """Return every setting in the order of the documentation."""
    for setting in fields(Settings):
        yield Described(
            name=_name_of(setting.name), default=setting.metadata["shown"], meaning=setting.metadata["meaning"]
        )


def read(texts: Mapping[str, str]) -> Settings:
    """Return the settings of these texts. An empty text counts as absent.

    Args:
        texts: the text of each setting, by environment variable.

    Raises:
        BadSetting: a text is not valid. The sentence names the setting and describes a valid text. It never quotes a
            URL or a key, because a URL may contain a password.
    """
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        name = _name_of(setting.name)
        text = texts.get(name, "")
        if not text:
            continue
        if not is_plain(text.strip()):
            raise BadSetting(f"{name} must be one line of UTF-8 text, without control characters.")
        try:
            values[setting.name] = setting.metadata["read"](text)
        except ValueError as wanted:
            got = "" if name.endswith(NEVER_QUOTED) else f", not {_shortened(text)!r}"
            raise BadSetting(f"{name} must be {wanted}{got}.") from None
    chosen = Settings(**values)
    if chosen.max_workers is not None and chosen.max_workers < chosen.workers:
        raise BadSetting(f"QUEUE_TOOL_MAX_WORKERS must be at least {chosen.workers}, as QUEUE_TOOL_WORKERS is.")
    return chosen


def unknown(texts: Mapping[str, str]) -> list[str]:
    """Return the names that start like settings but are none. Most likely they are misspelled."""
    known = {_name_of(setting.name) for setting in fields(Settings)} | {CLIENT_URL, CLIENT_KEY}
    return sorted(name for name in texts if name.startswith(PREFIX) and name not in known)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _name_of(field_name: str) -> str:
    return PREFIX + field_name.upper()
