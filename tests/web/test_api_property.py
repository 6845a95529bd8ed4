"""`POST /api` with arrays and bytes that Hypothesis generates."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

QUIET = {
    "deadline": None,
    "database": None,
    # All examples use the same database on purpose: no example may affect the next one.
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}

NUMBERS = st.integers(-(10**30), 10**30) | st.integers(-2, 5) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
NEARLY_GOOD = st.fixed_dictionaries(
    {}, optional={"item": st.text() | VALUES, "valor": NUMBERS | st.integers(0, 100) | VALUES, "more": VALUES}
)
GOOD = st.fixed_dictionaries(
    {"item": st.text(st.characters(codec="utf-8", exclude_characters="\0")), "valor": st.floats(0, 86400)}
)


def is_good(element: Any) -> bool:
    """Return whether the contract accepts this element. This oracle uses no schema."""
    if not isinstance(element, dict) or "item" not in element or "valor" not in element:
        return False
    item, valor = element["item"], element["valor"]
    if not isinstance(item, str) or "\0" in item:
        return False
    return isinstance(valor, int | float) and not isinstance(valor, bool) and 0 <= valor <= 86400


@settings(max_examples=120, **QUIET)  # type: ignore[arg-type] # a dict of different kinds of values
@given(elements=st.lists(GOOD | NEARLY_GOOD | VALUES, max_size=8))
@example(elements=[{"item": "a", "valor": True}, {"item": "\0", "valor": 0}, {"item": "", "valor": -0.0}])
def test_every_element_of_any_array_is_accepted_or_refused_as_the_contract_says(
    client: FlaskClient, elements: list[Any]
) -> None:
    answer = client.post("/api", data=json.dumps(elements), content_type="application/json")
    assert answer.status_code == 200
    body = json.loads(answer.data)
    lines = body["processing_items"]
    assert [line["index"] for line in lines] == list(range(len(elements)))
    assert [line["hash"] != "INVALID_JOB_REQUEST" for line in lines] == [is_good(element) for element in elements]
    assert ("batch" in body) == bool(elements)
    for line, element in zip(lines, elements, strict=True):
        assert ("errors" in line) != is_good(element)
        if is_good(element):
            assert line["item"] == element["item"]
            found = json.loads(client.get(f"/check/{line['hash']}").data)
            assert (found["message"], found["item"]) == ("Em processamento", element["item"])


@settings(max_examples=80, **QUIET)  # type: ignore[arg-type] # a dict of different kinds of values
@given(body=st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()) | st.text().map(str.encode))
def test_any_bytes_get_a_batch_or_a_400_with_the_reason(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api", data=body, content_type="application/json")
    document = json.loads(answer.data)
    if answer.status_code == 200:
        assert len(document["processing_items"]) == len(json.loads(body))
        assert all(line["hash"] for line in document["processing_items"])
    else:
        assert answer.status_code == 400
        assert document["code"] in ("malformed_json", "not_an_array")
        assert document["message"]
