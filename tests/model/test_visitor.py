"""Visitors: which signs show that a request is not from this machine."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.model.visitor import LOCAL_HOSTS, Visitor, is_loopback

relaxed = settings(deadline=None)
LOCAL = Visitor(
    peer="127.0.0.1",
    host="127.0.0.1:5000",
    protocol="HTTP/1.1",
    headers=frozenset({"host", "user-agent", "accept"}),
    origin=None,
    sec_fetch_site=None,
)


def is_local(visitor: Visitor) -> bool:
    return visitor.sign_of_elsewhere() is None


def test_a_request_that_shows_every_sign_of_this_machine_is_local() -> None:
    assert is_local(LOCAL)


@pytest.mark.parametrize("protocol", ["", "HTTP/0.9", "HTTP/1", "HTTP/1.0", "HTTP", "SPDY/3"])
def test_an_old_or_unknown_protocol_is_not_local(protocol: str) -> None:
    assert not is_local(replace(LOCAL, protocol=protocol))


@pytest.mark.parametrize("host", ["[::1]evil.com", "[::1]evil.com:80", "localhost:evil", "127.0.0.1:80:80", "[::1", ""])
def test_a_host_that_only_begins_like_this_machine_is_not_local(host: str) -> None:
    assert not is_local(replace(LOCAL, host=host))


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("10.0.0.1", False),
        ("192.168.1.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("::2", False),
        ("fe80::1", False),
        ("::ffff:10.0.0.1", False),
        ("128.0.0.1", False),
        ("unix", False),
    ],
)
def test_the_peer_must_be_this_machine(peer: str, local: bool) -> None:
    assert is_local(replace(LOCAL, peer=peer)) is local


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LocalHost:5000", True),
        ("localhost.", False),
        ("localhost.:5000", False),
        ("ip6-localhost", False),
        ("127.0.0.1", True),
        ("127.0.0.1:80", True),
        ("127.255.255.254:5000", False),
        ("[::1]", True),
        ("[::1]:5000", True),
        ("[::ffff:127.0.0.1]:5000", False),
        ("[::ffff:7f00:1]:5000", False),
        ("[0:0:0:0:0:0:0:1]:5000", False),
        ("::1", False),
        ("127.0.0.1:5000\n", False),
        ("127.0.0.1,127.0.0.1", False),
        ("", False),
        (":5000", False),
        ("example.org", False),
        ("example.org:5000", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("evil-localhost", False),
        ("notlocalhost", False),
        ("localhostx:5000", False),
        ("sub.localhost", False),
        ("192.168.0.2:5000", False),
        ("0.0.0.0:5000", False),
        ("[::]:5000", False),
        ("[fe80::1]:5000", False),
        ("[2001:db8::1]", False),
        ("127.1", False),
        ("2130706433", False),
        ("0x7f000001", False),
        ("0177.0.0.1", False),
        ("user@localhost", False),
    ],
)
def test_the_host_that_was_asked_for_must_be_this_machine(host: str, local: bool) -> None:
    assert is_local(replace(LOCAL, host=host)) is local


@pytest.mark.parametrize(
    "header",
    [
        "forwarded", "via", "x-real-ip", "x-forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
        "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-client-cert", "x-client-ip", "true-client-ip",
        "cf-connecting-ip", "cf-ray", "cf-visitor", "x-envoy-external-address", "x-envoy-internal",
        "x-cluster-client-ip", "cdn-loop", "x-amzn-trace-id", "x-amz-cf-id", "fastly-client-ip", "fly-client-ip",
        "x-azure-clientip", "x-appengine-user-ip", "x-varnish", "x-original-host", "client-ip",
    ],
)  # fmt: skip
def test_a_request_that_came_through_a_proxy_is_not_local(header: str) -> None:
    sign = replace(LOCAL, headers=LOCAL.headers | {header}).sign_of_elsewhere()
    assert sign is not None
    assert f"the header {header} " in sign


@pytest.mark.parametrize(
    "header",
    [
        "cookie",
        "origin",
        "referer",
        "viable",
        "x-request-id",
        "x-forward",
        "priority",
        "cfg",
        "x-env",
        "x-amz-date",
        "client",
    ],
)
def test_other_headers_say_nothing_of_a_proxy(header: str) -> None:
    assert is_local(replace(LOCAL, headers=LOCAL.headers | {header}))


@pytest.mark.parametrize(
    ("site", "local"),
    [
        (None, True),
        ("same-origin", True),
        ("none", True),
        ("same-site", False),
        ("cross-site", False),
        ("", False),
        ("anything", False),
    ],
)
def test_a_page_of_another_site_is_not_local(site: str | None, local: bool) -> None:
    assert is_local(replace(LOCAL, sec_fetch_site=site)) is local


@pytest.mark.parametrize(
    ("protocol", "local"),
    [
        ("HTTP/1.1", True),
        ("HTTP/2", True),
        ("HTTP/2.0", True),
        ("HTTP/3", True),
        ("HTTP/1.0", False),
        ("HTTP/1", False),
        ("HTTP/0.9", False),
    ],
)
def test_a_request_must_speak_http_of_1_1_or_later(protocol: str, local: bool) -> None:
    assert is_local(replace(LOCAL, protocol=protocol)) is local


@pytest.mark.parametrize(
    ("host", "origin", "local"),
    [
        ("127.0.0.1:5000", "http://127.0.0.1:5000", True),
        ("127.0.0.1:5000", "https://127.0.0.1:5000", True),
        ("LOCALHOST:5000", "http://localhost:5000", True),
        ("localhost", "http://localhost", True),
        ("[::1]:5000", "http://[::1]:5000", True),
        ("127.0.0.1:5000", "http://localhost:5000", False),
        ("127.0.0.1:5000", "http://127.0.0.1:3000", False),
        ("127.0.0.1:5000", "http://127.0.0.1", False),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/", False),
        ("127.0.0.1:5000", "http://u@127.0.0.1:5000", False),
        ("127.0.0.1:5000", "http://127.0.0.1:5000,http://other.example", False),
        ("127.0.0.1:5000", "ftp://127.0.0.1:5000", False),
        ("127.0.0.1:5000", "127.0.0.1:5000", False),
        ("127.0.0.1:5000", "http://other.example", False),
        ("127.0.0.1:5000", "null", False),
        ("127.0.0.1:5000", "", False),
    ],
)
def test_the_origin_must_be_the_address_that_was_asked_for(host: str, origin: str, local: bool) -> None:
    assert is_local(replace(LOCAL, host=host, origin=origin)) is local


def test_the_user_of_the_peer_is_asked_for_last_and_never_instead_of_the_other_signs() -> None:
    asked = []

    def is_ours() -> bool:
        asked.append(True)
        return len(asked) == 1

    visitor = replace(LOCAL, is_ours=is_ours)
    for other in (replace(visitor, **{name: bad}) for name, bad in BAD.items()):
        assert not is_local(other)
    assert asked == []
    assert is_local(visitor)
    assert not is_local(visitor), "the answer was remembered"


BAD: dict[str, Any] = {
    "peer": "192.0.2.7",
    "host": "example.org",
    "protocol": "HTTP/1.0",
    "headers": frozenset({"host", "via"}),
    "origin": "null",
    "sec_fetch_site": "cross-site",
}
bad_signs = st.fixed_dictionaries({}, optional={name: st.just(bad) for name, bad in BAD.items()})


@relaxed
@given(bad_signs)
def test_one_bad_sign_is_enough(signs: dict[str, Any]) -> None:
    assert is_local(replace(LOCAL, **signs)) is not bool(signs)


@relaxed
@given(st.ip_addresses())
def test_an_address_is_loopback_as_the_standard_library_says(address: IPv4Address | IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert is_loopback(str(address)) is (mapped or address).is_loopback


@relaxed
@given(st.ip_addresses(v=4, network="127.0.0.0/8"), st.integers(1, 65535), st.sampled_from(LOCAL_HOSTS))
def test_every_loopback_address_may_be_the_peer_at_every_port(address: IPv4Address, port: int, host: str) -> None:
    assert is_local(replace(LOCAL, peer=str(address), host=host))
    assert is_local(replace(LOCAL, peer=f"::ffff:{address}", host=f"{host}:{port}"))
