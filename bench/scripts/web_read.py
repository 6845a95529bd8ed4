"""Flask that returns the status of a task, from a copy of our database and with the same fields as ours."""

import json
import os
import sqlite3
import threading
from datetime import UTC, datetime

from flask import Flask, jsonify

app = Flask(__name__)
local = threading.local()
SQL = """
    SELECT state, tasks.task_type, data, attempt, tasks.created_at, started_at, tasks.finished_at, progress, note,
        result, code, error, batches.public_id
    FROM tasks JOIN batches ON batches.id = tasks.batch_id WHERE token = ?
"""


def connection():
    """Return this thread's connection."""
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(f"file:{os.environ['BENCH_DATABASE']}?mode=ro", uri=True)
        local.connection.row_factory = sqlite3.Row
    return local.connection


def shown(moment):
    """Return a time in microseconds as text; a missing time stays None."""
    return moment and datetime.fromtimestamp(moment / 1e6, UTC).isoformat()


@app.get("/live")
def live():
    """Report that the server responds."""
    return "", 200


@app.get("/check/<token>")
def check(token):
    """Read one task by its token."""
    row = connection().execute(SQL, (token,)).fetchone()
    if row is None:
        return jsonify(message="unknown"), 404
    ended = row["finished_at"] is not None
    return jsonify(
        message="Finalizado" if ended else "Em processamento",
        token=token,
        batch=row["public_id"],
        task_type=row["task_type"],
        item=json.loads(row["data"]).get("item"),
        status=row["state"],
        attempt=row["attempt"],
        created_at=shown(row["created_at"]),
        started_at=shown(row["started_at"]),
        finished_at=shown(row["finished_at"]),
        duration=(row["finished_at"] - row["started_at"]) / 1e6 if ended else None,
        progress=row["progress"],
        note=row["note"],
        result=row["result"] and json.loads(row["result"]),
        error=row["code"] and {"code": row["code"], "message": row["error"]},
    )
