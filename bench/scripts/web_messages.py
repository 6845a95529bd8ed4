"""Flask with a message queue in a list of Redis, as one writes it by hand: a push appends, a pop takes the first."""

import json
import os

import redis
from flask import Flask, jsonify, request

app = Flask(__name__)
server = redis.Redis.from_url(os.environ["BENCH_REDIS"])
LIST = "messages"


@app.get("/live")
def live():
    """Report that the server responds."""
    return "", 200


@app.post("/api/queue/push")
def push():
    """Append a message."""
    message = request.get_json()["message"]
    server.rpush(LIST, json.dumps(message))
    return jsonify(message=message, success=True)


@app.post("/api/queue/pop")
def pop():
    """Take the first message. It is lost if the client does not get this answer."""
    found = server.lpop(LIST)
    if found is None:
        return jsonify(message="empty", success=False)
    return jsonify(message=json.loads(found), success=True)


@app.get("/api/queue/count")
def count():
    """Return the number of messages."""
    return jsonify(count=server.llen(LIST))
