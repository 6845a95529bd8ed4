"""Flask in front of Celery, and the task that Celery's workers run."""

import os

from celery import Celery
from flask import Flask, jsonify, request
from work import do

MAX_RETRIES = 3
"""The maximum number of retries of a task."""

VISIBLE = 60
"""Seconds after which an unacknowledged message is delivered again; Celery's default is an hour."""

WORDS = {"SUCCESS": "finished", "FAILURE": "failed", "REVOKED": "canceled"}

celery = Celery("celery_app", broker=os.environ["CHAOS_REDIS"], backend=os.environ["CHAOS_REDIS"])
celery.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_time_limit=60,
    task_track_started=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    broker_connection_retry=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": VISIBLE,
        "unacked_restore_interval": 5,  # without both of these, Celery checks only every 100 s
        "unacked_restore_throttle": 1,
    },
    result_backend_transport_options={"visibility_timeout": VISIBLE},
    visibility_timeout=VISIBLE,
    result_backend_always_retry=True,
    result_expires=3600,
)

app = Flask(__name__)


@celery.task(bind=True, max_retries=MAX_RETRIES)
def run(self, kind, data):
    """Run one attempt of a task."""
    done = self.request.retries
    try:
        return do(kind, data, self.request.id, done + 1, last=done >= MAX_RETRIES)
    except ValueError as error:
        raise self.retry(exc=error, countdown=2**done) from error


@app.get("/live")
def live():
    """Answer that the web process runs."""
    return "", 200


@app.post("/tasks")
def submit():
    """Send one message after another through one producer; Celery has no transaction for several messages."""
    with celery.producer_pool.acquire(block=True) as producer:
        sent = [run.apply_async((task["task_type"], task["data"]), producer=producer) for task in request.get_json()]
    return jsonify(processing_items=[{"hash": result.id} for result in sent]), 202


@app.post("/tasks/cancel")
def cancel():
    """Revoke tasks on the workers."""
    celery.control.revoke(request.get_json()["tokens"])
    return "", 204


@app.post("/check")
def check():
    """Return the state of each task; Celery reports PENDING for queued and for unknown tasks."""
    tokens = request.get_json()["tokens"]
    states = [celery.AsyncResult(token).state for token in tokens]
    found = [{"hash": token, "status": WORDS.get(state, "open")} for token, state in zip(tokens, states, strict=True)]
    return jsonify(results=found)
