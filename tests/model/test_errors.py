"""Errors: one tree, a stable code and a sentence for each, and one table of their HTTP statuses."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from queue_tool import errors
from queue_tool.errors import QueueToolError
from queue_tool.errors.base import FAILS_AGAIN
from queue_tool.web.http.problems import STATUSES

TREE = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, QueueToolError)]

PUBLISHED = {
    "internal_error",
    "bad_request",
    "malformed_json",
    "not_an_array",
    "bad_parameter",
    "bad_cursor",
    "bad_task",
    "bad_tokens",
    "bad_idempotency_key",
    "idempotency_key_reused",
    "unsupported_media_type",
    "body_too_large",
    "too_many_items",
    "too_many_waiting",
    "too_many_uploads",
    "not_found",
    "task_not_found",
    "batch_not_found",
    "queue_not_found",
    "key_not_found",
    "task_ended",
    "task_not_retried",
    "unique_key_taken",
    "not_acceptable",
    "too_many_streams",
    "method_not_allowed",
    "unauthorized",
    "forbidden",
    "store_away",
    "schema_outdated",
    "broker_away",
    "bad_setting",
    "bad_task_type",
    "data_dir_unusable",
    "data_dir_in_use",
    "port_taken",
    "no_embedded_server",
    "child_keeps_dying",
    "naive_time",
}
"""Codes that users' programs may depend on; none of them may be removed."""


def test_every_exception_of_the_module_is_in_the_tree() -> None:
    assert list(errors.BY_CODE.values()) == TREE
    exceptions = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, BaseException)
    ]
    assert exceptions == TREE
    assert len(TREE) > 20


@pytest.mark.parametrize("kind", TREE)
def test_an_error_has_a_unique_code(kind: type[QueueToolError]) -> None:
    assert "code" in vars(kind)
    assert [other for other in TREE if other.code == kind.code] == [kind]
    assert kind.code.isidentifier()
    assert kind.code == kind.code.lower()


def test_no_published_code_is_removed() -> None:
    assert {kind.code for kind in TREE} >= PUBLISHED


@pytest.mark.parametrize("kind", TREE)
def test_an_errors_docstring_is_its_sentence(kind: type[QueueToolError]) -> None:
    assert "__doc__" in vars(kind)
    sentence = (kind.__doc__ or "").strip()
    assert sentence
    assert "\n" not in sentence
    assert kind().sentence == str(kind()) == kind.default_sentence() == sentence


@pytest.mark.parametrize("kind", [kind for kind in TREE if kind is not errors.TaskNotFound])
def test_a_sentence_starts_with_a_capital_and_ends_with_a_period(kind: type[QueueToolError]) -> None:
    assert kind.default_sentence()[0].isupper()
    assert kind.default_sentence().endswith(".")


KNOWN_TO_HTTP = {*STATUSES, QueueToolError.code}


def test_each_error_that_http_knows_says_what_caused_it_and_what_to_do_now() -> None:
    explained = {kind.code for kind in TREE if {"cause", "remedy"} & vars(kind).keys()}
    assert explained == KNOWN_TO_HTTP
    for kind in (errors.BY_CODE[code] for code in explained):
        for text in (vars(kind)["cause"], vars(kind)["remedy"]):
            assert re.fullmatch(r"[A-Z][^|\n]*[^ .]\.", text), kind.code
            assert 1 <= len(re.findall(r"\.(?= |$)", text)) <= 3, kind.code
            assert text.count("`") % 2 == 0, kind.code
        assert "he same request" in kind.remedy, kind.code
        assert FAILS_AGAIN not in kind.remedy or "Retry-After" not in kind.remedy, kind.code


def test_an_unknown_token_has_the_text_of_the_original_service() -> None:
    assert errors.TaskNotFound().sentence == "Job not found"


@pytest.mark.parametrize("kind", TREE)
def test_an_error_may_have_a_better_sentence(kind: type[QueueToolError]) -> None:
    error = kind("Something better.", retry_after=5)
    assert (error.sentence, str(error), error.retry_after) == ("Something better.", "Something better.", 5)
    assert kind().retry_after is None


def test_a_class_without_a_docstring_uses_the_sentence_of_the_base_class() -> None:
    class Bare(QueueToolError):
        pass

    assert Bare().sentence == QueueToolError.default_sentence()


def test_http_statuses_are_only_for_existing_codes() -> None:
    assert STATUSES.keys() <= {kind.code for kind in TREE}


@pytest.mark.parametrize("code", STATUSES)
def test_a_status_is_4xx_or_503(code: str) -> None:
    status = HTTPStatus(STATUSES[code])
    assert 400 <= status < 500 or status is HTTPStatus.SERVICE_UNAVAILABLE
