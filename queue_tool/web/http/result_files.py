"""The results of a batch as a file: JSON Lines or CSV, made while they are sent."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

from flask import Response, current_app, g, request

from queue_tool.errors import QueueToolError
from queue_tool.model import json_text
from queue_tool.model.details import ElementResult
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.streams import EXTENSION, Streams

JSON_LINES = "application/jsonl"
CSV = "text/csv"

COLUMNS = ("index", "custom_id", "item", "token", "status", "result", "error")
PIECE = 64 * 1024
"""Bytes after which a piece of a stream is sent."""

CUT = "The rest is missing: request these results again."

_log = logging.getLogger("queue_tool.web")


def stream_as(kind: str, batch: str, states: Collection[str] = ()) -> Response:
    """Return the results of a batch as a stream.

    Args:
        kind: `JSON_LINES`, another name of it, or `CSV`.
        batch: the batch.
        states: only elements in one of these states; all elements without any.

    Raises:
        BatchNotFound: no batch has this id.
        TooManyStreams: this process has too many streams, or those of this key are too many.
    """
    write = _csv if kind == CSV else _json_lines
    rows = _rows(line for line in runtime().ask.results(batch) if not states or line.status in states)
    streams: Streams = current_app.extensions[EXTENSION]
    headers_only = request.method == "HEAD"
    body = iter(()) if headers_only else streams.start(partial(write, rows), g.key_id)
    response = Response(body, mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{batch}.{"csv" if kind == CSV else "jsonl"}"'
    return response


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
