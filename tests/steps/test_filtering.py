"""Filters: every operator by hand, every malformed one refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import InvalidRequest
from contextsvc.steps.filtering import compile_filter

PAGE = {"version": 3, "lang": "en", "draft": False, "tags": ["ops", "backup"], "doc_id": "a/b"}


@pytest.mark.parametrize(
    ("spec", "holds"),
    [
        ({"field": "lang", "eq": "en"}, True),
        ({"field": "lang", "eq": "de"}, False),
        ({"field": "tags", "eq": "ops"}, True),
        ({"field": "draft", "eq": 0}, False),  # false is not 0
        ({"field": "version", "in": [1, 3]}, True),
        ({"field": "tags", "in": ["backup"]}, True),
        ({"field": "version", "gt": 2}, True),
        ({"field": "version", "gt": 3}, False),
        ({"field": "version", "gt": "2"}, False),  # a number is not ordered against a text
        ({"field": "draft", "lt": 1}, False),  # nor is false less than 1
        ({"field": "lang", "lt": "fr"}, True),
        ({"field": "author", "exists": True}, False),
        ({"field": "author", "exists": False}, True),
        ({"field": "author", "eq": "x"}, False),
        ({"not": {"field": "author", "eq": "x"}}, True),
        ({"and": [{"field": "lang", "eq": "en"}, {"field": "version", "lt": 3}]}, False),
        ({"or": [{"field": "lang", "eq": "en"}, {"field": "version", "lt": 3}]}, True),
        ({"and": []}, True),
        ({"or": []}, False),
        ({"field": "doc_id", "eq": "a/b"}, True),
    ],
)
def test_a_filter_by_hand(spec: dict[str, Any], holds: bool) -> None:
    assert compile_filter(spec)(PAGE) is holds


@pytest.mark.parametrize(
    "spec",
    [
        [],
        {},
        {"field": "a"},
        {"field": 1, "eq": 1},
        {"field": "a", "eq": 1, "gt": 2},
        {"field": "a", "like": "x"},
        {"field": "a", "in": "x"},
        {"field": "a", "gt": True},
        {"field": "a", "eq": {"b": 1}},
        {"field": "a", "exists": 1},
        {"and": {"field": "a", "eq": 1}},
        {"not": []},
    ],
)
def test_a_malformed_filter_is_refused(spec: Any) -> None:
    with pytest.raises(InvalidRequest):
        compile_filter(spec)


def test_nesting_is_bounded() -> None:
    spec: dict[str, Any] = {"field": "a", "eq": 1}
    for _ in range(20):
        spec = {"not": spec}
    with pytest.raises(InvalidRequest, match="nest 16 deep"):
        compile_filter(spec)


leaves = st.builds(
    lambda operator, value: {"field": "version", operator: value},
    st.sampled_from(["eq", "gt", "lt"]),
    st.integers(0, 6),
)
filters = st.recursive(
    leaves, lambda inner: st.builds(lambda a, b: {"and": [a, b]}, inner, inner), max_leaves=4
)


@given(filters, filters)
def test_de_morgan(a: dict[str, Any], b: dict[str, Any]) -> None:
    either = compile_filter({"or": [a, b]})
    neither = compile_filter({"and": [{"not": a}, {"not": b}]})
    assert either(PAGE) is not neither(PAGE)
