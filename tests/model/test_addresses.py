"""Which addresses are public: by IANA's registries and by Python's `ipaddress`."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from queue_tool.model.addresses import Address, is_public, target_of

NOT_REACHABLE = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
192.0.0.8/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24
203.0.113.0/24 240.0.0.0/4 255.255.255.255/32
::1/128 ::/128 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:2::/48 2001:10::/28 2001:db8::/32
2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10
"""
"""The networks of both registries that are not globally reachable, or of which that cannot be said (late 2026)."""

ALSO = "224.0.0.0/4 ff00::/8 fec0::/10 168.63.129.16/32 ::7f00:1/128"
"""Multicast, the old site-local addresses, Azure's own service, and IPv4 addresses in the oldest form of IPv6."""

REACHABLE = """
1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.31.196.1 192.52.193.1 192.175.48.1 192.167.255.255 192.169.0.0
198.17.255.255 198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255
2001:200:: 2001:db7:ffff:: 2001:db9:: 2003:: 2620:4f:8000::1 2606:4700::1111 3ffe:ffff::
"""
"""Addresses beside those networks, and the networks of the registries that are globally reachable."""

networks = [ip_network(text) for text in (NOT_REACHABLE + ALSO).split()]


def ends(network: IPv4Network | IPv6Network) -> list[Address]:
    return [network[0], network[-1]]


@pytest.mark.parametrize("network", networks, ids=str)
def test_no_address_of_a_special_network_is_public(network: IPv4Network | IPv6Network) -> None:
    assert [address for address in ends(network) if is_public(address)] == []


@pytest.mark.parametrize("text", REACHABLE.split())
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))


def beside(edge: Address, step: int) -> Address:
    return type(edge)((int(edge) + step) % 2**edge.max_prefixlen)


edges = st.sampled_from([address for network in networks for address in ends(network)])
v4 = st.ip_addresses(v=4)
addresses = (
    st.builds(beside, edges, st.integers(-3, 3))
    | v4
    | st.ip_addresses(v=6)
    | v4.map(lambda inner: IPv6Address((0xFFFF << 32) | int(inner)))
)


@given(addresses)
@example(ip_address("::ffff:127.0.0.1"))
@example(ip_address("64:ff9b::127.0.0.1"))
@example(ip_address("2002:7f00:1::"))
@example(ip_address("2001:0:7f00:1::"))
def test_what_is_public_is_global_and_unicast_for_python_too(address: Address) -> None:
    target = target_of(address)
    if is_public(address):
        assert target.is_global
        assert not any((target.is_multicast, target.is_private, target.is_reserved, target.is_link_local))
    if isinstance(target, IPv6Address) and is_public(address):
        assert {target.sixtofour, target.teredo, target.ipv4_mapped} == {None}


@given(v4)
def test_ipv4_addresses_in_ipv6_are_judged_as_what_they_lead_to(inner: IPv4Address) -> None:
    mapped = IPv6Address((0xFFFF << 32) | int(inner))
    translated = IPv6Address(int(IPv6Address("64:ff9b::")) | int(inner))
    assert target_of(mapped) == target_of(translated) == inner
    assert is_public(mapped) == is_public(translated) == is_public(inner)


KNOWN_EXCEPTIONS = [ip_network(text) for text in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")]


@given(v4)
def test_every_other_global_unicast_address_of_ipv4_is_public(address: IPv4Address) -> None:
    expected = address.is_global and not address.is_multicast
    if not any(address in network for network in KNOWN_EXCEPTIONS):
        assert is_public(address) == expected
