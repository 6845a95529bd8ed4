"""Errors of the service itself and of what it depends on: database, Redis, settings, host."""

from __future__ import annotations

from typing import Self

from queue_tool.errors.base import AFTER_A_WHILE, QueueToolError
from queue_tool.errors.failure_kind import FailureKind

# -- dependencies and configuration ------------------------------------------------------------------------


class StoreAway(QueueToolError):
    """The database is busy or unavailable. Nothing of this request was stored, so send it again."""

    code = "store_away"
    cause = "The database is locked, full, read-only or not reachable. Nothing of the request was stored."
    remedy = f"{AFTER_A_WHILE} If it lasts, the operator finds the reason in the log."

    kind: FailureKind = FailureKind.AWAY

    @classmethod
    def because(cls, kind: FailureKind) -> Self:
        """Return the error for a failure of this kind. A retry may succeed after a second."""
        error = cls(retry_after=1)
        error.kind = kind
        return error

    @property
    def reason(self) -> str:
        """Return the database's own error text. It is for the log only, never for clients."""
        return str(getattr(self.__cause__, "orig", self.__cause__) or self.sentence)

    @property
    def for_operator(self) -> str:
        """Return the database's own reason, if this error has no sentence of its own."""
        if self.sentence != StoreAway.default_sentence():
            return self.sentence
        reason = self.reason.strip().partition("\n")[0].rstrip(".")
        return f"The database cannot be used: {reason}."


class CommitUnknown(StoreAway):
    """The database became unavailable in a commit. The request may be stored: repeat it with its Idempotency-Key."""

    code = "commit_unknown"
    cause = "The connection to PostgreSQL broke during a commit. It is not known whether the request was stored."
    remedy = (
        f"{AFTER_A_WHILE} But a request that sends tasks without an `Idempotency-Key` may then create them twice: "
        "check first whether they exist."
    )


class PartlyChanged(StoreAway):
    """The database became unavailable after some tasks were changed. Send this request again to change the rest."""

    code = "partly_changed"
    cause = (
        "The database became unavailable while many tasks were canceled, retried or deleted. "
        "`message` says how many were changed, and they stay changed."
    )
    remedy = f"{AFTER_A_WHILE} It changes only the rest."

    @classmethod
    def after(cls, changed: int) -> PartlyChanged:
        """Return the error after this many tasks were changed."""
        return cls(
            f"The database became unavailable after {changed} tasks were changed, and they stay changed. "
            "Send this request again to change the rest.",
            retry_after=1,
        )


class DriverMissing(QueueToolError):
    """The PostgreSQL driver is not installed. Run `pip install 'queue_tool[postgres]'`."""

    code = "driver_missing"


class SchemaOutdated(QueueToolError):
    """The database has the schema of another version. Run `queue-tool db upgrade`."""

    code = "schema_outdated"


class DatabaseReplaced(QueueToolError):
    """The database file was put in place by hand. Move it away, then run `queue-tool db restore` with it."""

    code = "database_replaced"


class CannotBackUp(QueueToolError):
    """The backup cannot be written."""

    code = "cannot_back_up"


class CannotRestore(QueueToolError):
    """The backup cannot be restored. The database is unchanged."""

    code = "cannot_restore"


class CannotCopy(QueueToolError):
    """Only a SQLite database can be copied, and only to a PostgreSQL database."""

    code = "cannot_copy"


class DatabaseInUse(QueueToolError):
    """A process still uses this database. Stop the service first."""

    code = "database_in_use"


class TargetNotEmpty(QueueToolError):
    """The target is not empty. A copy needs an empty PostgreSQL database."""

    code = "target_not_empty"


class CopyDiffers(QueueToolError):
    """The copy differs from the source, so nothing of it was kept."""

    code = "copy_differs"


class BrokerAway(QueueToolError):
    """Redis does not answer."""

    code = "broker_away"
    kind: FailureKind = FailureKind.AWAY

    @classmethod
    def because(cls, kind: FailureKind, sentence: str) -> Self:
        """Return the error for a failure of this kind."""
        error = cls(sentence)
        error.kind = kind
        return error


class BrokerFull(BrokerAway):
    """Redis is full. New tickets wait in the database until Redis has room."""

    code = "broker_full"
    kind = FailureKind.FULL


class BrokerOfAnother(BrokerAway):
    """This Redis carries the tickets of another database."""

    code = "broker_of_another"
    kind = FailureKind.REFUSES


class AmqpAway(QueueToolError):
    """RabbitMQ does not answer."""

    code = "amqp_away"


class AmqpRefused(AmqpAway):
    """RabbitMQ refuses what was asked of it."""

    code = "amqp_refused"


class AmqpMissing(AmqpRefused):
    """RabbitMQ has no queue or exchange with this name."""

    code = "amqp_missing"


class AmqpLibraryMissing(QueueToolError):
    """The library for RabbitMQ is not installed. Run `pip install 'queue_tool[rabbitmq]'`."""

    code = "amqp_library_missing"


class BadSetting(QueueToolError):
    """A setting has an invalid value."""

    code = "bad_setting"


class CannotMakeProject(QueueToolError):
    """The project cannot be written."""

    code = "cannot_make_project"


class BadTaskType(QueueToolError):
    """A task type has an invalid declaration."""

    code = "bad_task_type"


class DataDirUnusable(QueueToolError):
    """The data directory cannot be used."""

    code = "data_dir_unusable"


class DataDirInUse(QueueToolError):
    """The data directory is in use by another process."""

    code = "data_dir_in_use"


class PortTaken(QueueToolError):
    """Another process already uses the address."""

    code = "port_taken"


class NoEmbeddedServer(QueueToolError):
    """The embedded Valkey cannot run here. Set QUEUE_TOOL_REDIS_URL to your own Redis or Valkey server."""

    code = "no_embedded_server"


class ChildKeepsDying(QueueToolError):
    """A process of the service ends again and again right after its start."""

    code = "child_keeps_dying"


class RestNotStarted(QueueToolError):
    """The rest of the system did not start: see the lines above."""

    code = "rest_not_started"


# -- bugs --------------------------------------------------------------------------------------------------


class NaiveTime(QueueToolError):
    """A time must have a time zone."""

    code = "naive_time"
