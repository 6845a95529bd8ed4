"""The outbox: what webhooks and feeds must hear of is written in the transaction in which tasks and batches end.

Only transactions in a database with a webhook or a feed load this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Text, bindparam, insert, select

from queue_tool.model import json_text
from queue_tool.model.states import State
from queue_tool.model.webhook import MOST_ENDS, OF_STATE, OF_TASKS, End, Event, Listener, OutboxState
from queue_tool.store.engine.rows import as_rows, is_among
from queue_tool.store.engine.transactions import own_number
from queue_tool.store.feeds import all_feeds, write_feeds
from queue_tool.store.listening import HAS_OWN
from queue_tool.store.tables import batches, tags, tasks
from queue_tool.store.webhook_tables import outbox, webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listening:
    """Who listens."""

    listeners: tuple[Listener, ...]
    has_own: bool  # whether some tasks or batches have an address of their own
    feeds: Mapping[str, int]  # see `feeds.all_feeds`

    @property
    def to_tasks(self) -> bool:
        """Return whether somebody may hear of tasks, and not only of batches."""
        return (
            self.has_own
            or bool(self.feeds)
            or any(not OF_TASKS.isdisjoint(listener.events) for listener in self.listeners)
        )


KEPT_VERSIONS = 8
"""Lists of webhooks that a process keeps. Each version is another random number, so one of another database differs."""

_kept: dict[int, _Listening] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """One end, with what decides who hears of it."""

    end: End
    batch: str | None
    url: str | None  # the address of this task or batch alone
    tags: frozenset[str] = frozenset()


def write_ends(connection: Connection, version: int, tokens: Sequence[str], finished: Sequence[str], now: int) -> None:
    """Write the rows of the outbox about tasks and batches that end in this transaction.

    Args:
        connection: the connection of a transaction that writes. The tasks and batches have their new states.
        version: that of the webhooks, as a statement of this transaction has read it.
        tokens: the tasks that ended, in their order.
        finished: the public ids of the batches that finished.
        now: when they ended, as it is stored.
    """
    found = _listening(connection, version)
    listeners = found.listeners
    if not (listeners or found.has_own or found.feeds):
        return
    needs_tags = any(listener.tag is not None for listener in listeners)
    tasks_ended = _tasks(connection, tokens, needs_tags=needs_tags) if found.to_tasks else ()
    ended = [*tasks_ended, *_batches(connection, finished)]
    rows = [*_of_listeners(listeners, ended), *_of_urls(ended)]
    if rows:
        connection.execute(_ADD, [row | {"at": now, "state": OutboxState.WAITING.value} for row in rows])
    if found.feeds:
        write_feeds(connection, found.feeds, ((each.batch, each.end) for each in ended), now)


def _listening(connection: Connection, version: int) -> _Listening:
    """Return who listens at this version, which is read once."""
    if version not in _kept:
        found = connection.execute(_LISTENERS).all()
        has_own = bool(connection.execute(HAS_OWN).scalar())
        while len(_kept) >= KEPT_VERSIONS:
            _kept.pop(next(iter(_kept)), None)
        _kept[version] = _Listening(
            listeners=tuple(map(_listener, found)), has_own=has_own, feeds=all_feeds(connection)
        )
    return _kept[version]


def _listener(row: Any) -> Listener:
    events: Any = json_text.loads(row.events)
    return Listener(row=row.id, events=frozenset(events), task_type=row.task_type, tag=row.tag, batch=row.batch)


def _tasks(connection: Connection, tokens: Sequence[str], *, needs_tags: bool) -> Iterator[_Ended]:
    if not tokens:
        return
    found = {row.token: row for row in connection.execute(_ENDED_TASKS, as_rows(tokens))}
    tagged: dict[str, set[str]] = {}
    if needs_tags:
        for token, tag in connection.execute(_TAGS, as_rows(tokens)):
            tagged.setdefault(token, set()).add(tag)
    for row in map(found.get, tokens):
        if row is not None:
            yield _Ended(
                end=End(OF_STATE[State(row.state)].value, row.token, row.run, row.task_type, row.code),
                batch=row.public_id,
                url=row.webhook,
                tags=frozenset(tagged.get(row.token, ())),
            )


def _batches(connection: Connection, finished: Sequence[str]) -> Iterator[_Ended]:
    if finished:
        for row in connection.execute(_FINISHED_BATCHES, as_rows(finished)):
            end = End(Event.BATCH_FINISHED.value, row.public_id, row.finished_at)
            yield _Ended(end=end, batch=row.public_id, url=row.webhook)


def _of_listeners(listeners: Iterable[Listener], ended: Sequence[_Ended]) -> Iterator[dict[str, object]]:
    for listener in listeners:
        heard = [each for each in ended if _hears(listener, each)]
        yield from _rows(heard, {"webhook_id": listener.row, "url": None})


def _hears(listener: Listener, ended: _Ended) -> bool:
    return (
        ended.end.event in listener.events
        and listener.task_type in (None, ended.end.task_type)
        and (listener.tag is None or listener.tag in ended.tags)
        and listener.batch in (None, ended.batch)
    )


def _of_urls(ended: Sequence[_Ended]) -> Iterator[dict[str, object]]:
    by_url: dict[str, list[_Ended]] = {}
    for each in ended:
        if each.url is not None:
            by_url.setdefault(each.url, []).append(each)
    for url, its in by_url.items():
        yield from _rows(its, {"webhook_id": None, "url": url})


def _rows(ended: Iterable[_Ended], shared: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Return the rows about these ends: one for each batch, or more if a batch has many."""
    by_batch: dict[str | None, list[End]] = {}
    for each in ended:
        by_batch.setdefault(each.batch, []).append(each.end)
    for batch, ends in by_batch.items():
        for start in range(0, len(ends), MOST_ENDS):
            part = ends[start : start + MOST_ENDS]
            yield {**shared, "batch": batch, "count": len(part), "ends": json_text.dumps(part).decode()}


_ADD = insert(outbox).values(sequence=own_number())

_LISTENERS = (
    select(webhooks.c.id, webhooks.c.events, webhooks.c.task_type, webhooks.c.tag, webhooks.c.batch)
    .where(webhooks.c.own == 0, webhooks.c.disabled_at.is_(None))
    .order_by(webhooks.c.id)
)

_THESE = bindparam("rows", type_=Text)

_ENDED_TASKS = (
    select(
        tasks.c.token,
        tasks.c.state,
        tasks.c.run,
        tasks.c.task_type,
        tasks.c.code,
        tasks.c.webhook,
        batches.c.public_id,
    )
    .select_from(tasks.outerjoin(batches, batches.c.id == tasks.c.batch_id))
    .where(is_among(tasks.c.token, _THESE))
)

_TAGS = (
    select(tasks.c.token, tags.c.tag)
    .select_from(tasks.join(tags, tags.c.task_id == tasks.c.id))
    .where(is_among(tasks.c.token, _THESE))
)

_FINISHED_BATCHES = (
    select(batches.c.public_id, batches.c.finished_at, batches.c.webhook)
    .where(is_among(batches.c.public_id, _THESE))
    .order_by(batches.c.id)
)
