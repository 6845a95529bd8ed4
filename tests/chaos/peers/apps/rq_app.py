"""Flask in front of RQ, and the function that RQ's workers call."""

import os

from flask import Flask, jsonify, request
from redis import Redis
from rq import Queue, Retry, get_current_job
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from work import do

MAX_RETRIES = 3
"""The maximum number of retries of a job, including retries of an abandoned job."""

app = Flask(__name__)
redis = Redis.from_url(os.environ["CHAOS_REDIS"])
queue = Queue("chaos", connection=redis)


def run(kind, data):
    """Run one attempt of a task."""
    job = get_current_job()
    left = job.retries_left if job.retries_left is not None else MAX_RETRIES
    return do(kind, data, job.id, 1 + MAX_RETRIES - left, last=not left)


@app.get("/live")
def live():
    """Answer that the web process runs."""
    return "", 200


@app.post("/tasks")
def submit():
    """Enqueue all jobs in one transaction of RQ."""
    rules = {"timeout": 60, "result_ttl": 3600, "failure_ttl": 3600}
    data = [
        Queue.prepare_data(
            run, (task["task_type"], task["data"]), retry=Retry(max=MAX_RETRIES, interval=[1, 2, 4]), **rules
        )
        for task in request.get_json()
    ]
    return jsonify(processing_items=[{"hash": job.id} for job in queue.enqueue_many(data)]), 202


@app.post("/tasks/cancel")
def cancel():
    """Cancel the jobs that can still be canceled."""
    for token in request.get_json()["tokens"]:
        try:
            Job.fetch(token, connection=redis).cancel()
        except (NoSuchJobError, InvalidJobOperation):
            continue
    return "", 204


@app.post("/check")
def check():
    """Return the state of each job."""
    return jsonify(results=[{"hash": token, "status": status(token)} for token in request.get_json()["tokens"]])


def status(token):
    """Return a job's status."""
    try:
        found = Job.fetch(token, connection=redis).get_status(refresh=False)
    except NoSuchJobError:
        return "unknown"
    return found.value if found else "unknown"
