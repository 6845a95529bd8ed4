"""A bare consumer: it inserts the same rows for each AMQP message, checks nothing, and answers nobody.

    python amqp_bare.py DATABASE URL QUEUE MOST

It copies the newest task and idempotency key of the database, which ours has written, with another token and key. MOST
is the number of AMQP messages in one transaction.
"""

from __future__ import annotations

import sqlite3
import sys
import uuid

import pika


def main(database: str, url: str, queue: str, most: int) -> None:
    """Consume until the process is ended."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    connection.row_factory = sqlite3.Row
    task, key = (dict(newest(connection, name)) for name in ("tasks", "idempotency_keys"))
    task.pop("id")
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.basic_qos(prefetch_count=500)
    held: list[tuple[dict[str, object], dict[str, object]]] = []
    last = 0
    for method, properties, _ in channel.consume(queue, inactivity_timeout=0.002):
        if method is not None and properties is not None:
            token, last = uuid.uuid4().hex, method.delivery_tag
            held.append((task | {"token": token}, key | {"key": properties.message_id, "token": token}))
        if held and (method is None or len(held) >= most):
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, "tasks", [row for row, _ in held])
            insert(connection, "idempotency_keys", [row for _, row in held])
            connection.execute("COMMIT")
            channel.basic_ack(last, multiple=True)
            held.clear()


def newest(connection: sqlite3.Connection, table: str) -> sqlite3.Row:
    """Return the newest row of a table."""
    row: sqlite3.Row = connection.execute(f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone()  # ours
    return row


def insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    """Insert rows."""
    names, marks = ", ".join(f'"{name}"' for name in rows[0]), ", ".join(f":{name}" for name in rows[0])
    connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # ours


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
