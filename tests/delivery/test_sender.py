"""The sender of webhooks, against real receivers that do everything that receivers do."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from queue_tool.delivery.exchange import LONGEST_ANSWER, retry_after
from queue_tool.delivery.lookup import MOST_AT_ONCE
from queue_tool.delivery.sender import Sender
from queue_tool.delivery.signing import new_secret, signature
from queue_tool.errors import BadWebhook
from queue_tool.model.webhook import LONGEST_WISH, PAUSES, pause_after
from tests.certificate import certificate as made_certificate
from tests.receiver import Receiver, receiver
from tests.support import free_port

pytestmark = pytest.mark.sqlite

BODY = b'{"type": "task.finished"}'
SECRET = "s3cret"  # a part of each URL and a header of each request
HEADERS = {"Authorization": f"Bearer {SECRET}"}
SHORT = 0.3
"""Seconds of an exchange that cannot succeed."""


@pytest.fixture(scope="module")
def target() -> Iterator[Receiver]:
    """A receiver on a loopback address."""
    with receiver() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for the host `right.example`, and its key."""
    return made_certificate(tmp_path_factory.mktemp("tls"), "right.example")


def open_sender(seconds: float = 20.0) -> Sender:
    """Return a sender that may reach this machine."""
    return Sender(["127.0.0.0/8"], seconds=seconds)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/ok", 200, "thank you"),
        ("/fails", 500, "not today"),
        ("/gone", 410, ""),
        ("/moved", 302, ""),
        ("/informs", 204, ""),
        ("/odd", 200, "a\ufffdb\ufffd"),
    ],
)
def test_an_answer_is_what_the_receiver_says(target: Receiver, path: str, status: int, text: str) -> None:
    before = len(target.requests)
    answer = open_sender().send(target.url(f"{path}?key={SECRET}"), HEADERS | {"webhook-id": "1"}, BODY)
    assert (answer.status, answer.text, answer.problem) == (status, text, None)
    (request,) = target.requests[before:]  # one only: no redirect is followed
    assert (request.target, request.body) == (f"{path}?key={SECRET}", BODY)
    assert request.headers["authorization"] == HEADERS["Authorization"]
    assert request.headers["webhook-id"] == "1"
    assert request.headers["host"] == f"127.0.0.1:{target.port}"


def test_a_receiver_may_want_to_be_left_alone(target: Receiver) -> None:
    answer = open_sender().send(target.url("/busy"), HEADERS, BODY)
    assert (answer.status, answer.retry_after) == (503, 3600)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"retry-after": "120"}, 120),
        ({"retry-after": "Fri, 27 Nov 2026 10:00:30 GMT", "date": "Fri, 27 Nov 2026 10:00:00 GMT"}, 30),
        ({"retry-after": "Fri, 27 Nov 2026 09:00:00 GMT", "date": "Fri, 27 Nov 2026 10:00:00 GMT"}, 0),
        ({"retry-after": "Fri, 27 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "\xb2"}, None),
        ({"retry-after": "soon", "date": "now"}, None),
        ({}, None),
    ],
)
def test_seconds_and_times_in_retry_after_are_understood(header: dict[str, str], seconds: float | None) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in header.items()}
    assert retry_after(raw) == seconds


def test_a_wish_of_the_receiver_only_makes_a_pause_longer_up_to_a_day() -> None:
    assert pause_after(1, 0.5, 0) == pause_after(1, 0.5) == PAUSES[0]
    assert pause_after(1, 0.5, 60) == 60
    assert pause_after(2, 0.5, 60) == PAUSES[1]
    assert pause_after(1, 0.5, 10**12) == LONGEST_WISH
    assert pause_after(len(PAUSES) + 1, 0.5, 60) is None


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        ("/hangs", None, "did not answer completely within 0.3 seconds"),
        ("/dribbles", None, "did not answer completely within 0.3 seconds"),
        ("/dribbles-its-body", 200, "did not answer completely within 0.3 seconds"),
        ("/broken", None, "is not HTTP/1.1"),
        ("/closes", None, "closed the connection before its answer was complete"),
        ("/ends-early", 200, "closed the connection before its answer was complete"),
    ],
)
def test_a_receiver_that_does_not_answer_is_a_problem(
    target: Receiver, path: str, status: int | None, problem: str
) -> None:
    ends_by_itself = path in ("/broken", "/closes", "/ends-early")
    sender = open_sender() if ends_by_itself else open_sender(SHORT)
    answer = sender.send(target.url(f"{path}?key={SECRET}"), HEADERS, BODY)
    assert answer.status == status
    assert problem in (answer.problem or "")
    assert SECRET not in (answer.problem or "")


@pytest.mark.parametrize(("path", "status"), [("/huge", 200), ("/informs-for-ever", None)])
def test_a_large_answer_is_not_read_to_its_end(target: Receiver, path: str, status: int | None) -> None:
    answer = open_sender().send(target.url(path), {}, BODY)
    assert (answer.status, answer.problem) == (status, None)
    assert LONGEST_ANSWER - 100 <= len(answer.text) <= LONGEST_ANSWER if status else answer.text == ""


def test_a_receiver_may_answer_before_it_has_read_everything() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1)
                client.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        answer = open_sender().send(f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, b"x" * 20_000_000)
        thread.join()
    assert answer.status == 413


def test_a_header_that_would_add_a_header_is_not_sent(target: Receiver) -> None:
    before = len(target.requests)
    for value in (f"{SECRET}\r\nInjected: 1", f"{SECRET}é"):
        answer = open_sender().send(target.url("/ok"), {"X-Own": value}, BODY)
        assert answer.problem == "A header of this webhook cannot be sent."
    assert target.requests[before:] == []


