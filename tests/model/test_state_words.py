"""The words of earlier systems for states: each selects states, and none changes the meaning of one of ours."""

from __future__ import annotations

from queue_tool.model.state_words import WORDS, understood
from queue_tool.model.states import State

STARTS_IN_LATIN = "C\u043e\u0437\u0434\u0430\u043d\u0430"


def test_each_word_selects_states_that_exist() -> None:
    assert WORDS
    for word, states in WORDS.items():
        assert states
        assert understood(word) == states <= set(State)


def test_our_own_words_and_unknown_ones_mean_themselves() -> None:
    assert not set(WORDS) & {*State, "rejected"}
    for word in (*State, "rejected", "asleep", "", "PENDING"):
        assert understood(word) == {word}


def test_a_task_in_each_state_has_a_word_of_the_systems_in_russian_and_in_go() -> None:
    russian = [states for word, states in WORDS.items() if not word.isascii()]
    go = [WORDS[word] for word in ("pending", "processing", "completed", "dead-lettered", "cancelled")]
    assert frozenset().union(*russian) == set(State) - {State.CANCELED}
    assert frozenset().union(*go) == set(State) - {State.SCHEDULED}  # it has this word too


def test_the_first_letter_of_a_word_may_be_latin() -> None:
    russian = f"\u0421{STARTS_IN_LATIN[1:]}"
    assert understood(STARTS_IN_LATIN) == understood(russian) == {State.SCHEDULED, State.QUEUED}
