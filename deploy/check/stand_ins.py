"""The servers of this machine in place of official images: what their images do before the server starts."""

from __future__ import annotations

from dataclasses import dataclass, field

_POSTGRES = """
if ! [ -s "$PGDATA/PG_VERSION" ]; then
    (umask 077; printf %s "$POSTGRES_PASSWORD" > /tmp/password)
    initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    rm /tmp/password
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | postgres --single postgres
fi
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """One server."""

    script: str = 'exec "$@"'  # a shell runs it; the command of the container is in its arguments
    command: tuple[str, ...] = ()  # of the image, which a service without one gets
    programs: str = ""  # a folder of Debian's
    links: dict[str, str] = field(default_factory=dict)  # programs with other names, by the place
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"

    def words(self, command: list[str]) -> list[str]:
        """Return what the image does with a command."""
        return ["sh", "-euc", self.script, "sh", *(command or self.command)]


def stand_in(image: str, postgres: str) -> StandIn:
    """Return what stands in for an image.

    Args:
        image: its name, with the tag.
        postgres: the folder of PostgreSQL's programs.
    """
    return {
        "postgres": StandIn(
            script=_POSTGRES,
            command=("postgres",),
            programs=postgres,
            environment={"PGDATA": "/var/lib/postgresql/data", "HOME": "/var/lib/postgresql"},
        ),
        "valkey/valkey": StandIn(
            programs="/stand-ins",
            links={"/stand-ins/valkey-server": "/usr/bin/redis-server", "/stand-ins/valkey-cli": "/usr/bin/redis-cli"},
            folder="/data",
        ),
        "rabbitmq": StandIn(
            command=("rabbitmq-server",),
            programs="/usr/lib/rabbitmq/bin",
            environment={"HOME": "/var/lib/rabbitmq", "RABBITMQ_LOGS": "-"},
        ),
    }[image.partition(":")[0]]