def test_a_port_that_nobody_listens_at_is_a_problem() -> None:
    answer = open_sender().send(f"http://127.0.0.1:{free_port()}/?key={SECRET}", HEADERS, BODY)
    assert answer.status is None
    assert "Connection refused" in (answer.problem or "")
    assert SECRET not in (answer.problem or "")


# -- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.1.2.3"], ["::1"], ["::ffff:127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["fe80::1%lo"]],
)
def test_a_name_that_leads_to_a_private_address_is_refused(target: Receiver, addresses: list[str]) -> None:
    before = len(target.requests)
    sender = Sender(resolver=lambda _name: addresses)
    answer = sender.send(target.url("/ok", host="hooks.example"), HEADERS, BODY)
    assert answer.status is None
    assert "is not an address of the public internet" in (answer.problem or "")
    with pytest.raises(BadWebhook, match=r"hooks\.example leads to"):
        sender.check_receiver(target.url("/ok", host="hooks.example"))
    assert target.requests[before:] == []


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    answers = [["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2"]]
    sender = Sender(["127.0.0.2"], resolver=lambda _name: answers.pop(0))
    with receiver() as private, receiver("127.0.0.2", private.port) as checked:
        url = private.url("/ok", host="rebinds.example")
        assert sender.send(url, {}, BODY).status == 200
        assert [request.headers["host"] for request in checked.requests] == [f"rebinds.example:{private.port}"]
        assert "127.0.0.1, which is not" in (sender.send(url, {}, BODY).problem or "")
        assert sender.send(url, {}, BODY).status == 200
        assert private.requests == []
    assert answers == []  # one look-up per request


def test_the_name_of_a_host_may_be_allowed_with_all_its_addresses(target: Receiver) -> None:
    url = target.url("/ok", host="localhost")  # it may lead to ::1 first, where nobody listens
    assert "localhost leads to" in (Sender().send(url, {}, BODY).problem or "")
    for allowed in ("localhost", f"localhost:{target.port}"):
        assert Sender([allowed]).send(url, {}, BODY).status == 200
    assert Sender(["localhost:1"]).send(url, {}, BODY).status is None


def test_a_name_without_an_address_and_a_look_up_that_hangs_are_problems() -> None:
    is_over = threading.Event()

    def look_up(name: str) -> list[str]:
        if name == "unknown.example":
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        is_over.wait()
        return []

    assert Sender(resolver=look_up).send("http://unknown.example/", {}, BODY).problem == (
        "The name unknown.example has no address."
    )
    Sender(resolver=look_up).check_receiver("http://unknown.example/")  # it may be known later
    sender = Sender(resolver=look_up, seconds=0.01)
    for _ in range(MOST_AT_ONCE + 1):
        answer = sender.send("http://slow.example/", {}, BODY)
        assert answer.problem == "slow.example did not answer completely within 0.01 seconds."
    is_over.set()


def test_a_url_is_checked_before_anything_is_looked_up() -> None:
    def fail(_name: str) -> list[str]:
        raise AssertionError

    sender = Sender(["10.0.0.0/8"], resolver=fail)
    sender.check_url("https://hooks.example/in")
    sender.check_url("https://10.1.2.3:8443/in")
    for url in ("http://127.0.0.1/", "http://[::1]/", "http://[64:ff9b::7f00:1]/", "http://2130706433/", "ftp://h/"):
        with pytest.raises(BadWebhook) as refusal:
            sender.check_url(url)
        assert sender.send(url, {}, BODY).problem == refusal.value.sentence


# -- TLS --------------------------------------------------------------------------------------------------------


def test_a_certificate_must_be_for_the_host_of_the_url(certificate: Path) -> None:
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    names = ["right.example", "wrong.example", "127.0.0.1"]

    def trusting() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(certificate))

    with receiver(tls=context) as target:
        sender = Sender(names, resolver=lambda _name: ["127.0.0.1"], tls=trusting)
        assert sender.send(target.url("/ok", host="right.example"), {}, BODY).status == 200
        for host in ("wrong.example", "127.0.0.1"):
            problem = sender.send(target.url(f"/ok?key={SECRET}", host=host), HEADERS, BODY).problem or ""
            assert problem.startswith(f"The certificate of {host}:{target.port} is refused: ")
            assert SECRET not in problem
        strict = Sender(names, resolver=lambda _name: ["127.0.0.1"])
        assert "self-signed" in (strict.send(target.url("/ok", host="right.example"), {}, BODY).problem or "")
        assert [request.headers["host"] for request in target.requests] == [f"right.example:{target.port}"]
    assert asked == ["right.example", "wrong.example", None, "right.example"]


def test_a_receiver_that_does_not_speak_tls_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                client.recv(4096)

        thread = threading.Thread(target=speak)
        thread.start()
        answer = open_sender().send(f"https://127.0.0.1:{listener.getsockname()[1]}/", {}, BODY)
        thread.join()
    assert "does not speak TLS as required" in (answer.problem or "")


# -- signatures -------------------------------------------------------------------------------------------------


def test_the_library_of_the_standard_verifies_a_signature_with_each_secret() -> None:
    old, new, unknown = new_secret(), new_secret(), new_secret()
    at = datetime.now(timezone(timedelta(hours=5)))  # another zone than UTC
    headers = signature([new, old], "msg_1", at, BODY)
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == str(int(at.astimezone(UTC).timestamp()))
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, headers) == {"type": "task.finished"}
    for secret, body in ((unknown, BODY), (new, BODY + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers, json_parse=False)
