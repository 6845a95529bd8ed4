"""Every error that this project raises on purpose: one tree, a stable code and a default sentence each.

A class's docstring is the sentence that a user sees when the one who raises it has nothing better to say.
What an error means in HTTP is written in one table, in the web door.
"""

from __future__ import annotations

from typing import ClassVar


class QueueToolError(Exception):
    """Something went wrong inside of Queue Tool."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, sentence: str | None = None, *, retry_after: int | None = None) -> None:
        """Keep the sentence for the user, and the seconds after which to try again, if that can help."""
        self.sentence = sentence or type(self).default_sentence()
        self.retry_after = retry_after
        super().__init__(self.sentence)

    @classmethod
    def default_sentence(cls) -> str:
        """Return the first line of the class's docstring."""
        return (cls.__doc__ or QueueToolError.__doc__ or "").strip().splitlines()[0]


# -- what a client sent ------------------------------------------------------------------------------------


class BadRequest(QueueToolError):
    """The request cannot be understood."""

    code = "bad_request"


class MalformedJson(BadRequest):
    """The body is not valid JSON."""

    code = "malformed_json"


class NotAnArray(BadRequest):
    """The body must be a JSON array of items."""

    code = "not_an_array"


class BadTokens(BadRequest):
    """The body must be a JSON object with "tokens", an array of strings."""

    code = "bad_tokens"


class BadParameter(BadRequest):
    """A query parameter is not known here, or has a value that cannot be used."""

    code = "bad_parameter"


class BadCursor(BadRequest):
    """This cursor is of no list with these parameters; begin with the first page, and follow `next`."""

    code = "bad_cursor"


class BadIdempotencyKey(BadRequest):
    """Idempotency-Key must have 1 to 255 characters."""

    code = "bad_idempotency_key"


class IdempotencyKeyReused(QueueToolError):
    """This Idempotency-Key was used with another body in the last 24 hours."""

    code = "idempotency_key_reused"


class UnsupportedMediaType(QueueToolError):
    """The Content-Type must be application/json."""

    code = "unsupported_media_type"


class BodyTooLarge(QueueToolError):
    """The body is larger than QUEUE_TOOL_MAX_BODY allows."""

    code = "body_too_large"


class TooManyItems(QueueToolError):
    """The array has more elements than one request may have."""

    code = "too_many_items"


class TooManyWaiting(QueueToolError):
    """Too many tasks are waiting already; send this again later."""

    code = "too_many_waiting"


class TooManyUploads(QueueToolError):
    """Two large bodies are being read already; send this again in a moment."""

    code = "too_many_uploads"


# -- what a client asked for -------------------------------------------------------------------------------


class NotFound(QueueToolError):
    """There is nothing at this address."""

    code = "not_found"


class TaskNotFound(NotFound):
    """Job not found"""

    code = "task_not_found"


class BatchNotFound(NotFound):
    """There is no batch with this id."""

    code = "batch_not_found"


class KeyNotFound(NotFound):
    """There is no API key with this id."""

    code = "key_not_found"


class MethodNotAllowed(QueueToolError):
    """This address does not answer to this method."""

    code = "method_not_allowed"


# -- who asked ---------------------------------------------------------------------------------------------


class Unauthorized(QueueToolError):
    """This request needs an API key: make one with `queue-tool keys create`, send it as a Bearer token."""

    code = "unauthorized"


class Forbidden(QueueToolError):
    """This API key's role does not allow this request."""

    code = "forbidden"


# -- what this system stands on ----------------------------------------------------------------------------


class StoreAway(QueueToolError):
    """The database is busy or away; nothing of this request was kept, send it again."""

    code = "store_away"

    @property
    def reason(self) -> str:
        """Return what the database itself has said, which is for the log alone."""
        return str(getattr(self.__cause__, "orig", self.__cause__) or self.sentence)


class DriverMissing(QueueToolError):
    """PostgreSQL needs its driver: `pip install 'queue_tool[postgres]'`."""

    code = "driver_missing"


class SchemaOutdated(QueueToolError):
    """The database is of another version: run `queue-tool db upgrade`."""

    code = "schema_outdated"


class CannotCopy(QueueToolError):
    """A copy goes from a SQLite database to a PostgreSQL one."""

    code = "cannot_copy"


class DatabaseInUse(QueueToolError):
    """Somebody still works on this database: stop the service first."""

    code = "database_in_use"


class TargetNotEmpty(QueueToolError):
    """The target is not empty: a copy needs a PostgreSQL database with nothing in it."""

    code = "target_not_empty"


class CopyDiffers(QueueToolError):
    """The copy is not what was read; nothing of it was kept."""

    code = "copy_differs"


class BrokerAway(QueueToolError):
    """Redis does not answer."""

    code = "broker_away"


class BrokerFull(BrokerAway):
    """Redis is full and takes nothing new; tickets wait in the database until there is room."""

    code = "broker_full"


class BrokerOfAnother(BrokerAway):
    """This Redis carries the tickets of another database."""

    code = "broker_of_another"


class BadSetting(QueueToolError):
    """A setting has a value that cannot be used."""

    code = "bad_setting"


class BadTaskType(QueueToolError):
    """A task type is declared in a way that cannot be used."""

    code = "bad_task_type"


class DataDirUnusable(QueueToolError):
    """The data directory cannot be used."""

    code = "data_dir_unusable"


class DataDirInUse(QueueToolError):
    """The data directory is in use by another process."""

    code = "data_dir_in_use"


class PortTaken(QueueToolError):
    """The address is taken by another process."""

    code = "port_taken"


class NoEmbeddedServer(QueueToolError):
    """The embedded Valkey cannot run here: set QUEUE_TOOL_REDIS_URL to a Redis or Valkey of your own."""

    code = "no_embedded_server"


class ChildKeepsDying(QueueToolError):
    """A part of the system ends as soon as it is started."""

    code = "child_keeps_dying"


class RestNotStarted(QueueToolError):
    """The rest of the system did not start: see the lines above."""

    code = "rest_not_started"


# -- what only a mistake in the code can cause -------------------------------------------------------------


class IllegalMove(QueueToolError):
    """A task cannot go from its state to that one."""

    code = "illegal_move"


class NaiveTime(QueueToolError):
    """A time without a time zone is not a time."""

    code = "naive_time"
