"""Flask with Celery: accepts a JSON array and returns the ids. It checks nothing and stores only the messages."""

from celery_peer import app as celery
from celery_peer import work
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/live")
def live():
    """Report that the server responds."""
    return "", 200


@app.post("/each")
def each():
    """Submit the items one by one through one producer."""
    with celery.producer_pool.acquire(block=True) as producer:
        sent = [
            work.apply_async((element["item"], element["valor"]), producer=producer) for element in request.get_json()
        ]
    return jsonify([result.id for result in sent])
