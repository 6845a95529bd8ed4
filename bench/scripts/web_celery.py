"""Flask in front of Celery: takes a JSON array, answers the ids; checks nothing and keeps nothing but the messages."""

from celery_peer import app as celery
from celery_peer import work
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/live")
def live():
    """Answer."""
    return "", 200


@app.post("/each")
def each():
    """Send one after another through one producer."""
    with celery.producer_pool.acquire(block=True) as producer:
        sent = [
            work.apply_async((element["item"], element["valor"]), producer=producer) for element in request.get_json()
        ]
    return jsonify([result.id for result in sent])
