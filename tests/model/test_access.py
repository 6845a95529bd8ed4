"""Access: what each role may do, and what is refused with which sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.errors import Forbidden, Unauthorized
from queue_tool.model.access import KEY_ROLES, Role, admit, admit_all, digest
from queue_tool.model.visitor import Visitor
from tests.model.test_visitor import LOCAL

relaxed = settings(deadline=None)
STRANGER = replace(LOCAL, peer="192.0.2.7")


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
    assert "a loopback address" in caught.value.sentence
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


FOREIGN_PAGE = replace(LOCAL, origin="https://other.example")
REBOUND = replace(LOCAL, host="other.example", origin="http://other.example")


@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("visitor", [FOREIGN_PAGE, REBOUND, replace(LOCAL, sec_fetch_site="cross-site")])
def test_with_keys_off_pages_of_other_sites_stay_out_of_loopback_addresses(visitor: Visitor, changes: bool) -> None:
    with pytest.raises(Forbidden, match="QUEUE_TOOL_AUTH=off") as caught:
        admit_all(visitor, changes=changes)
    assert caught.value.sentence.count(". ") == 0
    admit_all(LOCAL, changes=changes)
    admit_all(replace(LOCAL, protocol="HTTP/1.0", headers=frozenset({"via"}), is_ours=lambda: False), changes=changes)


def test_with_keys_off_a_gate_elsewhere_is_trusted_but_pages_of_other_sites_change_nothing() -> None:
    for visitor in (FOREIGN_PAGE, replace(LOCAL, sec_fetch_site="same-site")):
        elsewhere = replace(visitor, peer="192.0.2.7", host="queue.example")
        admit_all(elsewhere, changes=False)
        with pytest.raises(Forbidden):
            admit_all(elsewhere, changes=True)
    admit_all(replace(REBOUND, peer="192.0.2.7"), changes=True)


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
