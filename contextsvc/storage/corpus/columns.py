"""Columns: the fields of documents that filters compare, made once for a generation.

A filter then reads no document: a column answers with row numbers. A field with a list holds each value of
the list. Booleans are not numbers, as in JSON: true does not equal 1.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from contextsvc.records.arrays import Int64Array

Scalar = str | int | float


class Column:
    """Values of one field, from (row, value) pairs in order of rows."""

    def __init__(self, values: Iterable[tuple[int, object]]) -> None:
        there, numbers, texts = list[int](), list[tuple[int | float, int]](), list[tuple[str, int]]()
        listed_numbers, listed_texts = list[tuple[int | float, int]](), list[tuple[str, int]]()
        booleans: dict[bool, list[int]] = {True: [], False: []}
        for row, value in values:
            there.append(row)
            items = value if isinstance(value, (list, tuple)) else (value,)
            alone = items is not value
            for item in items:
                if isinstance(item, bool):
                    booleans[item].append(row)
                elif isinstance(item, str):
                    (texts if alone else listed_texts).append((item, row))
                # NaN equals nothing and has no place in an order.
                elif isinstance(item, (int, float)) and item == item:
                    (numbers if alone else listed_numbers).append((item, row))
        self._there = np.array(there, dtype=np.int64)
        self._booleans = {which: np.array(rows, dtype=np.int64) for which, rows in booleans.items()}
        self._numbers, self._texts = _Order(numbers), _Order(texts)
        self._listed_numbers, self._listed_texts = _Order(listed_numbers), _Order(listed_texts)

    def present(self) -> Int64Array:
        """Return the rows that have the field, in order."""
        return self._there

    def equal(self, wanted: Scalar) -> Int64Array:
        """Return the rows with a value or with a list that holds it; a row may come twice."""
        if isinstance(wanted, bool):
            return self._booleans[wanted]
        orders = (self._numbers, self._listed_numbers)
        if isinstance(wanted, str):
            orders = (self._texts, self._listed_texts)
        return np.concatenate([order.equal(wanted) for order in orders])

    def ordered(self, side: Literal["gt", "lt"], wanted: Scalar) -> Int64Array:
        """Return the rows with a greater ("gt") or smaller ("lt") value; values of lists do not count."""
        return (self._texts if isinstance(wanted, str) else self._numbers).beyond(side, wanted)


class _Order:
    """Values in order, each with its row, compared by Python: integers may exceed 2**53."""

    def __init__(self, pairs: "list[tuple[int | float, int]] | list[tuple[str, int]]") -> None:
        pairs.sort()
        self._values = [value for value, _ in pairs]
        self._rows = np.array([row for _, row in pairs], dtype=np.int64)

    def equal(self, wanted: Any) -> Int64Array:
        # NaN equals nothing; a binary search for it would end anywhere.
        end = bisect_right(self._values, wanted) if wanted == wanted else 0
        return self._rows[bisect_left(self._values, wanted, hi=end) : end]

    def beyond(self, side: Literal["gt", "lt"], wanted: Any) -> Int64Array:
        if wanted != wanted:
            return self._rows[:0]
        if side == "gt":
            return self._rows[bisect_right(self._values, wanted) :]
        return self._rows[: bisect_left(self._values, wanted)]


class Columns:
    """All fields of all rows.

    Args:
        rows: Fields of each row, in order; read once.
        owners: Document of each row; an alias has a row of its own. None: the number of the row.

    Attributes:
        owners: (num_rows,) document of each row.
    """

    def __init__(self, rows: Iterable[Mapping[str, object]], owners: Int64Array | None = None) -> None:
        values: defaultdict[str, tuple[array[int], list[object]]] = defaultdict(lambda: (array("q"), []))
        num_rows = 0
        for row, fields in enumerate(rows):
            num_rows = row + 1
            for field, value in fields.items():
                values[field][0].append(row)
                values[field][1].append(value)
        self.owners = np.arange(num_rows) if owners is None else owners
        self._values = values
        self._columns: dict[str, Column] = {}

    def column(self, field: str) -> Column:
        """Return the column of a field, sorted at its first use; an empty one if no row has the field."""
        # Two threads may both make it; the results are equal.
        found = self._columns.get(field)
        if found is None and field in self._values:
            found = self._columns[field] = Column(zip(*self._values[field], strict=True))
        return found or _EMPTY


_EMPTY = Column(())
