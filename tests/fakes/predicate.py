"""Filters by brute force: a predicate asked of one document at a time."""

import operator
from collections.abc import Mapping
from typing import Any


def holds(spec: Mapping[str, Any], fields: Mapping[str, object]) -> bool:
    """Whether a well-formed filter holds for a document's fields."""
    if "and" in spec:
        return all(holds(part, fields) for part in spec["and"])
    if "or" in spec:
        return any(holds(part, fields) for part in spec["or"])
    if "not" in spec:
        return not holds(spec["not"], fields)
    (name,) = set(spec) - {"field"}
    if name == "exists":
        return (spec["field"] in fields) is spec["exists"]
    if spec["field"] not in fields:
        return False
    found, wanted = fields[spec["field"]], spec[name]
    if name == "in":
        return any(_equal(found, value) for value in wanted)
    return _equal(found, wanted) if name == "eq" else _ordered(name, found, wanted)


def _equal(found: object, wanted: object) -> bool:
    values = found if isinstance(found, list) else [found]
    return any(value == wanted and isinstance(value, bool) == isinstance(wanted, bool) for value in values)


def _ordered(name: str, found: Any, wanted: Any) -> bool:
    kinds = [str if isinstance(value, str) else int for value in (found, wanted)]
    if isinstance(found, (bool, list)) or kinds[0] != kinds[1]:
        return False
    return bool({"gt": operator.gt, "lt": operator.lt}[name](found, wanted))
