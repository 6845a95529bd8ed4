"""Odd values of all settings and both URLs: one sentence, or a meaning that each reader of the text agrees with."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from redis import Redis
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import make_url

from queue_tool.errors import BadSetting
from queue_tool.model.settings import INLINE, PREFIX, Settings, described, read
from queue_tool.model.urls import without_secrets

MOST = 300
"""Characters of a sentence."""

DIALECT = PGDialect_psycopg()

passwords_as_typed = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)

WORDS = r"""
redis:// rediss:// unix:// sqlite:/// postgresql:// postgres:// h localhost [::1] 127.1 me . .. ~ ~nobody-of-this-name/
/ // /0 ? & = # @ % %41 %00 %2F %zz : :5432 :memory: file:x db= abc 1 host=/run options=-cx%3Dy sslmode= port=x
ssl_cert_reqs=CERT_NONE timeout=abc protocol=3 socket_timeout= é İ
"""

pieces = st.sampled_from([*WORDS.split(), "x" * 300, " ", "\udcff", "\x00", "\x7f", "\n"])
odd = st.lists(pieces, max_size=7).map("".join) | st.text(max_size=40) | st.floats().map(repr) | st.integers().map(str)


@settings(deadline=None, max_examples=500)
@given(
    st.sampled_from([setting.name for setting in described()] + [PREFIX + "DATABASE_URL", PREFIX + "REDIS_URL"] * 20),
    odd,
)
@example(PREFIX + "DATA_DIR", "~nobody-of-this-name/x")
@example(PREFIX + "DATABASE_URL", "postgresql://h:/x")
@example(PREFIX + "REDIS_URL", "redis://" + "x" * 64)
@example(PREFIX + "MAX_WAITING", str(2**63))
def test_an_odd_value_is_refused_in_one_sentence_or_means_the_same_to_everybody(name: str, text: str) -> None:
    sentence, chosen = outcome({name: text})
    assert (chosen is None) == sentence.startswith(f"{name} must be ")
    assert sentence.isprintable()
    assert len(sentence) < MOST
    if chosen is not None and chosen.redis_url not in (None, INLINE):
        Redis.from_url(chosen.redis_url).connection_pool.make_connection()
    if chosen is not None and chosen.database_url is not None:
        url = make_url(chosen.database_url)
        if url.drivername == "sqlite":
            assert Path(url.database or "").name
        else:
            make_conninfo(
                **{name: value for name, value in DIALECT.create_connect_args(url)[1].items() if name != "context"}
            )


def outcome(texts: dict[str, str]) -> tuple[str, Settings | None]:
    """Return the sentence of a refusal, or the settings."""
    try:
        return "", read(texts)
    except BadSetting as refusal:
        return refusal.sentence, None


@settings(deadline=None)
@given(
    st.sampled_from(["", "somebody"]),
    passwords_as_typed,
    st.sampled_from(["example.org", "[::1]", "127.0.0.1"]),
    st.integers(0, 15),
)
def test_both_urls_reach_the_server_that_the_log_names_with_the_password_that_was_typed(
    user: str, password: str, host: str, number: int
) -> None:
    typed = f"{user}:{quote(password, safe='')}@{host}:1234/{number}"
    chosen = read({"QUEUE_TOOL_REDIS_URL": f"redis://{typed}", "QUEUE_TOOL_DATABASE_URL": f"postgresql://{typed}"})
    assert chosen.redis_url is not None
    redis = Redis.from_url(chosen.redis_url).connection_pool.connection_kwargs
    database = make_url(chosen.database)
    assert {redis["host"], database.host} == {host.strip("[]")}
    assert (redis["port"], redis["db"], database.port, database.database) == (1234, number, 1234, str(number))
    assert (redis["password"], database.password) == (password, password)
    assert without_secrets(chosen.redis_url) == f"redis://***@{host}:1234/{number}"
    assert without_secrets(chosen.database) == f"postgresql://***@{host}:1234/{number}"
