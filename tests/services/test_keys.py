"""Keys: who is served without one, which each start says."""

from __future__ import annotations

from queue_tool.model.access import EVERYONE, EVERYONE_HERE, Role
from queue_tool.runtime import Runtime
from queue_tool.services.keys import Keys


def test_each_start_says_who_is_served_until_a_key_is_made(inline: Runtime) -> None:
    keys = Keys(store=inline.store, clock=inline.clock)
    assert keys.served_without("keys") == EVERYONE_HERE
    made = keys.create(Role.READ).key
    assert keys.served_without("keys") is None
    keys.revoke(made.id)
    assert keys.served_without("keys") is None, "revoking the last key lets nobody in"
    assert keys.served_without("off") == EVERYONE


def test_the_sentences_for_the_operator_are_one_line_each() -> None:
    for sentence in (EVERYONE, EVERYONE_HERE):
        assert "\n" not in sentence
        assert "may do everything" in sentence
