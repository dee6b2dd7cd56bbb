"""Which documents a request may see, by their metadata.

A filter is `{"field": F, OP: VALUE}`, `{"and": [..]}`, `{"or": [..]}` or `{"not": {..}}`; F is a
metadata key or one of `doc_id`, `title`, `source`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from contextsvc.errors import InvalidRequest

Fields = Mapping[str, object]
Predicate = Callable[[Fields], bool]

_MISSING = object()


def _equal(found: object, wanted: object) -> bool:
    # A list-valued field holds each of its values; True is not 1 here, as in JSON.
    values = found if isinstance(found, (list, tuple)) else [found]
    return any(value == wanted and isinstance(value, bool) == isinstance(wanted, bool) for value in values)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    def holds(found: object, wanted: object) -> bool:
        numbers = isinstance(found, (int, float)) and isinstance(wanted, (int, float))
        numbers = numbers and not isinstance(found, bool)
        texts = isinstance(found, str) and isinstance(wanted, str)
        return (numbers or texts) and compare(found, wanted)

    return holds


OPERATORS: Mapping[str, Callable[[object, Any], bool]] = {
    "eq": _equal,
    "in": lambda found, wanted: any(_equal(found, value) for value in wanted),
    "gt": _ordered(lambda found, wanted: found > wanted),
    "lt": _ordered(lambda found, wanted: found < wanted),
    "exists": lambda found, wanted: (found is not _MISSING) == wanted,
}

MAX_DEPTH = 16


def compile_filter(spec: object, depth: int = 0) -> Predicate:
    """A predicate over a document's fields.

    A document without the field fails every operator but `exists: false`. Values of different
    kinds are never equal nor ordered. An empty `and` holds for all, an empty `or` for none.

    >>> holds = compile_filter({"and": [{"field": "v", "gt": 3}, {"not": {"field": "lang", "eq": "de"}}]})
    >>> holds({"v": 4}), holds({"v": 4, "lang": "de"}), holds({"lang": "en"})
    (True, False, False)

    Raises:
        InvalidRequest: the filter is not of this form.
    """
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"a filter may nest {MAX_DEPTH} deep")
    if not isinstance(spec, Mapping):
        raise InvalidRequest(f"a filter is an object, found {repr(spec)[:200]}")
    if len(spec) == 1:
        ((word, inner),) = spec.items()
        if word in ("and", "or") and isinstance(inner, list):
            parts = [compile_filter(part, depth + 1) for part in inner]
            join = all if word == "and" else any
            return lambda fields: join(part(fields) for part in parts)
        if word == "not":
            negated = compile_filter(inner, depth + 1)
            return lambda fields: not negated(fields)
    return _comparison(spec)


def _comparison(spec: Mapping[str, Any]) -> Predicate:
    operators = sorted(set(spec) - {"field"})
    field = spec.get("field")
    if not isinstance(field, str) or len(operators) != 1 or operators[0] not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise InvalidRequest(
            f'a filter is {{"field": NAME, OPERATOR: VALUE}} with one operator of {known}, '
            f'or an "and", "or" or "not" of such; found {repr(spec)[:200]}'
        )
    (operator,) = operators
    wanted = spec[operator]
    _check_value(operator, wanted)
    holds = OPERATORS[operator]

    def predicate(fields: Fields) -> bool:
        found = fields.get(field, _MISSING)
        return holds(found, wanted) if found is not _MISSING or operator == "exists" else False

    return predicate


def _check_value(operator: str, wanted: object) -> None:
    expected = {
        "eq": ("a text, number or boolean", isinstance(wanted, (str, int, float, bool))),
        "in": ("a list", isinstance(wanted, list)),
        "gt": ("a text or number", isinstance(wanted, (str, int, float)) and not isinstance(wanted, bool)),
        "lt": ("a text or number", isinstance(wanted, (str, int, float)) and not isinstance(wanted, bool)),
        "exists": ("true or false", isinstance(wanted, bool)),
    }
    what, right = expected[operator]
    if not right:
        raise InvalidRequest(f"{operator!r} in a filter takes {what}, found {repr(wanted)[:200]}")
