"""The pages of queues, workers and keys, what a field suggests, and failed tasks that are deleted."""

from __future__ import annotations

import html
import re

import pytest

from queue_tool.host.clock import CLOCK
from queue_tool.model.heartbeat import Heartbeat, Slots
from queue_tool.model.queues import Lane
from tests.web.conftest import KeyMaker
from tests.web.site import ON_BOTH, UNKNOWN, Site
from tests.web.test_pages import EVIL, TASKS, send_form, tokens_on

SUGGESTIONS = "/dashboard/suggestions"


def suggested(site: Site, name: str, text: str) -> list[str]:
    """Return the values that a field offers for a text."""
    answer = site.client.get(f"{SUGGESTIONS}/{name}", query_string={"text": text})
    assert answer.status_code == 200
    return [html.unescape(value) for value in re.findall(r'<option value="([^"]*)"', answer.text)]


def test_the_queues_show_what_waits_and_are_paused(site: Site) -> None:
    site.send(priority="high")
    page = "/dashboard/queues"
    found = site.get(page).text
    assert re.findall(r'priority=(\w+)">(\w+)</a>', found) == [("high", "high"), ("normal", "default"), ("low", "low")]
    assert "none of its waiting tasks start" in send_form(site, page, queue="low", action="pause").text
    assert site.get_json("/queue")["queues"][2]["paused"]
    assert "The queue works again" in send_form(site, page, queue="low", action="resume").text
    assert site.client.post(page, data={"queue": "none", "action": "pause"}).status_code == 400


def test_the_workers_are_shown_by_host_with_the_use_of_their_lanes(site: Site) -> None:
    worker = site.runtime.owner.id()
    site.claim(site.send())
    lanes = {Lane.LOOP: Slots(10_000, 2500), Lane.THREADS: Slots(32, 32)}
    site.runtime.store.workers.beat(worker, Heartbeat(at=CLOCK.now(), finished=7, failed=2, lanes=lanes))
    page = html.unescape(site.get("/dashboard/workers").text)
    assert "2500 / 10\u202f000" in page
    assert "32 / 32" in page
    assert 'width="250.0"' in page
    assert "busy" in page
    site.runtime.store.workers.report(worker, f"cannot work {EVIL}")
    text = site.get("/dashboard/workers").text
    assert "in trouble" in text
    assert "<img src=x" not in text


@pytest.mark.sqlite
def test_a_key_is_made_shown_once_and_revoked(site: Site) -> None:
    page = "/dashboard/keys"
    assert "From the first key on" in site.get(page).text
    assert site.client.post(page, data={"action": "create", "role": "read"}).status_code == 400
    made = send_form(site, page, action="create", role="admin", name=EVIL)
    (secret,) = re.findall(r"<pre[^>]*>(qt_[\w-]+)</pre>", made.text)
    assert "<img src=x" not in made.text
    key = {"Authorization": f"Bearer {secret}"}
    assert site.get(page).status_code == 401
    shown = site.get(page, key)
    assert secret not in shown.text
    assert "<img src=x" not in shown.text
    assert "yours" in shown.text
    other = site.client.post(page, data={"action": "create", "role": "read", "name": "Ana"}, headers=key)
    (reader,) = re.findall(r"<pre[^>]*>(qt_[\w-]+)</pre>", other.text)
    read = {"Authorization": f"Bearer {reader}"}
    assert "/dashboard/keys" not in site.get(TASKS, read).text
    assert site.get(page, read).status_code == 403
    (found,) = [each for each in site.runtime.store.keys.all() if each.name == "Ana"]
    revoked = site.client.post(page, data={"action": "revoke", "key": found.id}, headers=key, follow_redirects=True)
    assert "The key is revoked." in revoked.text
    assert site.get(TASKS, read).status_code == 401
    assert site.client.post(page, data={"action": "revoke", "key": UNKNOWN}, headers=key).status_code == 404
    assert (
        site.client.post(page, data={"action": "create", "role": "admin", "name": "x" * 256}, headers=key).status_code
        == 400
    )


