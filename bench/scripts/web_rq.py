"""Flask in front of RQ: takes a JSON array, answers the ids; checks nothing and keeps nothing but the jobs."""

import os

from flask import Flask, jsonify, request
from redis import Redis
from rq import Queue

app = Flask(__name__)
queue = Queue("bench", connection=Redis.from_url(os.environ["BENCH_REDIS"]))


@app.get("/live")
def live():
    """Answer."""
    return "", 200


@app.post("/each")
def each():
    """Enqueue one after another."""
    jobs = [queue.enqueue("stock_rq.work", element["item"], element["valor"]) for element in request.get_json()]
    return jsonify([job.id for job in jobs])


@app.post("/many")
def many():
    """Enqueue all at once."""
    data = [Queue.prepare_data("stock_rq.work", (element["item"], element["valor"])) for element in request.get_json()]
    return jsonify([job.id for job in queue.enqueue_many(data)])
