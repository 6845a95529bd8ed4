"""Settings: defaults, legal values, one sentence for an illegal value, and no secret in any sentence."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.errors import BadSetting
from queue_tool.model.settings import INLINE, PREFIX, Settings, described, read, unknown, without_secrets

relaxed = settings(deadline=None)

DEFAULTS = {
    "DATA_DIR": "instance",
    "DATABASE_URL": "SQLite in the data directory",
    "REDIS_URL": "an embedded Valkey in the data directory",
    "TASKS": "none",
    "WORKERS": "1",
    "DRAIN": "20",
    "MAX_BATCH": "100000",
    "MAX_BODY": "64 MiB",
    "MAX_VALOR": "86400",
    "MAX_WAITING": "0",
    "TIMEOUT": "3600",
    "AUTH": "keys",
    "HOST": "127.0.0.1",
    "PORT": "5000",
    "WEB": "1",
    "LOG_LEVEL": "info",
    "LOG_FORMAT": "text",
}
"""The default of each setting, as the contract describes it."""

IN_WORDS = {"DATABASE_URL", "REDIS_URL", "TASKS"}
"""Settings whose default is described by words that are not a value."""


def settings_of(**texts: str) -> Settings:
    return read({PREFIX + name: text for name, text in texts.items()})


def value_of(chosen: Settings, name: str) -> Any:
    return getattr(chosen, name.lower())


# -- defaults and descriptions -----------------------------------------------------------------------------


def test_without_settings_the_defaults_apply() -> None:
    assert read({}) == Settings()


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_is_described_as_the_contract_says(name: str) -> None:
    (setting,) = [setting for setting in described() if setting.name == PREFIX + name]
    assert setting.default == DEFAULTS[name]


def test_every_setting_is_described_once_with_a_meaning() -> None:
    names = [setting.name for setting in described()]
    assert names == [PREFIX + field.name.upper() for field in fields(Settings)]
    assert all(setting.default.strip() and setting.meaning.strip() for setting in described())


@pytest.mark.parametrize("name", sorted(DEFAULTS.keys() - IN_WORDS))
def test_the_described_default_can_be_used_as_a_value(name: str) -> None:
    assert settings_of(**{name: DEFAULTS[name]}) == Settings()


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_empty_text_counts_as_absent(name: str) -> None:
    assert settings_of(**{name: ""}) == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc] # they are frozen


def test_variables_without_the_prefix_are_ignored() -> None:
    assert read({"PORT": "x", "queue_tool_port": "x", "PATH": "/bin"}) == Settings()


# -- good values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DATA_DIR", "/var/lib/queue", Path("/var/lib/queue")),
        ("DATABASE_URL", "sqlite:////tmp/tasks.db", "sqlite:////tmp/tasks.db"),
        ("DATABASE_URL", "postgres://me:p%40ss@h:5432/x", "postgresql://me:p%40ss@h:5432/x"),
        ("DATABASE_URL", "postgresql://me@/x?host=/run/pg", "postgresql://me@/x?host=/run/pg"),
        ("REDIS_URL", "redis://localhost:6379/1", "redis://localhost:6379/1"),
        ("REDIS_URL", "rediss://:pw@example.org", "rediss://:pw@example.org"),
        ("REDIS_URL", "unix:///run/valkey.sock", "unix:///run/valkey.sock"),
        ("REDIS_URL", "inline:", INLINE),
        ("REDIS_URL", "rediss://h?ssl_cert_reqs=CERT_NONE", "rediss://h?ssl_cert_reqs=none"),
        ("REDIS_URL", "rediss://h/1?ssl_cert_reqs=required", "rediss://h/1?ssl_cert_reqs=required"),
        ("REDIS_URL", "redis://h?db=2&protocol=3", "redis://h?db=2&protocol=3"),
        ("DATABASE_URL", "postgresql://h/x?options=-csearch_path%3Da", "postgresql://h/x?options=-csearch_path%3Da"),
        ("TASKS", "myapp.tasks", ("myapp.tasks",)),
        ("TASKS", " a , b.c ,", ("a", "b.c")),
        ("WORKERS", "0", 0),
        ("WORKERS", "1000", 1000),
        ("DRAIN", "0.5", 0.5),
        ("MAX_BATCH", "1", 1),
        ("MAX_BODY", "1000", 1000),
        ("MAX_BODY", "3 KiB", 3072),
        ("MAX_BODY", "2 mib", 2 * 2**20),
        ("MAX_BODY", "1 GiB", 2**30),
        ("MAX_VALOR", "0", 0.0),
        ("MAX_WAITING", "5", 5),
        ("TIMEOUT", "0", 0.0),
        ("TIMEOUT", "1e3", 1000.0),
        ("AUTH", "OFF", "off"),
        ("HOST", " ::1 ", "::1"),
        ("PORT", "1", 1),
        ("PORT", "65535", 65535),
        ("WEB", "4", 4),
        ("LOG_LEVEL", "Warning", "warning"),
        ("LOG_FORMAT", "json", "json"),
    ],
)
def test_a_good_value_is_read(name: str, text: str, value: object) -> None:
    assert value_of(settings_of(**{name: text}), name) == value


@relaxed
@given(st.integers(1, 65535), st.integers(0, 1000), st.floats(0, 1e6))
def test_numbers_are_read_exactly(port: int, workers: int, drain: float) -> None:
    chosen = settings_of(PORT=str(port), WORKERS=str(workers), DRAIN=repr(drain))
    assert (chosen.port, chosen.workers, chosen.drain) == (port, workers, drain)


# -- bad values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATA_DIR", "  "),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///  "),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "tasks.db"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://[::1"),
        ("REDIS_URL", "redis://localhost:port"),
        ("REDIS_URL", "redis://localhost:99999"),
        ("REDIS_URL", "inline"),
        ("REDIS_URL", "redis://:6295#34@redis.internal:6379/0"),
        ("REDIS_URL", "redis://:a?b@h/0"),
        ("REDIS_URL", "redis://:a@b@h/0"),
        ("REDIS_URL", "redis://h/prod"),
        ("REDIS_URL", "redis://h/1/2"),
        ("REDIS_URL", "redis://h/1?db=2"),
        ("REDIS_URL", "redis://h?db=abc"),
        ("REDIS_URL", "redis://h?foo=bar"),
        ("REDIS_URL", "redis://h?ssl_cert_reqs=none"),
        ("REDIS_URL", "rediss://h?ssl_cert_reqs=maybe"),
        ("REDIS_URL", "redis://h?socket_timeout=100"),
        ("REDIS_URL", "redis://h:0"),
        ("REDIS_URL", "unix:///" + "s" * 107),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///file:x?mode=memory&uri=true"),
        ("DATABASE_URL", "sqlite:///x.db?timeout=abc"),
        ("DATABASE_URL", "postgresql://h/x?foo=bar"),
        ("DATABASE_URL", "postgresql://h/x?connect_timeout=abc"),
        ("DATABASE_URL", "postgresql://h/a#b"),
        ("REDIS_URL", "inline:x"),
        ("TASKS", "my-app"),
        ("TASKS", "a..b"),
        ("TASKS", "a b"),
        ("TASKS", "a/b.py"),
        ("WORKERS", "-1"),
        ("WORKERS", "1001"),
        ("WORKERS", "1.5"),
        ("WORKERS", "two"),
        ("DRAIN", "-0.1"),
        ("DRAIN", "nan"),
        ("DRAIN", "inf"),
        ("DRAIN", "20s"),
        ("MAX_BATCH", "0"),
        ("MAX_BODY", "0"),
        ("MAX_BODY", "-1"),
        ("MAX_BODY", "64 MB"),
        ("MAX_BODY", "1.5 GiB"),
        ("MAX_BODY", "MiB"),
        ("MAX_VALOR", "-1"),
        ("MAX_VALOR", "infinity"),
        ("MAX_WAITING", "-1"),
        ("TIMEOUT", "-1"),
        ("TIMEOUT", "none"),
        ("AUTH", "on"),
        ("HOST", "  "),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("WEB", "-1"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence_that_names_the_setting(name: str, text: str) -> None:
    with pytest.raises(BadSetting) as caught:
        settings_of(**{name: text})
    sentence = caught.value.sentence
    assert sentence.startswith(f"{PREFIX}{name} must be ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert (repr(text) in sentence) is not name.endswith("_URL")


def test_every_setting_has_a_bad_value_in_these_tests() -> None:
    marks = test_a_bad_value_is_refused_in_one_sentence_that_names_the_setting.pytestmark  # type: ignore[attr-defined] # pytest sets it
    assert {name for name, _ in marks[0].args[1]} == set(DEFAULTS)


def test_a_sentence_names_the_legal_values() -> None:
    with pytest.raises(BadSetting) as caught:
        settings_of(PORT="0")
    assert caught.value.sentence == "QUEUE_TOOL_PORT must be a whole number from 1 to 65535, not '0'."


# -- secrets -----------------------------------------------------------------------------------------------

passwords = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20).map(
    lambda text: "hunter2" + quote(text, safe="")
)
users = st.sampled_from(["", "somebody"])


@relaxed
@given(
    st.sampled_from(["DATABASE_URL", "REDIS_URL"]),
    st.sampled_from(["mysql://{}@h/x", "http://{}@h", "redis://{}@h:99999", "redis://{}@h:x", "redis://{}@[::1", "{}"]),
    users,
    passwords,
)
def test_a_password_is_never_in_the_sentence(name: str, shape: str, user: str, password: str) -> None:
    with pytest.raises(BadSetting) as caught:
        settings_of(**{name: shape.format(f"{user}:{password}")})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@relaxed
@given(
    st.sampled_from(["redis", "rediss", "unix", "postgresql", "amqp"]),
    users,
    passwords | st.just("hunter2@h@unter2"),
    st.sampled_from(["example.org", "example.org:6379", "[::1]:6379", ""]),
    st.sampled_from(["", "/", "/1"]),
)
def test_a_password_is_never_shown(scheme: str, user: str, password: str, host: str, path: str) -> None:
    url = f"{scheme}://{user}:{password}@{host}{path}"
    shown = without_secrets(url)
    assert "hunter2" not in shown
    assert "somebody" not in shown
    assert shown == f"{scheme}://***@{host}{path}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1?password=hunter2", "redis://h:1"),
        ("unix:///s?password=hunter2", "unix:///s"),
        ("redis://:12/34@host", "redis://***@host"),
    ],
)
def test_a_password_in_an_unusual_place_is_not_shown_either(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@pytest.mark.parametrize(
    "url", ["me:hunter@2@h/x", "me:hunter/2@h/x", "me:hunter?2@h/x", "me:1#hunter2@h/x", "me@h:hunter2/x", "me:[2@h/x"]
)
def test_a_password_that_could_be_read_as_a_host_or_a_port_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match=r"^QUEUE_TOOL_DATABASE_URL must be a URL with") as refusal:
        settings_of(DATABASE_URL=f"postgresql://{url}")
    assert "hunter" not in refusal.value.sentence


@pytest.mark.parametrize("url", ["redis:foo", "unix:", "unix://", "REDIS://h", "redis://:12/34@host", "redis://h:x"])
def test_a_redis_url_that_no_client_understands_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match="QUEUE_TOOL_REDIS_URL") as refusal:
        read({"QUEUE_TOOL_REDIS_URL": url})
    assert "34@" not in refusal.value.sentence


@pytest.mark.parametrize(("name", "text"), [("MAX_BODY", "9" * 5000), ("MAX_BATCH", "9" * 5000), ("TIMEOUT", "1e10")])
def test_a_number_that_is_far_too_large_is_refused_in_a_sentence(name: str, text: str) -> None:
    with pytest.raises(BadSetting, match=f"^QUEUE_TOOL_{name} must be a (whole )?number"):
        read({f"QUEUE_TOOL_{name}": text})


@pytest.mark.parametrize(
    "url",
    ["redis://localhost:6379/1", "unix:///run/valkey.sock", "inline:", "sqlite:////tmp/queue_tool.db"],
)
def test_a_url_without_a_secret_is_shown_unchanged(url: str) -> None:
    assert without_secrets(url) == url


# -- derived settings --------------------------------------------------------------------------------------


def test_the_database_is_in_the_data_directory_by_default(tmp_path: Path) -> None:
    assert settings_of(DATA_DIR=str(tmp_path)).database == f"sqlite:///{tmp_path}/queue_tool.db"
    assert Settings().database == f"sqlite:///{Path.cwd()}/instance/queue_tool.db"
    assert settings_of(DATA_DIR=str(tmp_path), DATABASE_URL="sqlite:///other.db").database == "sqlite:///other.db"


@pytest.mark.parametrize(("url", "embedded"), [("", True), ("redis://localhost", False), (INLINE, False)])
def test_valkey_is_embedded_unless_a_url_is_set(url: str, embedded: bool) -> None:
    assert settings_of(REDIS_URL=url).embedded is embedded


# -- misspelled names --------------------------------------------------------------------------------------


def test_unknown_names_with_the_prefix_are_found() -> None:
    texts = {"QUEUE_TOOL_PROT": "1", "QUEUE_TOOL_PORT": "1", "QUEUE_TOOL_": "", "QUEUE_TOOLS": "1", "PORT": "1"}
    assert unknown(texts) == ["QUEUE_TOOL_", "QUEUE_TOOL_PROT"]


def test_no_setting_is_unknown() -> None:
    assert unknown({setting.name: "x" for setting in described()}) == []


@relaxed
@given(st.sets(st.text(max_size=8)))
def test_every_name_with_the_prefix_is_a_setting_or_unknown(endings: set[str]) -> None:
    names = {PREFIX + ending for ending in endings}
    known = {setting.name for setting in described()}
    assert unknown(dict.fromkeys(names, "")) == sorted(names - known)
