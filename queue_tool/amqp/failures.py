"""Failures of RabbitMQ, as sentences for the operator. None of them has a password."""

from __future__ import annotations

from pika import exceptions

from queue_tool.errors import AmqpAway, AmqpMissing, AmqpRefused

NOT_FOUND = 404
"""The code with which AMQP says that something does not exist."""

CANCELED = "RabbitMQ has canceled the consumer: the queue was deleted, or its node has ended."


NO_ANSWER = (
    "The server ends the connection before it says anything: it does not speak AMQP 0-9-1, or it wants TLS "
    "(`amqps://`), or a certificate of the client (`certfile` and `keyfile`)."
)


def away(error: BaseException) -> AmqpAway:
    """Return the error with a sentence about what pika reported."""
    cause = _cause(error)
    match cause:
        case exceptions.ProbableAuthenticationError():
            sentence = "RabbitMQ refuses the user or the password."
        case exceptions.ProbableAccessDeniedError():
            sentence = "RabbitMQ refuses the virtual host: it does not exist, or the user may not use it."
        case exceptions.IncompatibleProtocolError():
            sentence = NO_ANSWER
        case exceptions.ConsumerCancelled():
            sentence = CANCELED
        case exceptions.ChannelClosed() | exceptions.ConnectionClosed():
            sentence = f"RabbitMQ answers: {cause.reply_text}"
        case exceptions.AMQPHeartbeatTimeout():
            sentence = "RabbitMQ has sent nothing for longer than the heartbeat allows."
        case OSError():
            sentence = f"RabbitMQ does not answer: {cause.strerror or cause}."
        case _:
            sentence = f"The connection to RabbitMQ was lost ({type(cause).__name__})."
    return AmqpAway(sentence)


def refused(error: BaseException) -> AmqpAway:
    """Return the error with the same sentence, which says by its class whether RabbitMQ refuses what was asked."""
    found = away(error)
    if not isinstance(error, exceptions.ChannelClosedByBroker):
        return found
    return (AmqpMissing if error.reply_code == NOT_FOUND else AmqpRefused)(found.sentence)


def _cause(error: BaseException) -> BaseException:
    """Return what is inside of the errors of pika's workflow of connecting."""
    for _ in range(10):
        inner = [*getattr(error, "exceptions", ()), getattr(error, "exception", None), *error.args[:1]]
        found = [each for each in inner if isinstance(each, BaseException)]
        if not found:
            break
        error = found[0]
    return error
