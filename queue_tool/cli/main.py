"""`queue-tool` and the commands that run the parts of the system. Each command imports only its own part."""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from queue_tool import __version__
from queue_tool.cli.doctor import doctor
from queue_tool.cli.groups import Commands
from queue_tool.cli.init import init
from queue_tool.cli.operate import db, keys
from queue_tool.errors import BadSetting
from queue_tool.host import collector, ports

if TYPE_CHECKING:
    from queue_tool.model.settings import Settings
    from queue_tool.supervisor.prepared import PreparedProcesses

HOST = "QUEUE_TOOL_HOST"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="queue-tool")
def main() -> None:
    """Queue Tool: a service for batches of work. Start it with `queue-tool up`.

    The commands that ask the service find it on this machine, or at QUEUE_TOOL_URL with the API key QUEUE_TOOL_KEY.
    """
    collector.collect_rarely()


for _command in (db, doctor, init, keys):
    main.add_command(_command)

_host = click.option("--host", metavar="HOST", help="Address to listen on. Overrides QUEUE_TOOL_HOST.")
_port = click.option("--port", metavar="PORT", help="Port to listen on. Overrides QUEUE_TOOL_PORT.")


@main.command(example="queue-tool up --port 8000 --workers 2")
@_host
@_port
@click.option("--workers", metavar="N", help="Number of worker processes. Overrides QUEUE_TOOL_WORKERS.")
def up(host: str | None, port: str | None, workers: str | None) -> None:
    """Run the whole system until Ctrl-C.

    It has the web server, the workers, the sweeper and, if no Redis is configured, Valkey.
    """
    from queue_tool import environment, supervisor

    overrides = _overrides(HOST=host, PORT=port, WORKERS=workers)
    settings = _with_address(environment.load_settings(overrides))
    overrides |= {HOST: settings.host}
    if settings.amqp_url is not None:
        from queue_tool.amqp.library import require_library

        require_library()
    with supervisor.prepared(supervisor.commands(settings), overrides, _become) as processes:
        _supervise(settings, overrides, processes)


def _become(command: str) -> None:
    """Run a command in this process, a fork, as if it was a new one."""
    main([command], prog_name="queue-tool")


def _supervise(settings: Settings, overrides: dict[str, str], processes: PreparedProcesses) -> None:
    """Run the whole system with these settings."""
    from queue_tool import brokers, environment, runtime
    from queue_tool.host import data_dir
    from queue_tool.model import events
    from queue_tool.model.settings import without_secrets
    from queue_tool.supervisor import Supervisor

    telemetry = runtime.start_logging("up", settings)
    data_dir.prepare(settings.data_dir)
    with data_dir.Ownership(settings.data_dir.absolute()):
        if settings.web:
            ports.require_free(settings.host, settings.port)
        system = runtime.open_runtime(settings, telemetry, "sweeper", migrate=True)
        system.store.database.renew_generation()
        telemetry.emit(
            events.Started(
                version=__version__,
                data=settings.data_dir.absolute(),
                database=without_secrets(settings.database),
                redis=without_secrets(brokers.redis_url(settings)),
                workers=settings.workers,
                auth=settings.auth,
            )
        )
        Supervisor(system, environment.for_child(overrides), processes).run()


@main.command(example="queue-tool web --host 0.0.0.0")
@_host
@_port
def web(host: str | None, port: str | None) -> None:
    """Run only the web server, for the API and the pages."""
    from queue_tool import brokers, databases, environment, runtime
    from queue_tool.host.clock import CLOCK
    from queue_tool.model import events
    from queue_tool.services.keys import Keys
    from queue_tool.web.serving.serve import require_startable, serve

    environment.override(_overrides(HOST=host, PORT=port))
    settings = _with_address(environment.load_settings())
    environment.override({HOST: settings.host})
    telemetry = runtime.start_logging("web", settings)
    migrate = settings.embedded and not environment.has_owner()
    with closing(databases.open_store(settings, migrate=migrate)) as store:
        brokers.require_own_redis(settings, store)
        served = Keys(store=store, clock=CLOCK).served_without(settings.auth)
    require_startable(settings)  # a start that fails prints one sentence only
    if served:
        telemetry.emit(events.Warned(reason=served))
    serve(settings)


@main.command(example="QUEUE_TOOL_REDIS_URL=redis://queue.example queue-tool worker")
def worker() -> None:
    """Run one worker, for a system that does not use `up`."""
    from queue_tool.worker.process import work

    work()


@main.command(example="QUEUE_TOOL_REDIS_URL=redis://queue.example queue-tool sweep")
def sweep() -> None:
    """Run only the sweeper, for a system that does not use `up`."""
    from queue_tool import environment, runtime
    from queue_tool.model import events
    from queue_tool.supervisor.sweeping import sweep_until

    settings = environment.load_settings()
    telemetry = runtime.start_logging("sweep", settings)
    system = runtime.open_runtime(settings, telemetry, "sweeper")
    system.store.database.renew_generation()
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    telemetry.emit(events.Started())
    sweep_until(stopping, system)
    telemetry.emit(events.Stopped())


@main.command()
def consume() -> None:
    """Take work from RabbitMQ.

    A program sends it to the queue of QUEUE_TOOL_AMQP_QUEUE, in Python for example with pika:

    \b
        import json, uuid, pika
        channel = pika.BlockingConnection(pika.URLParameters("amqp://localhost")).channel()
        channel.confirm_delivery()
        channel.basic_publish(
            "", "queue_tool.tasks", json.dumps([{"item": "a", "valor": 1}]),
            pika.BasicProperties(content_type="application/json", type="sleep",
                                 message_id=uuid.uuid4().hex, delivery_mode=2))

    The body is an array of elements, or one task. `type` is the task type; without it, each element is an object as in
    POST /tasks. With the same `message_id`, the same work is stored once. docs/rabbitmq.md has all of it.
    """
    from queue_tool.ingest.process import consume

    consume()


@main.command("redis-url", example='rq worker -S json -u "$(queue-tool redis-url)" high default low')
def redis_url() -> None:
    """Print the URL of Redis, for use with RQ's own commands."""
    from queue_tool import brokers, environment
    from queue_tool.model.settings import INLINE

    settings = environment.load_settings()
    if settings.redis_url == INLINE:
        raise BadSetting(f"QUEUE_TOOL_REDIS_URL is `{INLINE}`: there is no Redis.")
    click.echo(brokers.redis_url(settings))


def _with_address(settings: Settings) -> Settings:
    """Return the settings with the address that the host stands for."""
    return replace(settings, host=ports.resolved(settings.host)) if settings.web else settings


def _overrides(**options: str | None) -> dict[str, str]:
    """Return the settings that a command's options override."""
    return {f"QUEUE_TOOL_{name}": value for name, value in options.items() if value is not None}
