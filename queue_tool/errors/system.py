"""What is wrong with what this system stands on, or with itself."""

from __future__ import annotations

from queue_tool.errors.base import QueueToolError

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


class NaiveTime(QueueToolError):
    """A time without a time zone is not a time."""

    code = "naive_time"