@ON_BOTH
def test_a_field_offers_what_a_text_may_mean(site: Site) -> None:
    tags = ["red", "redder", "réd", "blue", "Ω", "a_b", "a%b", EVIL]
    batch, tokens = site.batch(*[{"tags": tags}] * 3, {"tags": ["red"]}, query="?name=Nightly+import")
    other, _ = site.batch({}, query="?name=other")
    assert suggested(site, "tag", "") == sorted(tags)
    assert suggested(site, "tag", "red") == ["red", "redder"]
    assert suggested(site, "tag", "a%") == ["a%b"]
    assert suggested(site, "tag", "no") == []
    for name in ("order 2", "order 1", "order 1", "else"):
        site.send(custom_id=name)
    assert suggested(site, "custom_id", "ord") == ["order 1", "order 2"]
    assert suggested(site, "batch", "") == [other, batch]
    assert suggested(site, "batch", "IMPORT") == suggested(site, "batch", batch[:31]) == [batch]
    assert suggested(site, "task_type", "MIR") == ["mirror"]
    assert suggested(site, "task_type", "u")[0] == "uppercase"
    assert "Europe/Lisbon" in suggested(site, "timezone", "lisb")
    assert "America/Sao_Paulo" in suggested(site, "timezone", "sao p")
    assert len(suggested(site, "timezone", "")) == 20
    site.claim(tokens[0])
    host = site.runtime.store.workers.all()[0].process.host
    assert suggested(site, "host", host[:3]) == [host]
    assert site.get(f"{SUGGESTIONS}/password").status_code == 404
    assert site.get(f"{SUGGESTIONS}/tag?text=%00red").text.count("<option") == 2
    for n in range(30):
        site.send(tags=[f"many {n:02}"])
    assert suggested(site, "tag", "many") == [f"many {n:02}" for n in range(20)]


@ON_BOTH
def test_failed_tasks_are_deleted_by_selection_by_kind_and_all_that_match(site: Site, bearer: KeyMaker) -> None:
    rows = [site.send(task_type="fails", data=f"row {n}", tags=["t"]) for n in range(4)]
    other = site.send(task_type="fails", data="else", tags=["t"])
    good = site.send(tags=["t"])
    open_batch, (in_open, _) = site.batch({"task_type": "fails", "data": "open"}, {})
    site.work(*rows, other, good, in_open)
    done = send_form(site, TASKS, action="delete", token=[rows[0], good, in_open, UNKNOWN], filter="tag=t")
    assert "Deleted tasks: 1 of 3. The others have not failed, or their batch has not ended." in done.text
    assert tokens_on(site, TASKS)[-5:] == [good, other, *rows[:0:-1]]
    asked = send_form(site, TASKS, action="delete_all", filter="tag=t")
    assert '<strong id="total">4</strong>' in asked.text
    assert '<strong id="total">0</strong>' in send_form(site, TASKS, action="delete_all", filter="status=queued").text
    one = send_form(site, f"{TASKS}/{rows[1]}", action="delete")
    assert "Deleted tasks: 1" in one.text
    assert site.get(f"{TASKS}/{rows[1]}").status_code == 404

    groups = re.findall(r"delete=([0-9a-f]+)", site.get("/dashboard/deadletters").text)
    kind = next(each for each in groups if "row …" in site.get(f"/dashboard/deadletters?delete={each}").text)
    assert '<strong id="total">2</strong>' in site.get(f"/dashboard/deadletters?delete={kind}").text
    assert "Nothing matches" in site.get("/dashboard/deadletters?delete=none").text
    assert "Deleted tasks: 2" in send_form(site, "/dashboard/deadletters", action="delete", group=kind).text
    assert "Deleted tasks: 1" in send_form(site, TASKS, action="delete_all", filter="tag=t", confirmed="yes").text
    assert tokens_on(site, f"{TASKS}?tag=t") == [good]
    assert site.get_json(f"/batches/{open_batch}")["counts"]["failed"] == 1
    key = bearer("submit")
    for path, fields in ((TASKS, {"token": in_open}), (f"{TASKS}/{in_open}", {})):
        assert site.client.post(path, data={"action": "delete", **fields}, headers=key).status_code == 403
    assert 'value="delete"' not in site.get(f"{TASKS}?status=failed", key).text
