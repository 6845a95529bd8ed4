"""The URLs and headers of webhooks, and the setting that allows private ones."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from queue_tool.errors import BadWebhook
from queue_tool.model.allowed import Allowed, read_allow
from queue_tool.model.receivers import check_headers, receiver_of


@pytest.mark.parametrize(
    ("url", "place", "target"),
    [
        ("https://hooks.example", "hooks.example", "/"),
        ("HTTPS://Hooks.Example.:443/A?b=C", "hooks.example", "/A?b=C"),
        ("http://hooks.example:80/", "hooks.example", "/"),
        ("http://hooks.example:443/%41", "hooks.example:443", "/%41"),
        ("http://my_host:8080?x=http://y/@:", "my_host:8080", "/?x=http://y/@:"),
        ("http://127.0.0.1./", "127.0.0.1", "/"),
        ("https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443", "/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
    ],
)
def test_a_url_of_http_names_a_receiver(url: str, place: str, target: str) -> None:
    receiver = receiver_of(url)
    assert (receiver.place, receiver.target) == (place, target)
    assert receiver.is_encrypted == url.lower().startswith("https")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "//hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "http:///path",
        "http://",
        "http://u@hooks.example/",
        "http://u:p@hooks.example/",
        "http://hooks.example:0/",
        "http://hooks.example:65536/",
        "http://hooks.example:/",
        "http://hooks.example:x/",
        "http://hooks.example/#part",
        "http://hooks.example\\@127.0.0.1/",
        "http://hooks.example /",
        "http://hooks.example/\r\nX: y",
        "http://hooks.example/é",
        "http://bücher.example/",
        "http://hooks.example/%zz",
        "http://-a.example/",
        "http://a..example/",
        f"http://{'a' * 64}.example/",
        f"http://{'a.' * 127}example/",
        f"http://hooks.example/{'a' * 2048}",
        *("http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/"),
        *("http://1.2.3.4.5/", "http://256.1.1.1/", "http://example.0x/", "http://%31/"),
        *("http://[::1", "http://[127.0.0.1]/", "http://[::1]x/", "http://[fe80::1%25eth0]/", "http://::1/"),
    ],
)
def test_any_other_text_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(BadWebhook) as refusal:
        receiver_of(url)
    assert refusal.value.sentence.isprintable()
    assert "path" not in refusal.value.sentence


PIECES = r"http:// https:// h a.b 127.0.0.1 [::1] :80 : / // ? # @ % %41 %2F \ é xn-- . .. - _ 0x7f 1"
pieces = st.sampled_from([*PIECES.split(), "\t", "\n", " ", "\u3002"])


@settings(deadline=None)
@given(st.lists(pieces, max_size=7).map("".join) | st.text(max_size=30).map("http://{}".format))
@example("http://a\\@127.0.0.1/")
def test_other_programs_find_the_same_host_in_a_url_that_is_accepted(url: str) -> None:
    try:
        receiver = receiver_of(url)
    except BadWebhook:
        return
    parts = urlsplit(url)
    assert (parts.hostname or "").removesuffix(".") == (
        receiver.host if receiver.address is None else (parts.hostname or "").removesuffix(".")
    )
    assert parts.port in (None, receiver.port)
    assert parts.username is None


@pytest.mark.parametrize(
    "headers",
    [
        {"": "x"},
        {"a b": "x"},
        {"a:": "x"},
        {"é": "x"},
        {"A": ""},
        {"A": "x\r\nB: y"},
        {"A": " x"},
        {"A": "é"},
        {"A": "x" * 1025},
        {"A": "1", "a": "2"},
        {"Host": "x"},
        {"Webhook-Signature": "x"},
        {"Proxy-Authorization": "x"},
        {"Transfer-Encoding": "chunked"},
        {f"X-{number}": "x" for number in range(21)},
    ],
)
def test_a_header_that_cannot_be_sent_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadWebhook):
        check_headers(headers)


def test_other_headers_may_be_sent() -> None:
    check_headers({"Authorization": "Bearer a b", "X-Team": "é".encode().hex(), "A": "\tx".strip()})


@pytest.mark.parametrize(
    ("text", "reached", "refused"),
    [
        ("10.0.0.0/8", ["http://10.1.2.3/"], ["http://127.0.0.1/", "http://192.168.0.1/"]),
        ("192.168.0.1", ["http://192.168.0.1/", "http://[::ffff:192.168.0.1]/"], ["http://192.168.0.2/"]),
        ("192.168.0.1:8080", ["http://192.168.0.1:8080/"], ["http://192.168.0.1/"]),
        ("::1, fd00::/8", ["http://[::1]/", "http://[fd12::1]/"], ["http://[fe80::1]/"]),
        ("[::1]:8080", ["http://[::1]:8080/"], ["http://[::1]:8081/"]),
        (" 127.0.0.0/8 , , ", ["http://127.1.2.3/"], ["http://10.0.0.1/"]),
        ("", ["http://1.1.1.1/"], ["http://127.0.0.1/"]),
    ],
)
def test_the_setting_allows_addresses(text: str, reached: list[str], refused: list[str]) -> None:
    allowed = Allowed(read_allow(text))
    for url in reached + refused:
        receiver = receiver_of(url)
        assert receiver.address is not None
        assert (allowed.refused(receiver, [receiver.address]) is None) == (url in reached)


def test_the_setting_allows_a_host_whatever_it_leads_to() -> None:
    private = [ip_address("10.0.0.1")]
    for text, allows in (("Hooks.Internal", True), ("hooks.internal:8080", True), ("hooks.internal:80", False)):
        receiver = receiver_of("http://hooks.internal.:8080/")
        assert (Allowed(read_allow(text)).refused(receiver, private) is None) == allows
    assert Allowed(["internal"]).refused(receiver_of("http://hooks.internal/"), private) == private[0]


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.0.1/8", "10.0.0.0/33", "*.internal", "http://h", "h:0", "h:65536", "h:x", "[h]", "[::1", "0x7f.1"),
        *("127.1", "h/24", "::1%lo", "u@h", "h h", "é", "::1:8080x"),
    ],
)
def test_a_mistake_in_the_setting_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="networks, addresses and names of hosts"):
        read_allow(f"10.0.0.0/8, {text}")
