"""What filters see of documents, by field: made once a generation, so that a filter reads no document.

A column answers with row numbers. A list-valued field holds each of its values; booleans are no numbers,
as in JSON, so that true is not 1.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from contextsvc.records import Int64Array

Scalar = str | int | float
NOTHING: Int64Array = np.zeros(0, dtype=np.int64)


class Column:
    """The values that rows have in one field."""

    def __init__(self, values: Iterable[tuple[int, object]]) -> None:
        there, equal = [], defaultdict[tuple[bool, Scalar], list[int]](list)
        numbers, texts = list[tuple[int | float, int]](), list[tuple[str, int]]()
        for row, value in values:
            there.append(row)
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(item, (str, int, float)):
                    equal[isinstance(item, bool), item].append(row)
            # What is not a number equals nothing and has no place in an order.
            if isinstance(value, str):
                texts.append((value, row))
            elif isinstance(value, (int, float)) and not isinstance(value, bool) and value == value:
                numbers.append((value, row))
        self._there = np.array(there, dtype=np.int64)
        self._equal = dict(equal)
        self._numbers, self._texts = _Order(numbers), _Order(texts)

    def present(self) -> Int64Array:
        """Rows that have the field at all."""
        return self._there

    def equal(self, wanted: Scalar) -> Int64Array:
        """Rows with that value, or a list that holds it; a row may come twice."""
        if wanted != wanted:
            return NOTHING
        return np.array(self._equal.get((isinstance(wanted, bool), wanted), ()), dtype=np.int64)

    def ordered(self, side: Literal["gt", "lt"], wanted: Scalar) -> Int64Array:
        """Rows whose number is greater or less than a number, or whose text follows or precedes a text."""
        if isinstance(wanted, str):
            return self._texts.beyond(side, wanted)
        return NOTHING if wanted != wanted else self._numbers.beyond(side, wanted)


class _Order:
    """Values in order, each with its row. Python's own comparison: whole numbers may exceed 2**53."""

    def __init__(self, pairs: "list[tuple[int | float, int]] | list[tuple[str, int]]") -> None:
        pairs.sort()
        self._values = [value for value, _ in pairs]
        self._rows = np.array([row for _, row in pairs], dtype=np.int64)

    def beyond(self, side: Literal["gt", "lt"], wanted: Scalar) -> Int64Array:
        if side == "gt":
            return self._rows[bisect_right(self._values, wanted) :]
        return self._rows[: bisect_left(self._values, wanted)]


class Columns:
    """All fields of all rows.

    Args:
        rows: The fields of each row, in order; read once.
        owners: The document of each row: one may be known under several ids. None: each row's own number.

    Attributes:
        owners: (num_rows,).
    """

    def __init__(self, rows: Iterable[Mapping[str, object]], owners: Int64Array | None = None) -> None:
        values = defaultdict[str, list[tuple[int, object]]](list)
        num_rows = 0
        for row, fields in enumerate(rows):
            num_rows = row + 1
            for field, value in fields.items():
                values[field].append((row, value))
        self.owners = np.arange(num_rows) if owners is None else owners
        self._columns = {field: Column(found) for field, found in values.items()}

    def column(self, field: str) -> Column:
        """The field's column; one without values where no row has it."""
        return self._columns.get(field, _EMPTY)


_EMPTY = Column(())
