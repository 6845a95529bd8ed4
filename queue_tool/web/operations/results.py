"""`/results` and `/batches/<batch>/results`: the results of ended tasks."""

from __future__ import annotations

import csv
import io
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from flask import Blueprint, Response, current_app, g, request

from queue_tool.errors import BadParameter, NotAcceptable, QueueToolError, TooManyStreams
from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.details import ElementResult
from queue_tool.model.states import State
from queue_tool.model.task import Status
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, rfc3339, runtime
from queue_tool.web.http.paging import page_of_tasks
from queue_tool.web.http.prefer import answer_in_time
from queue_tool.web.http.query import FILTERS, PAGING, filter_of, limit_of, parameters

EXTENSION = "queue_tool.streams"

AT_ONCE = 16
"""Streams of one process at the same time."""

OF_ONE_KEY = 4
"""Streams of one API key at the same time."""

JSON_LINES = "application/jsonl"
CSV = "text/csv"
KINDS = (JSON_LINES, "application/x-ndjson", "application/json-lines", CSV)
"""The formats of results; the second and the third are other names of the first."""

COLUMNS = ("index", "custom_id", "item", "token", "status", "result", "error")
PIECE = 64 * 1024
"""Bytes after which a piece of a stream is sent."""

CUT = "The rest is missing: request these results again."

ENDED = frozenset(state for state in State if state.ended)

routes = Blueprint("results", __name__)

_log = logging.getLogger("queue_tool.web")


@routes.get("/results")
@needs(Role.READ)
def many() -> Response:
    """List ended tasks with their results, newest first."""
    query = parameters(*FILTERS, *PAGING)
    wanted = filter_of({"status": ",".join(sorted(ENDED))} | query)
    if not wanted.states <= ENDED:
        raise BadParameter(f"status must be one of {', '.join(sorted(ENDED))}: only these have results.")
    return page_of_tasks(runtime().list(wanted, limit_of(query), query.get("cursor")), shapes.ended)


@routes.get("/results/<token>")
@needs(Role.READ)
def show(token: str) -> Response:
    """Return the result of a task; `status` shows whether the task has ended."""
    parameters()
    system = runtime()
    return answer_in_time(
        ask=lambda: system.ask.task(token),
        is_over=lambda task: task.state.ended,
        wait=lambda seconds, on_leave: system.wait.task(token, seconds, on_leave),
        answer=_result,
    )


def _result(task: Status) -> Response:
    return answer(
        shapes.standing(task)
        | {
            "data": json_text.embed(task.data),
            "result": json_text.embed(task.result),
            "error": shapes.error(task),
            "created_at": rfc3339(task.created_at),
            "started_at": rfc3339(task.started_at),
            "finished_at": rfc3339(task.finished_at),
            "duration": task.duration,
        }
    )


@routes.get("/batches/<batch>/results")
@needs(Role.READ)
def of_batch(batch: str) -> Response:
    """Stream the results of all elements of a batch, in the order of the request, as JSON Lines or CSV."""
    wanted = _wanted(parameters("status").get("status"))
    kind = _kind()
    write = _csv if kind == CSV else _json_lines
    rows = _rows(line for line in runtime().ask.results(batch) if wanted is None or line.status in wanted)
    streams: Streams = current_app.extensions[EXTENSION]
    headers_only = request.method == "HEAD"
    body = () if headers_only else streams.start(partial(write, rows), g.key_id)
    response = Response(body, mimetype=kind)
    response.headers["Vary"] = "Accept"
    response.headers["Content-Disposition"] = f'attachment; filename="{batch}.{"csv" if kind == CSV else "jsonl"}"'
    return response


