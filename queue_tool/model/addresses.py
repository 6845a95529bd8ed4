"""Which IP addresses are public: only these may a webhook reach, unless the operator allows others.

Sources: IANA's registries "IPv4 Special-Purpose Address Space" and "IPv6 Special-Purpose Address Space" (RFC 6890).
Python's own `is_global` changed between its versions, so these rules do not depend on it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_IN_IPV6 = (_MAPPED, _NAT64)
"""Networks whose addresses lead to the IPv4 address in their last 32 bits (RFC 4291 2.5.5.2, RFC 6052)."""

_NOT_PUBLIC = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # shared by the customers of a provider (CGNAT)
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own service for its machines; the registry does not know it
        "169.254.0.0/16",  # link-local, with the metadata service of most clouds
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private use
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, with the broadcast address
    )
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The only part of IPv6 from which public addresses are given out."""

_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, with Teredo, which leads to an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which leads to an IPv4 address
        "3fff::/20",  # documentation
    )
)


def target_of(address: Address) -> Address:
    """Return the address that packets to an address reach: an IPv4 address where IPv6 only carries one."""
    if isinstance(address, IPv6Address) and any(address in network for network in _IPV4_IN_IPV6):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Return whether an address is one of the public internet."""
    target = target_of(address)
    if isinstance(target, IPv4Address):
        return not any(target in network for network in _NOT_PUBLIC)
    return target in _GLOBAL_UNICAST and not any(target in network for network in _NOT_PUBLIC_6)
