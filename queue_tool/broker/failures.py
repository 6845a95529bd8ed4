"""Failures of Redis: the one place that decides what kind a failure is, and translates it into our own errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from redis import exceptions

from queue_tool.errors import BrokerAway, BrokerFull, FailureKind

AWAY, REFUSES, BUSY = FailureKind.AWAY, FailureKind.REFUSES, FailureKind.BUSY
FULL, WRONG = FailureKind.FULL, FailureKind.WRONG

CLASSES: Mapping[type[BaseException], FailureKind] = {
    exceptions.ConnectionError: AWAY,
    exceptions.TimeoutError: AWAY,
    exceptions.InvalidResponse: AWAY,  # the answers no longer match the commands
    exceptions.ClusterDownError: AWAY,
    exceptions.MasterDownError: AWAY,
    exceptions.AuthenticationError: REFUSES,
    exceptions.AuthenticationWrongNumberOfArgsError: REFUSES,
    exceptions.AuthorizationError: REFUSES,
    exceptions.ExternalAuthProviderError: REFUSES,
    exceptions.NoPermissionError: REFUSES,
    exceptions.ReadOnlyError: REFUSES,
    exceptions.ModuleError: REFUSES,
    exceptions.ClusterError: REFUSES,  # a cluster needs another client
    exceptions.AskError: REFUSES,
    exceptions.MovedError: REFUSES,
    exceptions.ClusterCrossSlotError: REFUSES,
    exceptions.BusyLoadingError: BUSY,
    exceptions.MaxConnectionsError: BUSY,
    exceptions.TryAgainError: BUSY,
    exceptions.NoScriptError: BUSY,  # the next call loads the script again
    exceptions.WatchError: BUSY,
    exceptions.LockError: BUSY,
    exceptions.LockNotOwnedError: BUSY,
    exceptions.OutOfMemoryError: FULL,
    exceptions.RedisError: WRONG,
    exceptions.ResponseError: WRONG,
    exceptions.DataError: WRONG,
    exceptions.ExecAbortError: WRONG,
    exceptions.NoSuchFieldsetError: WRONG,
    exceptions.PubSubError: WRONG,
    # a client of a cluster, an asynchronous client and a lock that crosses a fork: none of them is used here
    exceptions.RedisClusterException: WRONG,
    exceptions.CrossSlotTransactionError: WRONG,
    exceptions.InvalidPipelineStack: WRONG,
    exceptions.SlotNotCoveredError: WRONG,
    exceptions.ChildDeadlockedError: WRONG,
    exceptions.IncorrectPolicyType: WRONG,
}
"""The kind of each exception class of redis-py. A class that is missing here has the kind of its base class."""

WORDS: Mapping[str, FailureKind] = {
    "UNBLOCKED": AWAY,  # the server became a replica
    "MASTERDOWN": AWAY,
    "CLUSTERDOWN": AWAY,
    "MISCONF": REFUSES,  # the server cannot save its data, often because its disk is full
    "NOREPLICAS": REFUSES,
    "DENIED": REFUSES,  # protected mode
    "NOAUTH": REFUSES,
    "NOPERM": REFUSES,
    "NOPROTO": REFUSES,
    "READONLY": REFUSES,
    "REDIRECT": REFUSES,
    "BUSY": BUSY,  # the server runs a script
    "UNKILLABLE": BUSY,
    "LOADING": BUSY,
    "INPROG": BUSY,
    "OOM": FULL,
}
"""The kinds of error replies for which redis-py has no class, by their first word.

An old server reports the failure of a command in a script inside of another reply, so redis-py finds no class for it.
"""

FULL_SERVER = "max number of clients reached"
"""The text of a reply for which redis-py raises its `ConnectionError`."""

NOT_IN_SCRIPTS = "can't run this command or subcommand"
"""The text of a reply without a word of its own: in a script, a command for which the user has no permission."""

_WORD = re.compile(r"(?:^|: -?)([A-Z]{3,}) ")


def kind_of(error: BaseException) -> FailureKind:
    """Return the kind of a failure of Redis."""
    kind = next((CLASSES[base] for base in type(error).__mro__ if base in CLASSES), WRONG)
    text = str(error)
    if FULL_SERVER in text:
        return BUSY
    if kind is not WRONG:
        return kind
    if NOT_IN_SCRIPTS in text:
        return REFUSES
    words = (word for word in _WORD.findall(text) if word in WORDS)
    return next((WORDS[word] for word in words), kind)


def sentence_of(error: exceptions.RedisError) -> str:
    """Return one sentence for a failure: Redis is full, is busy, refuses a command, or does not answer."""
    kind, text = kind_of(error), str(error).rstrip(".")
    if kind is FULL:
        return BrokerFull.default_sentence()
    if kind is AWAY:
        return f"Redis does not answer: {type(error).__name__}."
    return f"Redis is busy: {text}." if kind is BUSY else f"Redis refuses: {text}."


@contextmanager
def failures_named() -> Iterator[None]:
    """Run a block that talks to Redis, and translate its failures.

    Raises:
        BrokerFull: Redis has no room.
        BrokerAway: Redis does not answer, is busy, or refuses a command.
    """
    try:
        yield
    except exceptions.RedisError as error:
        kind = kind_of(error)
        if kind is FULL:
            raise BrokerFull from error
        raise BrokerAway.because(kind, sentence_of(error)) from error


@contextmanager
def full_ignored() -> Iterator[None]:
    """Run a block that writes what the work does not depend on: a full Redis may refuse it."""
    try:
        yield
    except exceptions.RedisError as error:
        if kind_of(error) is not FULL:
            raise