class Streams:
    """The slots for streams in this process."""

    def __init__(self) -> None:
        """Start with all slots free."""
        self._lock = threading.Lock()
        self._keys = Counter[str]()

    def start(self, write: Callable[[], Iterator[bytes]], key_id: str) -> Iterator[bytes]:
        """Start a stream that holds a slot until it ends or is closed.

        Args:
            write: starts the stream and returns its pieces.
            key_id: the API key of the client; empty if it needs none.

        Raises:
            TooManyStreams: all slots are taken, or this key has its share of them.
        """
        with self._lock:
            if self._keys.total() >= AT_ONCE or (key_id and self._keys[key_id] >= OF_ONE_KEY):
                raise TooManyStreams(retry_after=5)
            self._keys[key_id] += 1
        return _Stream(write(), partial(self._free, key_id))

    def _free(self, key_id: str) -> None:
        with self._lock:
            self._keys[key_id] -= 1
            self._keys += Counter()  # forgets the keys that have none


class _Stream(Iterator[bytes]):
    """An iterator that frees its slot when it is closed. A generator that never started could not do that."""

    def __init__(self, pieces: Iterator[bytes], free_slot: Callable[[], None]) -> None:
        self._pieces = pieces
        self._free_slot = free_slot
        self._is_closed = False

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._free_slot()


def _kind() -> str:
    """Return the format that the current request prefers. A request without Accept accepts everything (RFC 9110).

    Raises:
        NotAcceptable: the request accepts none of the formats.
    """
    accepted = request.accept_mimetypes
    kind = accepted.best_match([*KINDS, *(f"{kind}; charset=utf-8" for kind in KINDS)]) if accepted else JSON_LINES
    if kind is None:
        raise NotAcceptable(f"Results are available as {JSON_LINES} and {CSV}.")
    return kind.partition(";")[0]


def _wanted(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    known = {state.value for state in State} | {"rejected"}
    wanted = frozenset(text.split(","))
    if not wanted <= known:
        raise BadParameter(f"status must be one of {', '.join(sorted(known))}, not {text!r:.80}.")
    return wanted


def _rows(lines: Iterator[ElementResult]) -> Iterator[dict[str, Any]]:
    """Return the fields of each result. If the rest cannot be read, a last row without an index reports the error.

    An exception would not reach the client: the server would end the response as if it were complete.
    """
    try:
        for element in lines:
            yield {name: getattr(element, name) for name in COLUMNS}
    except Exception as error:  # noqa: BLE001 - the client must learn of every error
        known = error if isinstance(error, QueueToolError) else QueueToolError()
        _log.error("the results of a batch were cut off: %s", known.sentence, exc_info=error)
        yield dict.fromkeys(COLUMNS) | {"error": {"code": known.code, "message": CUT}}


def _json_lines(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    piece = bytearray()
    for row in rows:
        piece += json_text.dumps(row | {"result": json_text.embed(row["result"])})
        piece += b"\n"
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _csv(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """Quote all values, write those that are not text as JSON, and let no part of one be read as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for row in rows:
        result = None if row["result"] is None else _inert_json(row["result"])
        cells = {name: _cell(row[name]) for name in ("custom_id", "item", "error")}
        writer.writerow((row | cells | {"result": result}).values())
        if text.tell() >= PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell(value: object) -> str | None:
    if value is None:
        return None
    return _inert(value) if isinstance(value, str) else _inert_json(json_text.dumps(value).decode())


def _inert(text: str) -> str:
    """Put an apostrophe before each character that could begin a formula, whatever separates cells for the reader."""
    inert = _FORMULA.sub(r"'\g<0>", text)
    return f"'{inert}" if text[:1] in ("\t", "\r") else inert


def _inert_json(text: str) -> str:
    """Escape each character that could begin a formula, so that the text is still the same JSON.

    Outside of strings, JSON has none of the separators. A number may begin with a minus sign.
    """
    return _FORMULA_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_FORMULA = re.compile(r"(?<![^;|\t\r\n])[=+\-@\uff0b\uff0d\uff1d\uff20]")
_FORMULA_IN_JSON = re.compile(r"(?<=[;|])[=+\-@\uff0b\uff0d\uff1d\uff20]")
