"""Flask with RQ: accepts a JSON array and returns the ids. It checks nothing and stores only the jobs."""

import os

from flask import Flask, jsonify, request
from redis import Redis
from rq import Queue

app = Flask(__name__)
queue = Queue("bench", connection=Redis.from_url(os.environ["BENCH_REDIS"]))


@app.get("/live")
def live():
    """Report that the server responds."""
    return "", 200


@app.post("/each")
def each():
    """Enqueue the items one by one."""
    jobs = [queue.enqueue("stock_rq.work", element["item"], element["valor"]) for element in request.get_json()]
    return jsonify([job.id for job in jobs])


@app.post("/many")
def many():
    """Enqueue all items in one call."""
    data = [Queue.prepare_data("stock_rq.work", (element["item"], element["valor"])) for element in request.get_json()]
    return jsonify([job.id for job in queue.enqueue_many(data)])
