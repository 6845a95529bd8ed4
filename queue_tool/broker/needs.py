"""What Redis must be able to do: a version, the rights of the user, a write, a script and a channel. Each is tried.

`docs/redis-and-rq.md` lists the same rights.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from queue_tool.broker.failures import kind_of
from queue_tool.broker.keys import MARKER
from queue_tool.errors import BrokerAway, FailureKind

LEAST = (6, 2)
"""The least version of Redis: older ones have no `COPY`. Every Valkey has it."""

CHANNEL = "rq:pubsub:queue_tool"
"""A channel to which no worker listens, among those of RQ's commands."""

COMMANDS = """
BLMOVE k k LEFT RIGHT 1
COPY k k
DEL k
EVALSHA 0 0
EXISTS k
EXPIRE k 1
GET k
HDEL k f
HGET k f
HGETALL k
HINCRBY k f 1
HSET k f v
LLEN k
LPUSH k v
LRANGE k 0 1
LTRIM k 0 1
MULTI
EXEC
PING
PUBLISH c v
RENAME k k
RPUSH k v
SADD k v
SET k v
SREM k v
SUBSCRIBE c
TYPE k
UNLINK k
ZADD k 1 v
ZRANGE k 0 1
ZREM k v
"""
"""The commands that all processes need in addition to `EVAL`; `k` stands for a key, and `c` for a channel."""

_TRY = """
local missing = {}
if redis.acl_check_cmd then
  for line in string.gmatch(ARGV[1], '[^\\n]+') do
    local words = {}
    for word in string.gmatch(line, '%S+') do
      words[#words + 1] = word == 'k' and KEYS[1] or word == 'c' and ARGV[2] or word
    end
    if not redis.acl_check_cmd(unpack(words)) then missing[#missing + 1] = words[1] end
  end
end
if #missing == 0 then
  redis.call('SET', KEYS[1], '1')
  redis.call('COPY', KEYS[1], KEYS[2], 'REPLACE')
  redis.call('DEL', KEYS[1], KEYS[2])
end
return missing
"""
"""Return the commands that this user may not use, or may not use with these keys and channels. Then try a write."""


def require(redis: Redis) -> None:
    """Try what the system needs from Redis, in one round trip.

    Raises:
        BrokerAway: something is missing. The sentence names it.
        RedisError: Redis does not answer, or refuses to write.
    """
    keys = f"{MARKER}:try", f"{MARKER}:copy"
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.info("server")
        pipeline.eval(_TRY, 2, *keys, COMMANDS, CHANNEL)
        pipeline.publish(CHANNEL, "")
        server, missing, heard = pipeline.execute(raise_on_error=False)
    if isinstance(server, dict):  # a user without the right to use INFO can do everything else
        require_server(server)
    if isinstance(missing, list) and missing:
        names = ", ".join(sorted({str(name, "ascii", "replace") for name in missing}))
        raise _refused(
            f"The user of Redis lacks rights: these commands, or the keys and channels of RQ with them: {names}."
        )
    for answer in (missing, heard):
        if isinstance(answer, RedisError):
            raise answer


def require_server(server: dict[str, Any]) -> None:
    """Check the answer to INFO.

    Raises:
        BrokerAway: the server is too old, or part of a cluster.
    """
    if server.get("redis_mode") == "cluster":
        raise _refused("This Redis is a cluster: Queue Tool needs a server that is not part of one.")
    version = str(server.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers and numbers < LEAST:
        least = ".".join(map(str, LEAST))
        raise _refused(f"This is Redis {version}: Queue Tool needs Redis {least} or newer, or Valkey.")


def _refused(sentence: str) -> BrokerAway:
    return BrokerAway.because(FailureKind.REFUSES, sentence)


def incarnation(redis: Redis, reader: Redis) -> tuple[str, bytes | None]:
    """Return a text that changes when the server was started again, and the marker, in one round trip.

    A user without the right to use INFO gets the id of its own connection: a new connection may mean a new server.

    Args:
        redis: the client for the question.
        reader: a client with one connection.

    Raises:
        RedisError: Redis does not answer.
    """
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.info("server")
        pipeline.get(MARKER)
        server, marker = pipeline.execute(raise_on_error=False)
    if isinstance(marker, RedisError):
        raise marker
    if not isinstance(server, RedisError):
        return str(server["run_id"]), marker
    if kind_of(server) is not FailureKind.REFUSES:
        raise server
    return f"connection {reader.client_id()}", marker
