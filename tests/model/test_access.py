"""Access: what makes a request local, and what each role may do."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.errors import Forbidden, Unauthorized
from queue_tool.model.access import KEY_ROLES, NOT_LOCAL, Role, Visitor, admit, digest, is_loopback

relaxed = settings(deadline=None)
LOCAL = Visitor(
    peer="127.0.0.1",
    host="127.0.0.1:5000",
    protocol="HTTP/1.1",
    headers=frozenset({"host", "user-agent", "accept"}),
    sec_fetch_site=None,
)
STRANGER = replace(LOCAL, peer="192.0.2.7")


# -- is a request local? -----------------------------------------------------------------------------------


def test_a_request_from_this_machine_is_local() -> None:
    assert LOCAL.is_local()


@pytest.mark.parametrize("protocol", ["", "HTTP/0.9", "HTTP/1", "HTTP/1.0", "HTTP", "SPDY/3"])
def test_an_old_or_unknown_protocol_is_not_local(protocol: str) -> None:
    assert not replace(LOCAL, protocol=protocol).is_local()


@pytest.mark.parametrize("host", ["[::1]evil.com", "[::1]evil.com:80", "localhost:evil", "127.0.0.1:80:80", "[::1", ""])
def test_a_host_that_only_starts_with_the_name_of_this_machine_is_not_local(host: str) -> None:
    assert not replace(LOCAL, host=host).is_local()


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
        ("0.0.0.0", False),  # noqa: S104 - an address to be refused
        ("::", False),
        ("::2", False),
        ("fe80::1", False),
        ("::ffff:10.0.0.1", False),
        ("128.0.0.1", False),
        ("unix", False),
    ],
)
def test_the_peer_must_be_this_machine(peer: str, local: bool) -> None:
    assert replace(LOCAL, peer=peer).is_local() is local


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LocalHost:5000", True),
        ("localhost.", True),
        ("localhost.:5000", True),
        ("127.0.0.1", True),
        ("127.0.0.1:80", True),
        ("127.255.255.254:5000", True),
        ("[::1]", True),
        ("[::1]:5000", True),
        ("[::ffff:127.0.0.1]:5000", True),
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
def test_the_requested_host_must_be_this_machine(host: str, local: bool) -> None:
    assert replace(LOCAL, host=host).is_local() is local


@pytest.mark.parametrize(
    "header",
    [
        "forwarded",
        "via",
        "x-real-ip",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-client-cert",
    ],
)
def test_a_request_that_came_through_a_proxy_is_not_local(header: str) -> None:
    assert not replace(LOCAL, headers=LOCAL.headers | {header}).is_local()


@pytest.mark.parametrize("header", ["cookie", "origin", "referer", "viable", "x-request-id", "x-forward", "priority"])
def test_other_headers_are_no_sign_of_a_proxy(header: str) -> None:
    assert replace(LOCAL, headers=LOCAL.headers | {header}).is_local()


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
def test_a_request_from_a_page_of_another_site_is_not_local(site: str | None, local: bool) -> None:
    assert replace(LOCAL, sec_fetch_site=site).is_local() is local


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
def test_a_local_request_uses_http_1_1_or_later(protocol: str, local: bool) -> None:
    assert replace(LOCAL, protocol=protocol).is_local() is local


foreign_signs = st.fixed_dictionaries(
    {},
    optional={
        "peer": st.just("192.0.2.7"),
        "host": st.just("example.org"),
        "protocol": st.just("HTTP/1.0"),
        "headers": st.just(frozenset({"host", "via"})),
        "sec_fetch_site": st.just("cross-site"),
    },
)


@relaxed
@given(foreign_signs)
def test_one_sign_of_another_machine_is_enough(signs: dict[str, Any]) -> None:
    assert replace(LOCAL, **signs).is_local() is not bool(signs)


@relaxed
@given(st.ip_addresses())
def test_loopback_addresses_are_those_of_the_standard_library(address: IPv4Address | IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert is_loopback(str(address)) is (mapped or address).is_loopback


@relaxed
@given(st.ip_addresses(v=4, network="127.0.0.0/8"), st.integers(1, 65535))
def test_every_loopback_address_of_ipv4_is_local_with_and_without_a_port(address: IPv4Address, port: int) -> None:
    assert replace(LOCAL, peer=str(address), host=str(address)).is_local()
    assert replace(LOCAL, peer=f"::ffff:{address}", host=f"{address}:{port}").is_local()


# -- the roles ---------------------------------------------------------------------------------------------

ALLOWED = {
    (Role.READ, Role.READ),
    (Role.SUBMIT, Role.READ),
    (Role.SUBMIT, Role.SUBMIT),
    (Role.ADMIN, Role.READ),
    (Role.ADMIN, Role.SUBMIT),
    (Role.ADMIN, Role.ADMIN),
}
"""Pairs of a key's role and a needed role for which the key is enough."""

