"""A client that `openapi-python-client` generates from `/openapi.json` does the work of a real user."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import LIMIT, System, http

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

PACKAGE = "client_from_the_document"
GENERATOR = Path(sys.executable).with_name("openapi-python-client")


@dataclass(frozen=True)
class Generated:
    """The generated package. Its modules have no types that this file could name."""

    operations: Mapping[str, Any]  # the module of each operation, by its operationId
    models: Any
    client: Any

    def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Send the request of an operation; return the value that the client made of the answer."""
        return self.operations[name].sync(*arguments, client=self.client, **options)

    def response(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Send the request of an operation; return the whole response."""
        return self.operations[name].sync_detailed(*arguments, client=self.client, **options)


def snake(name: str) -> str:
    """Return a camelCase name in snake_case."""
    return re.sub("([A-Z])", r"_\1", name).lower()


def generated(system: System, folder: Path) -> Generated:
    """Generate the client of a system into a folder of Python's path, and import all of its operations."""
    answer = http("GET", system.url("/openapi.json"))
    source, config = folder / "openapi.json", folder / "config.yml"
    source.write_bytes(answer.body)
    config.write_text("post_hooks: []\n")
    paths = ["--path", str(source), "--config", str(config), "--output-path", str(folder / PACKAGE)]
    made = subprocess.run(
        [GENERATOR, "generate", *paths, "--meta", "none"], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (made.returncode, made.stderr, made.stdout.strip().splitlines()[1:]) == (0, "", []), made.stdout
    places = {
        operation["operationId"]: f"{PACKAGE}.api.{operation['tags'][0].replace(' ', '_').replace('-', '_')}"
        for methods in answer.json["paths"].values()
        for operation in methods.values()
    }
    return Generated(
        operations={name: importlib.import_module(f"{place}.{snake(name)}") for name, place in places.items()},
        models=importlib.import_module(f"{PACKAGE}.models"),
        client=importlib.import_module(PACKAGE).Client(base_url=system.url(""), raise_on_unexpected_status=True),
    )


@pytest.fixture
def importable(tmp_path: Path) -> Iterator[Path]:
    """A folder of Python's path, from which a test can import."""
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))


def test_a_generated_client_sends_tasks_and_reads_their_results(lasting_system: System, importable: Path) -> None:
    api = generated(lasting_system, importable)
    assert [name for name in api.models.__all__ if re.search(r"Type\d", name)] == [], "a part of a union has no name"
    with api.client:
        tokens = sends_a_batch(api)
        checks(api, tokens)
        sends_single_tasks(api)
        sends_under_earlier_names(api)
        reads_errors(api)


def sends_a_batch(api: Generated) -> list[str]:
    """Send a batch with a bad element and read its results; return the tokens of the others."""
    models = api.models
    bad = models.TaskDataSleep(item="bad", valor=-1)
    sent = api.call(
        "submitBatch", body=[models.TaskDataSleep(item="a", valor=0), bad, models.TaskDataSleep(item="b", valor=0)]
    )
    assert isinstance(sent, models.Received)
    first, refused, last = sent.processing_items
    assert (refused.hash_, refused.errors[0].path) == ("INVALID_JOB_REQUEST", "/valor")

    batch = api.call("getBatch", sent.batch, prefer="wait=30")
    assert isinstance(batch, models.Batch)
    assert batch.status == models.BatchStatus.FINISHED
    assert (batch.counts.finished, batch.counts.rejected, batch.finished_at >= batch.created_at) == (2, 1, True)

    lines = api.response("streamResults", sent.batch).content.splitlines()
    results = [models.BatchResult.from_dict(json.loads(line)) for line in lines]
    assert [(line.index, line.item, line.token, line.status) for line in results] == [
        (0, "a", first.hash_, "finished"),
        (1, "bad", None, "rejected"),
        (2, "b", last.hash_, "finished"),
    ]
    assert (results[1].error.code, results[1].error.errors) == ("rejected", refused.errors)
    return [first.hash_, last.hash_]


def checks(api: Generated, tokens: list[str]) -> None:
    """Read the states of tasks, one by one and many at once."""
    models = api.models
    one = api.call("checkTask", tokens[0])
    assert (one.status, one.message, one.error) == (models.State.FINISHED, "Finalizado", None)
    many = api.call("checkTasks", body=models.CheckBody(tokens=[*tokens, "unknown"]))
    assert [each.status for each in many.results] == ["finished", "finished", "unknown"]


def sends_single_tasks(api: Generated) -> None:
    """Send tasks of other types, and find them in a list."""
    models = api.models
    request = models.TaskRequest(task_type="uppercase", data="hello", custom_id="generated", tags=["generated"])
    sent = api.call("submitTasks", body=request)
    assert isinstance(sent, models.TaskStatus)
    result = api.call("getResult", sent.token, prefer="wait=30")
    assert (result.status, result.result) == (models.State.FINISHED, "HELLO")
    failing = models.TaskRequest(task_type="simulate", data={"min": 0, "max": 0, "failure": 1}, tags=["generated"])
    received = api.call("submitTasks", body=[failing])
    (failed,) = [element.hash_ for element in received.processing_items]
    details = api.call("getTask", failed, prefer="wait=30")
    assert (details.status, details.error.code) == (models.State.FAILED, models.Code.ERROR)
    page = api.call("listTasks", status=[models.State.FAILED, models.State.FINISHED], tag="generated")
    assert [task.token for task in page.items] == [failed, sent.token]
    assert api.call("listTasks", status=[models.State.QUEUED, models.State.CANCELED], tag="generated").total == 0


def sends_under_earlier_names(api: Generated) -> None:
    """Send tasks as the clients of earlier systems do."""
    models = api.models
    request = models.PayloadRequest(payload="hello", task_type="uppercase", tags=["earlier"])
    sent = [api.call("submitTasks", body=request).token, api.call("enqueueJob", body={"a": 1}).job_id]
    sent += [element.hash_ for element in api.call("submitTask", body=[request]).processing_items]
    sent.append(api.call("enqueueJob").job_id)
    results = [api.call("getTaskDetails", token, prefer="wait=30").result for token in sent]
    assert results == ["HELLO", {"a": 1}, "HELLO", None]
    normal, finished = models.SearchTasksPriority("50"), models.State.FINISHED
    found = api.call("searchTasks", tag="earlier", priority=normal, status=[finished])
    assert [task.id for task in found.items] == [sent[2], sent[0]]


def reads_errors(api: Generated) -> None:
    """Read errors as typed values."""
    models = api.models
    unknown = api.response("getBatch", "unknown")
    assert (unknown.status_code, type(unknown.parsed)) == (404, models.Problem)
    assert unknown.parsed.code == "batch_not_found"
    refused = api.call("submitTasks", body=models.TaskRequest(task_type="uppercase", data=1))
    assert (refused.code, [error.path for error in refused.errors]) == ("bad_task", ["/data"])
