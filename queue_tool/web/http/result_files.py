"""The results of a batch as a file: JSON Lines or CSV, made while they are sent."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

from flask import Response, current_app, g, request

from queue_tool.errors import QueueToolError
from queue_tool.model import json_text
from queue_tool.model.csv_results import COLUMNS, csv_cells
from queue_tool.model.details import ElementResult
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.streams import EXTENSION, Streams

JSON_LINES = "application/jsonl"
CSV = "text/csv"

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
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(csv_cells(row))
        if text.tell() >= PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()