NEEDS = [Role.READ, Role.SUBMIT, Role.ADMIN]


@pytest.mark.parametrize("visitor", [LOCAL, STRANGER], ids=["local", "stranger"])
@pytest.mark.parametrize("role", NEEDS)
@pytest.mark.parametrize("needed", NEEDS)
def test_a_key_allows_what_its_role_allows(needed: Role, role: Role, visitor: Visitor) -> None:
    if (role, needed) in ALLOWED:
        admit(needed, visitor, presented=True, role=role, keys_exist=True)
    else:
        with pytest.raises(Forbidden, match=f"with the role {needed.name.lower()} or higher"):
            admit(needed, visitor, presented=True, role=role, keys_exist=True)


@pytest.mark.parametrize("visitor", [LOCAL, STRANGER], ids=["local", "stranger"])
@pytest.mark.parametrize("keys_exist", [True, False])
@pytest.mark.parametrize(("presented", "role"), [(False, None), (True, None), (True, Role.READ), (True, Role.ADMIN)])
def test_an_open_route_needs_no_key(visitor: Visitor, keys_exist: bool, presented: bool, role: Role | None) -> None:
    admit(Role.OPEN, visitor, presented=presented, role=role, keys_exist=keys_exist)
    with pytest.raises(Unauthorized):
        admit(Role.READ, STRANGER, presented=False, role=None, keys_exist=keys_exist)


@pytest.mark.parametrize("needed", NEEDS)
def test_this_machine_needs_no_key_while_no_key_exists(needed: Role) -> None:
    admit(needed, LOCAL, presented=False, role=None, keys_exist=False)
    with pytest.raises(Unauthorized) as caught:
        admit(needed, STRANGER, presented=False, role=None, keys_exist=False)
    assert caught.value.sentence == NOT_LOCAL
    assert "queue-tool keys create" in caught.value.sentence


@pytest.mark.parametrize("visitor", [LOCAL, STRANGER], ids=["local", "stranger"])
@pytest.mark.parametrize("needed", NEEDS)
def test_once_a_key_exists_every_caller_needs_one(needed: Role, visitor: Visitor) -> None:
    with pytest.raises(Unauthorized) as caught:
        admit(needed, visitor, presented=False, role=None, keys_exist=True)
    assert caught.value.sentence == Unauthorized.default_sentence()


@pytest.mark.parametrize("keys_exist", [True, False])
@pytest.mark.parametrize("visitor", [LOCAL, STRANGER], ids=["local", "stranger"])
@pytest.mark.parametrize("needed", NEEDS)
def test_an_invalid_key_is_refused_even_on_this_machine(needed: Role, visitor: Visitor, keys_exist: bool) -> None:
    with pytest.raises(Unauthorized, match="not valid"):
        admit(needed, visitor, presented=True, role=None, keys_exist=keys_exist)


def test_a_key_has_one_of_three_roles() -> None:
    assert KEY_ROLES == {"read": Role.READ, "submit": Role.SUBMIT, "admin": Role.ADMIN}
    assert Role.OPEN < Role.READ < Role.SUBMIT < Role.ADMIN


@relaxed
@given(st.lists(st.text(), unique=True, max_size=20))
def test_different_keys_have_different_digests_of_fixed_length(keys: list[str]) -> None:
    digests = [digest(key) for key in keys]
    assert len(set(digests)) == len(keys)
    assert all(len(text) == 64 for text in digests)
    assert digests == [digest(key) for key in keys]


def test_a_digest_is_sha_256() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
