"""Filters: every operator by hand, every malformed one refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import InvalidRequest
from contextsvc.packing.filters import matching_rows
from contextsvc.storage.corpus.columns import Columns
from tests.fakes.predicate import holds as holds_for

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
        ({"and": [{"field": "lang", "eq": "en"}, {"field": "version", "lt": 3}]}, False),
        ({"or": [{"field": "lang", "eq": "en"}, {"field": "version", "lt": 3}]}, True),
        ({"and": []}, True),
        ({"or": []}, False),
        ({"field": "doc_id", "eq": "a/b"}, True),
    ],
)
def test_a_filter_by_hand(spec: dict[str, Any], holds: bool) -> None:
    assert matching_rows(spec, Columns([PAGE])).tolist() == [holds]
    assert holds_for(spec, PAGE) is holds


UNKNOWN: dict[str, Any] = {"field": "langs", "eq": "x"}


@pytest.mark.parametrize(
    "spec",
    [
        UNKNOWN,
        {"field": "langs", "in": ["x"]},
        {"field": "langs", "in": []},
        {"field": "langs", "gt": 1},
        {"field": "langs", "lt": "x"},
        {"not": UNKNOWN},  # it would allow everything
        {"and": [{"field": "lang", "eq": "de"}, UNKNOWN]},
        {"or": [{"field": "lang", "eq": "en"}, {"not": {"and": [UNKNOWN]}}]},
        {"or": [{"field": "langs", "exists": False}, UNKNOWN]},
    ],
)
def test_a_field_that_no_document_has_is_named_with_the_nearest(spec: dict[str, Any]) -> None:
    message = "no document has the field 'langs'; the nearest fields are 'lang' and 'tags'"
    with pytest.raises(InvalidRequest, match=message):
        matching_rows(spec, Columns([{"title": "x"}, PAGE]))


def test_a_field_needs_only_one_document() -> None:
    rows = Columns([{"lang": "en"}, {"version": 3}])
    assert matching_rows({"field": "version", "gt": 2}, rows).tolist() == [False, True]
    assert matching_rows({"not": {"field": "version", "gt": 2}}, rows).tolist() == [True, False]


def test_exists_may_name_any_field() -> None:
    rows = Columns([PAGE, {"lang": "en"}])
    assert matching_rows({"field": "author", "exists": True}, rows).tolist() == [False, False]
    assert matching_rows({"not": {"field": "author", "exists": False}}, rows).tolist() == [False, False]


def test_without_documents_a_filter_may_name_any_field() -> None:
    for spec in (UNKNOWN, {"not": UNKNOWN}, {"and": [UNKNOWN]}):
        assert matching_rows(spec, Columns([])).tolist() == []


def test_the_name_of_a_field_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidRequest) as raised:
        matching_rows({"field": "x" * 5000, "eq": 1}, Columns([PAGE]))
    assert len(str(raised.value)) < 300


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
        {"field": "a", "in": [None]},
        {"field": "a", "in": [["x"]]},
        {"field": "a", "eq": None},
        {"field": "a", "gt": True},
        {"field": "a", "eq": {"b": 1}},
        {"field": "a", "exists": 1},
        {"and": {"field": "a", "eq": 1}},
        {"not": []},
    ],
)
def test_a_malformed_filter_is_refused(spec: Any) -> None:
    with pytest.raises(InvalidRequest):
        matching_rows(spec, Columns([PAGE]))


def test_nesting_is_bounded() -> None:
    spec: dict[str, Any] = {"field": "a", "eq": 1}
    for _ in range(20):
        spec = {"not": spec}
    with pytest.raises(InvalidRequest, match="nest 16 deep"):
        matching_rows(spec, Columns([PAGE]))


values = st.one_of(
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0, 1.5, 2**53, 2**53 + 1, float("nan"), float("inf")]),
    st.booleans(),
    st.sampled_from(["a", "b", "1", ""]),
)
found = st.one_of(values, st.lists(values, max_size=3))
documents = st.lists(st.dictionaries(st.sampled_from("xyz"), found, max_size=3), max_size=8)
fields = st.sampled_from("xyzw")
orderable = values.filter(lambda value: not isinstance(value, bool))
leaves = st.one_of(
    st.fixed_dictionaries({"field": fields, "eq": values}),
    st.fixed_dictionaries({"field": fields, "in": st.lists(values, max_size=3)}),
    st.fixed_dictionaries({"field": fields, "gt": orderable}),
    st.fixed_dictionaries({"field": fields, "lt": orderable}),
    st.fixed_dictionaries({"field": fields, "exists": st.booleans()}),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"and": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"or": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)


@given(filters, documents)
def test_a_filter_equals_a_predicate_on_each_document(
    spec: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    known = {field for row in rows for field in row}
    if known and compared(spec) - known:
        with pytest.raises(InvalidRequest, match="no document has the field"):
            matching_rows(spec, Columns(rows))
    else:
        assert matching_rows(spec, Columns(rows)).tolist() == [holds_for(spec, row) for row in rows]


def compared(spec: dict[str, Any]) -> set[str]:
    """Fields of a filter, without those of `exists`."""
    if "field" in spec:
        return set() if "exists" in spec else {spec["field"]}
    parts = [spec["not"]] if "not" in spec else [*spec.get("and", ()), *spec.get("or", ())]
    return {field for part in parts for field in compared(part)}


def test_a_filter_of_no_rows_is_still_checked() -> None:
    assert matching_rows({"and": []}, Columns([])).tolist() == []
    with pytest.raises(InvalidRequest):
        matching_rows({"field": "a", "like": "x"}, Columns([]))


def test_rows_may_share_an_owner() -> None:
    columns = Columns([{"v": 1}, {"v": 2}, {"v": 3}], owners=np.array([0, 1, 0]))
    assert columns.owners[matching_rows({"field": "v", "gt": 1}, columns)].tolist() == [1, 0]
