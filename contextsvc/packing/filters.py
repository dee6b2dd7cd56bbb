"""Filters: select documents by their metadata.

A filter is `{"field": FIELD, OPERATOR: VALUE}`, `{"and": [..]}`, `{"or": [..]}` or `{"not": {..}}`. FIELD is
a metadata key or one of `doc_id`, `title`, `source`.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from contextsvc.errors import InvalidRequest
from contextsvc.records.arrays import BoolArray, Int64Array
from contextsvc.storage.corpus.columns import Column, Columns

OPERATORS: Mapping[str, Callable[[Column, Any], Int64Array]] = {
    "eq": lambda column, value: column.equal(value),
    "in": lambda column, value: np.concatenate([*map(column.equal, value), np.zeros(0, dtype=np.int64)]),
    "gt": lambda column, value: column.ordered("gt", value),
    "lt": lambda column, value: column.ordered("lt", value),
    "exists": lambda column, value: column.present(),  # noqa: ARG005 - `_comparison` negates false
}

MAX_DEPTH = 16
"""Deepest allowed nesting of a filter."""


def matching_rows(spec: object, columns: Columns) -> BoolArray:
    """Return for which rows of metadata a filter holds: (num_rows,).

    A row without the field fails every operator except `exists: false`. Values of different kinds are neither
    equal nor ordered. An empty `and` holds for all rows, and an empty `or` holds for none.

    A field that no row has is an error, also inside `not`: it is likely misspelt, and a filter that silently
    allows nothing, or inside `not` everything, would hide that. `exists` may name any field. If there are no
    rows, nothing is known of fields, and a filter may name any.

    >>> rows = Columns([{"v": 4}, {"v": 4, "lang": "de"}, {"lang": "en"}])
    >>> spec = {"and": [{"field": "v", "gt": 3}, {"not": {"field": "lang", "eq": "de"}}]}
    >>> matching_rows(spec, rows).tolist()
    [True, False, False]

    Raises:
        InvalidRequest: the filter does not have this form, it is nested deeper than `MAX_DEPTH`, or no row
            has a field that it compares.
    """
    return _matching(spec, columns, 0)


def _matching(spec: object, columns: Columns, depth: int) -> BoolArray:
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"a filter may nest {MAX_DEPTH} deep")
    if not isinstance(spec, Mapping):
        raise InvalidRequest(f"a filter is an object, found {repr(spec)[:200]}")
    if len(spec) == 1:
        ((word, inner),) = spec.items()
        if word in ("and", "or") and isinstance(inner, list):
            join: np.ufunc = np.logical_and if word == "and" else np.logical_or
            holds = np.full(len(columns.owners), word == "and")
            for part in inner:
                join(holds, _matching(part, columns, depth + 1), out=holds)
            return holds
        if word == "not":
            return ~_matching(inner, columns, depth + 1)
    return _comparison(spec, columns)


def _comparison(spec: Mapping[str, Any], columns: Columns) -> BoolArray:
    operators = sorted(set(spec) - {"field"})
    field = spec.get("field")
    if not isinstance(field, str) or len(operators) != 1 or operators[0] not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise InvalidRequest(
            f'a filter is {{"field": NAME, OPERATOR: VALUE}} with one operator of {known}, '
            f'or an "and", "or" or "not" of such; found {repr(spec)[:200]}'
        )
    (operator,) = operators
    value = spec[operator]
    _check_value(operator, value)
    if operator != "exists":
        _check_field(field, columns.fields)
    holds = np.zeros(len(columns.owners), dtype=np.bool_)
    holds[OPERATORS[operator](columns.column(field), value)] = True
    return ~holds if operator == "exists" and not value else holds


def _check_field(field: str, known: Sequence[str]) -> None:
    if not known or field in known:
        return
    nearest = " and ".join(map(repr, get_close_matches(field, known, n=2, cutoff=0)))
    raise InvalidRequest(f"no document has the field {field[:200]!r}; the nearest fields are {nearest}")


def _check_value(operator: str, value: object) -> None:
    scalar = isinstance(value, (str, int, float))
    expected = {
        "eq": ("a text, number or boolean", scalar),
        "in": (
            "a list of texts, numbers or booleans",
            isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value),
        ),
        "gt": ("a text or number", scalar and not isinstance(value, bool)),
        "lt": ("a text or number", scalar and not isinstance(value, bool)),
        "exists": ("true or false", isinstance(value, bool)),
    }
    what, fits = expected[operator]
    if not fits:
        raise InvalidRequest(f"{operator!r} in a filter takes {what}, found {repr(value)[:200]}")
