"""`/results` and `/batches/<batch>/results`: what came out."""

from __future__ import annotations

import csv
import io
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from flask import Blueprint, Response, current_app, request

from queue_tool.errors import BadParameter, NotAcceptable, QueueToolError, TooManyStreams
from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.details import ElementResult
from queue_tool.model.states import State
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, rfc3339, runtime
from queue_tool.web.http.paging import page_of_tasks
from queue_tool.web.http.query import FILTERS, PAGING, filter_of, limit_of, parameters

EXTENSION = "queue_tool.streams"

AT_ONCE = 4
"""Streams of one process at once: each holds a thread for as long as its client reads."""

JSON_LINES = "application/jsonl"
CSV = "text/csv"
KINDS = (JSON_LINES, "application/x-ndjson", "application/json-lines", CSV)
"""The forms in which results come; the second and the third are other names of the first."""

COLUMNS = ("index", "custom_id", "item", "token", "status", "result", "error")
PIECE = 64 * 1024
"""Bytes that are sent together."""

CUT = "The rest is missing: ask for these results again."

ENDED = frozenset(state for state in State if state.ended)

routes = Blueprint("results", __name__)

_log = logging.getLogger("queue_tool.web")


@routes.get("/results")
@needs(Role.READ)
def many() -> Response:
    """List tasks that have ended, with their results, the last one sent first."""
    query = parameters(*FILTERS, *PAGING)
    wanted = filter_of({"status": ",".join(sorted(ENDED))} | query)
    if not wanted.states <= ENDED:
        raise BadParameter(f"status must be one of {', '.join(sorted(ENDED))}: only these have results.")
    return page_of_tasks(runtime().list(wanted, limit_of(query), query.get("cursor")), shapes.ended)


@routes.get("/results/<token>")
@needs(Role.READ)
def show(token: str) -> Response:
    """Say what came out of a task; `status` says whether it has ended."""
    parameters()
    task = runtime().ask.task(token)
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
    """Stream what became of each element of a batch, in the order sent, as JSON Lines or CSV."""
    wanted = _wanted(parameters("status").get("status"))
    kind = _kind()
    written = _csv if kind == CSV else _json_lines
    rows = _rows(line for line in runtime().ask.results(batch) if wanted is None or line.status in wanted)
    streams: Streams = current_app.extensions[EXTENSION]
    only_asked = request.method == "HEAD"
    response = Response(() if only_asked else streams.held(partial(written, rows)), mimetype=kind)
    response.headers["Vary"] = "Accept"
    response.headers["Content-Disposition"] = f'attachment; filename="{batch}.{"csv" if kind == CSV else "jsonl"}"'
    return response


class Streams:
    """The places for streams in this process."""

    def __init__(self) -> None:
        """Start with every place free."""
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def held(self, write: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """Return pieces of a stream, which hold a place until the last one is taken, or nobody wants more.

        Raises:
            TooManyStreams: all places are taken.
        """
        if not self._places.acquire(blocking=False):
            raise TooManyStreams(retry_after=5)
        return _Held(write(), self._places.release)


class _Held(Iterator[bytes]):
    """An iterator that says when it is over: a generator that was never begun would say nothing."""

    def __init__(self, pieces: Iterator[bytes], over: Callable[[], None]) -> None:
        self._pieces = pieces
        self._over = over
        self._is_over = False

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._over()


def _kind() -> str:
    """Return the form that the current request would rather have; who says nothing accepts everything (RFC 9110).

    Raises:
        NotAcceptable: it accepts none of them.
    """
    accepted = request.accept_mimetypes
    kind = accepted.best_match([*KINDS, *(f"{each}; charset=utf-8" for each in KINDS)]) if accepted else JSON_LINES
    if kind is None:
        raise NotAcceptable(f"Results come as {JSON_LINES} or {CSV}.")
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
    """Return the fields of each line; where the rest cannot be read, a last row without an index says so.

    An error would not: the server ends the answer as if it were whole, and what is missing would be missed by nobody.
    """
    try:
        for element in lines:
            yield {name: getattr(element, name) for name in COLUMNS}
    except Exception as error:  # noqa: BLE001 - whatever it is, the client must know
        known = error if isinstance(error, QueueToolError) else QueueToolError()
        _log.error("the results of a batch were cut: %s", known.sentence, exc_info=error)
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
    """Write what is no text as JSON; a text that a spreadsheet would take for a formula gets an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow((row | {name: _cell(row[name]) for name in ("custom_id", "item", "error")}).values())
        if text.tell() >= PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json_text.dumps(value).decode()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and isinstance(value, str) else text
