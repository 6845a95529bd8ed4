"""The pages of webhooks: register one, see its secret once, test it, and deliver again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest

from queue_tool.runtime import Runtime
from queue_tool.services.deliver import Deliver
from tests.conftest import RuntimeFactory
from tests.receiver import Receiver, receiver
from tests.support import LIMIT
from tests.web.conftest import KeyMaker
from tests.web.site import Site
from tests.web.test_pages import EVIL, send_form

WEBHOOKS = "/dashboard/webhooks"

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")

pytestmark = pytest.mark.sqlite


@pytest.fixture
def hooks() -> Iterator[Receiver]:
    """A receiver on this machine."""
    with receiver() as running:
        yield running


@pytest.fixture
def runtime(make_runtime: RuntimeFactory) -> Runtime:
    """A system whose webhooks may reach this machine."""
    return make_runtime(WEBHOOK_ALLOW="127.0.0.1")


def deliver(site: Site) -> None:
    """Send what waits, as the sweeper's process does."""
    sending: Deliver = site.runtime.deliver()
    sending()
    assert sending.wait_idle(LIMIT)


def registered(site: Site, url: str, **more: Any) -> tuple[str, str]:
    """Register a webhook with the form; return its page and its secret."""
    answer = send_form(site, f"{WEBHOOKS}/new", url=url, event=["task.finished", "task.failed"], **more)
    assert answer.status_code == 200, answer.text
    (secret,) = SECRET.findall(answer.text)
    (place,) = re.findall(rf'href="({WEBHOOKS}/[0-9a-f]{{32}})"', answer.text)
    return place, secret


def test_a_webhook_is_registered_tested_told_and_told_again(site: Site, hooks: Receiver) -> None:
    assert "There are no webhooks yet." in site.get(WEBHOOKS).text
    place, secret = registered(
        site, hooks.url("/ok"), description="orders", headers="Authorization: Bearer 7\n\nX-A: b:c"
    )
    page = site.get(place).text
    assert "Authorization" in page
    for path in (place, WEBHOOKS):
        assert "Bearer 7" not in site.get(path).text
        assert SECRET.search(site.get(path).text) is None
    assert "The test was sent" in send_form(site, place, action="test").text
    request = hooks.wait_for(1)[0]
    assert (request.headers["authorization"], request.headers["x-a"]) == ("Bearer 7", "b:c")
    site.work(site.send())
    deliver(site)
    hooks.wait_for(2)
    page = site.get(place).text
    assert re.findall(r'class="state \w+">(delivered|test)</span></td>', page) == ["delivered", "test"]
    assert "thank you" in page
    (message,) = set(re.findall(r'name="message" value="([0-9a-f]{32})"', page))
    assert "delivered again" in send_form(site, place, action="redeliver", message=message).text
    since = send_form(site, place, action="redeliver", since="2026-01-01T00:00")
    assert "delivered again" in since.text
    for fields in ({}, {"since": "soon"}, {"since": "2026-01-01T00:00", "message": message}):
        assert site.client.post(place, data={"action": "redeliver", **fields}).status_code == 400
    rotated = send_form(site, place, action="rotate")
    assert SECRET.findall(rotated.text) != [secret]
    assert "valid until" in rotated.text
    assert "It is deleted." in send_form(site, place, action="delete").text
    assert site.get(place).status_code == 404


def test_a_disabled_webhook_says_why_and_is_enabled(site: Site, hooks: Receiver) -> None:
    place, _ = registered(site, hooks.url("/gone"))
    site.work(site.send())
    deliver(site)
    page = site.get(place).text
    assert "disabled" in page
    assert 'value="redeliver"' not in page
    assert "gets messages again" in send_form(site, place, action="enable").text
    assert "disabled" not in site.get(WEBHOOKS).text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"url": "http://10.1.2.3/x"}, "10.1.2.3"),
        ({"url": "ftp://example.com"}, "http"),
        ({"headers": "no colon"}, "as `Name: value`"),
        ({"headers": "A: 1\nA: 2"}, "occurs twice"),
        ({"event": []}, "needs events"),
        ({"event": ["batch.finished"], "tag": "t"}, "A batch has no task type"),
    ],
)
def test_a_mistake_is_named_and_the_form_keeps_every_field(site: Site, fields: Any, sentence: str) -> None:
    given = {"url": "http://127.0.0.1/x", "event": ["task.failed"], "description": "kept words", "headers": "K: kept"}
    answer = send_form(site, f"{WEBHOOKS}/new", **given | fields)
    assert answer.status_code == 400
    shown = html.unescape(answer.text)
    assert sentence in shown
    assert "kept words" in shown
    assert (given | fields)["url"] in shown
    assert (given | fields)["headers"].split("\n")[0] in shown
    assert site.get_json("/webhooks")["total"] == 0


def test_what_users_write_about_webhooks_is_shown_as_text(site: Site, hooks: Receiver) -> None:
    url = hooks.url("/ok") + "?<b>&a='x'"
    place, _ = registered(site, url.replace("<b>", "%3Cb%3E"), description=EVIL, tag=EVIL[:40], task_type=EVIL[:30])
    wrong = send_form(site, f"{WEBHOOKS}/new", url='"><i>', headers=EVIL, description=EVIL).text
    seen = ""
    for text in (wrong, *(site.get(path, {"Accept": "text/html"}).text for path in (WEBHOOKS, place))):
        assert "<img src=x" not in text
        assert len(re.findall("<script", text)) == 1
        assert not re.search(r"<[bi]>", text)
        seen += html.unescape(text)
    assert seen.count("<img src=x onerror=alert(1)>") >= 4


def test_only_admins_see_the_buttons(site: Site, hooks: Receiver, bearer: KeyMaker) -> None:
    place, _ = registered(site, hooks.url("/ok"))
    key = bearer("submit")
    for path in (WEBHOOKS, place):
        page = site.get(path, key).text
        assert "New webhook" not in page
        assert 'name="action"' not in page
    for path in (place, f"{WEBHOOKS}/new"):
        assert site.client.post(path, data={"action": "delete"}, headers=key).status_code == 403
    assert site.get_json("/webhooks", key)["total"] == 1
