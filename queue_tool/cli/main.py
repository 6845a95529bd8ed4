"""`queue-tool` and the commands that run the parts of the system. Each imports only the part that it runs."""

from __future__ import annotations

import signal
import threading
from typing import Any

import click

from queue_tool import __version__
from queue_tool.cli.operate import db, keys
from queue_tool.errors import BadSetting, QueueToolError, StoreAway
from queue_tool.host import collector


class _Commands(click.Group):
    """A group whose commands end with one sentence where they cannot go on."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except QueueToolError as error:
            click.echo(f"queue-tool: {_sentence(error)}", err=True)
            ctx.exit(1)


def _sentence(error: QueueToolError) -> str:
    """Return what is wrong; of a database that is away what it says itself, since here an operator reads it."""
    if isinstance(error, StoreAway) and error.sentence == StoreAway.default_sentence():
        said = error.reason.strip().partition("\n")[0].rstrip(".")
        return f"The database cannot be used: {said}."
    return error.sentence


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="queue-tool")
def main() -> None:
    """Queue Tool: a service for batches of work. Start with `queue-tool up`."""
    collector.look_seldom()


main.add_command(db)
main.add_command(keys)

_host = click.option("--host", help="Address to listen on, in place of QUEUE_TOOL_HOST.")
_port = click.option("--port", help="Port to listen on, in place of QUEUE_TOOL_PORT.")


@main.command()
@_host
@_port
@click.option("--workers", help="Worker processes, in place of QUEUE_TOOL_WORKERS.")
def up(host: str | None, port: str | None, workers: str | None) -> None:
    """Run the whole system: web, workers, sweeper and, unless a Redis is set, Valkey."""
    from queue_tool import runtime
    from queue_tool.host import data_dir
    from queue_tool.model import settings
    from queue_tool.model.telemetry import Event
    from queue_tool.supervisor import Supervisor

    said = _said(HOST=host, PORT=port, WORKERS=workers)
    chosen = runtime.load_settings(said)
    telemetry = runtime.start_logging("up", chosen)
    data_dir.prepare(chosen.data_dir)
    with data_dir.Ownership(chosen.data_dir.absolute()):
        if chosen.web:
            _require_free(chosen.host, chosen.port)
        parts = runtime.open_runtime(chosen, telemetry, "sweeper", migrate=True)
        telemetry.emit(
            Event.STARTED,
            version=__version__,
            data=chosen.data_dir.absolute(),
            database=settings.without_secrets(chosen.database),
            redis=settings.without_secrets(runtime.redis_url(chosen)),
            workers=chosen.workers,
            auth=chosen.auth,
        )
        Supervisor(parts, runtime.child_environment(said)).run()


@main.command()
@_host
@_port
def web(host: str | None, port: str | None) -> None:
    """Serve the web door alone."""
    from queue_tool import runtime
    from queue_tool.web.serving.serve import serve

    said = _said(HOST=host, PORT=port)
    runtime.say(said)
    chosen = runtime.load_settings()
    telemetry = runtime.start_logging("web", chosen)
    store = runtime.open_store(chosen, migrate=chosen.embedded)
    runtime.require_own_redis(chosen, store)
    store.close()
    runtime.warn_of_an_open_door(chosen, telemetry)
    serve(chosen)


@main.command()
def worker() -> None:
    """Work on tasks."""
    from queue_tool.worker.process import work

    work()


@main.command()
def sweep() -> None:
    """Sweep alone, for systems without `up`."""
    from queue_tool import runtime
    from queue_tool.model.telemetry import Event

    chosen = runtime.load_settings()
    telemetry = runtime.start_logging("sweep", chosen)
    parts = runtime.open_runtime(chosen, telemetry, "sweeper")
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    telemetry.emit(Event.STARTED)
    parts.sweep_until(stopping)
    telemetry.emit(Event.STOPPED)


@main.command("redis-url")
def redis_url() -> None:
    """Print the URL of Redis, for RQ's own commands."""
    from queue_tool import runtime
    from queue_tool.model import settings

    chosen = runtime.load_settings()
    if chosen.redis_url == settings.INLINE:
        raise BadSetting(f"QUEUE_TOOL_REDIS_URL is `{settings.INLINE}`: there is no Redis.")
    click.echo(runtime.redis_url(chosen))


def _require_free(host: str, port: int) -> None:
    from queue_tool.web.serving.serve import require_free

    require_free(host, port)


def _said(**options: str | None) -> dict[str, str]:
    return {f"QUEUE_TOOL_{name}": value for name, value in options.items() if value is not None}
