"""Open batches over HTTP: make, fill, ask, resume, seal and cancel one; every status code of its routes."""

from __future__ import annotations

from typing import Any

from tests.web.site import Site

GOOD = {"item": "a", "valor": 0}
LINES = {"Content-Type": "application/x-ndjson"}


def opened(client: Any, **body: Any) -> str:
    answer = client.post("/batches", json=body)
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/batches/{answer.json['id']}")
    return str(answer.json["id"])


def send(client: Any, batch: str, start: int, values: object, **more: Any) -> Any:
    return client.post(f"/batches/{batch}/elements?from={start}", **({"json": values} | more))


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def test_an_open_batch_takes_elements_until_it_is_sealed_and_then_ends(site: Site) -> None:
    client: Any = site.client
    batch = opened(client, name="import", metadata={"customer": "42"}, task_type="sleep")
    empty = client.get(f"/batches/{batch}").json
    assert [empty[key] for key in ("total", "open", "progress", "status", "sealed")] == [0, 0, 0.0, "running", False]

    first = send(client, batch, 0, [GOOD, {"item": "bad"}])
    assert (first.status_code, first.json["total"], first.headers["Location"]) == (200, 2, f"/batches/{batch}")
    assert [element["index"] for element in first.json["processing_items"]] == [0, 1]
    second = send(client, batch, 2, None, data=b'{"item": "b", "valor": 0}\n{"item": "c", "valor": 0}\n', headers=LINES)
    assert [element["index"] for element in second.json["processing_items"]] == [2, 3]
    assert send(client, batch, 4, []).json["processing_items"] == []
    assert send(client, batch, 0, [GOOD, {"item": "bad"}]).json == first.json  # the same bytes, the same answer

    other = send(client, batch, 0, [GOOD])
    assert (code_of(other), other.json["total"]) == ((409, "wrong_start"), 4)
    assert send(client, batch, 3, [GOOD]).json["total"] == 4
    assert send(client, batch, 9, [GOOD]).json["total"] == 4

    kept = first.json["processing_items"] + second.json["processing_items"]
    assert client.get(f"/batches/{batch}/elements").json == {"items": kept, "next": None}
    page = client.get(f"/batches/{batch}/elements?from=1&limit=2").json
    assert page == {"items": kept[1:3], "next": 3}
    assert client.get(f"/batches/{batch}/elements?from=3&limit=2").json == {"items": kept[3:], "next": None}

    site.work(*(element["hash"] for element in kept if "errors" not in element))
    ended = client.get(f"/batches/{batch}").json
    counts = ended["counts"]
    assert (counts["finished"], counts["rejected"], ended["open"], ended["message"]) == (3, 1, 0, "Em processamento")
    assert client.get("/batches?metadata.customer=42").json["items"][0]["total"] == 4
    for _ in range(2):
        sealed = client.post(f"/batches/{batch}/seal")
        found = sealed.json
        assert (sealed.status_code, found["message"], found["sealed_by"]) == (200, "Finalizado", "request")
    assert code_of(send(client, batch, 4, [GOOD])) == (409, "batch_sealed")
    lines = client.get(f"/batches/{batch}/results").text.splitlines()
    assert len(lines) == 4


def test_without_a_task_type_the_elements_are_tasks_and_an_empty_sealed_batch_ends_at_once(site: Site) -> None:
    client: Any = site.client
    batch = opened(client)
    assert client.post(f"/batches/{batch}/seal").json["status"] == "finished"
    batch = opened(client)
    answer = send(client, batch, 0, [{"task_type": "uppercase", "data": "a", "custom_id": "x"}, {"task_type": "no"}])
    good, bad = answer.json["processing_items"]
    assert (good["custom_id"], bad["hash"]) == ("x", "INVALID_JOB_REQUEST")
    keys = [{"task_type": "echo", "data": 1, "unique_key": "k"}] * 2
    first, second = send(client, batch, 2, keys).json["processing_items"]
    assert second["duplicate_of"] == first["hash"]
    assert second["index"] == 3
    canceled = client.post(f"/batches/{batch}/cancel", json={})
    assert canceled.json == {"matched": 2, "changed": 2}
    ended = client.get(f"/batches/{batch}").json
    assert (ended["status"], ended["sealed_by"], ended["counts"]["canceled"]) == ("finished", "cancel", 2)
    assert code_of(send(client, batch, 4, [GOOD])) == (409, "batch_sealed")


def test_what_these_routes_refuse(site: Site) -> None:
    client: Any = site.client
    batch = opened(client, task_type="sleep")
    unknown = "0" * 32
    assert code_of(send(client, unknown, 0, [GOOD])) == (404, "batch_not_found")
    assert code_of(client.post(f"/batches/{unknown}/seal")) == (404, "batch_not_found")
    assert code_of(client.get(f"/batches/{unknown}/elements")) == (404, "batch_not_found")
    assert code_of(send(client, batch, 0, GOOD)) == (400, "not_an_array")
    assert code_of(send(client, batch, 0, None, data=b"[1", content_type="application/json")) == (400, "malformed_json")
    assert code_of(send(client, batch, 0, None, data=b"[]", content_type="text/plain")) == (
        415,
        "unsupported_media_type",
    )
    assert code_of(client.post(f"/batches/{batch}/elements", json=[GOOD])) == (400, "bad_parameter")
    assert code_of(client.post(f"/batches/{batch}/elements?from=-1", json=[GOOD])) == (400, "bad_parameter")
    assert code_of(client.get(f"/batches/{batch}/elements?limit=10001")) == (400, "bad_parameter")
    assert code_of(send(client, batch, 0, [1] * (site.runtime.settings.max_batch + 1))) == (413, "too_many_items")
    assert code_of(client.post("/batches", json={"task_type": "no"})) == (400, "bad_request")
    assert code_of(client.post("/batches", json={"names": "a"})) == (400, "bad_request")
    assert code_of(client.post("/batches", json={"metadata": {"a": 1}})) == (400, "bad_request")
    assert code_of(client.post("/batches", json={"name": "a\0"})) == (400, "bad_request")
    assert code_of(client.post("/batches", json={"name": ""})) == (400, "bad_parameter")
    ordinary, _ = site.batch({})
    assert code_of(send(client, ordinary, 1, [GOOD])) == (409, "batch_sealed")
    assert len(client.get(f"/batches/{ordinary}/elements").json["items"]) == 1
    assert client.get(f"/batches/{batch}").json["total"] == 0


def test_an_idempotency_key_makes_an_open_batch_once(site: Site) -> None:
    key = {"Idempotency-Key": "k"}
    client: Any = site.client
    first = client.post("/batches", json={"name": "a"}, headers=key)
    assert client.post("/batches", json={"name": "a"}, headers=key).json["id"] == first.json["id"]
    assert code_of(client.post("/batches", json={"name": "b"}, headers=key)) == (422, "idempotency_key_reused")
