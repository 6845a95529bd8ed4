"""Flask in front of RQ, and the function that RQ's workers call."""

import os

from flask import Flask, jsonify, request
from redis import Redis
from rq import Queue, Retry, get_current_job
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from work import do

MOST = 3
"""Times that RQ tries again, an abandoned job too."""

app = Flask(__name__)
redis = Redis.from_url(os.environ["CHAOS_REDIS"])
queue = Queue("chaos", connection=redis)


def run(kind, data):
    """Do a task."""
    job = get_current_job()
    left = job.retries_left if job.retries_left is not None else MOST
    return do(kind, data, job.id, 1 + MOST - left, last=not left)


@app.get("/live")
def live():
    """Answer."""
    return "", 200


@app.post("/tasks")
def submit():
    """Enqueue all at once, in RQ's one transaction."""
    rules = {"timeout": 60, "result_ttl": 3600, "failure_ttl": 3600}
    data = [
        Queue.prepare_data(run, (task["task_type"], task["data"]), retry=Retry(max=MOST, interval=[1, 2, 4]), **rules)
        for task in request.get_json()
    ]
    return jsonify(processing_items=[{"hash": job.id} for job in queue.enqueue_many(data)]), 202


@app.post("/tasks/cancel")
def cancel():
    """Cancel what still can be."""
    for token in request.get_json()["tokens"]:
        try:
            Job.fetch(token, connection=redis).cancel()
        except (NoSuchJobError, InvalidJobOperation):
            continue
    return "", 204


@app.post("/check")
def check():
    """Say how each job stands."""
    return jsonify(results=[{"hash": token, "status": status(token)} for token in request.get_json()["tokens"]])


def status(token):
    """Return a job's status."""
    try:
        found = Job.fetch(token, connection=redis).get_status(refresh=False)
    except NoSuchJobError:
        return "unknown"
    return found.value if found else "unknown"
